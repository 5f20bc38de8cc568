from typing import Optional

from pydantic import Field

from .base_model import BaseModel
from .enums import LinkSource
from .fragments import JobFields, RefusalFields


class PreviewDeletion(BaseModel):
    deletion_preview: Optional["PreviewDeletionDeletionPreview"] = Field(
        validation_alias="deletionPreview", serialization_alias="deletionPreview"
    )


class PreviewDeletionDeletionPreview(BaseModel):
    deletable: list["PreviewDeletionDeletionPreviewDeletable"]
    refused: list["PreviewDeletionDeletionPreviewRefused"]


class PreviewDeletionDeletionPreviewDeletable(BaseModel):
    job: "PreviewDeletionDeletionPreviewDeletableJob"
    annual_predictions: int = Field(validation_alias="annualPredictions", serialization_alias="annualPredictions")
    quarterly_predictions: int = Field(validation_alias="quarterlyPredictions", serialization_alias="quarterlyPredictions")
    by_link_source: list["PreviewDeletionDeletionPreviewDeletableByLinkSource"] = Field(
        validation_alias="byLinkSource", serialization_alias="byLinkSource"
    )
    unlinked_look_alikes: int = Field(validation_alias="unlinkedLookAlikes", serialization_alias="unlinkedLookAlikes")
    artifacts: int
    bytes_: int = Field(validation_alias="bytes", serialization_alias="bytes")


PreviewDeletionDeletionPreviewDeletableJob = JobFields


class PreviewDeletionDeletionPreviewDeletableByLinkSource(BaseModel):
    link_source: LinkSource = Field(validation_alias="linkSource", serialization_alias="linkSource")
    count: int


PreviewDeletionDeletionPreviewRefused = RefusalFields
PreviewDeletion.model_rebuild()
PreviewDeletionDeletionPreview.model_rebuild()
PreviewDeletionDeletionPreviewDeletable.model_rebuild()
