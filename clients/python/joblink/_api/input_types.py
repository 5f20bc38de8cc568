from datetime import datetime
from typing import Optional

from pydantic import Field

from .base_model import BaseModel
from .enums import (
    DeletionTrigger,
    JobOrderField,
    JobOrigin,
    JobStatus,
    OrderDirection,
    PredictionKind,
)


class CreateJobInput(BaseModel):
    """A new job."""

    kind: PredictionKind
    "Which kind of predictions the file is for."
    source: "FileSource"
    "The file: CSV or Excel (.xlsx), with a header."
    idempotency_key: Optional[str] = Field(validation_alias="idempotencyKey", serialization_alias="idempotencyKey", default=None)
    "A name of your own for this request, like a new UUID. Sent again within 24 hours with the same file, the request is\nanswered with the job that the first one made."


class DeletionReceiptFilter(BaseModel):
    """Which receipts are wanted; what is not given does not matter."""

    deleted_after: Optional[datetime] = Field(validation_alias="deletedAfter", serialization_alias="deletedAfter", default=None)
    "Deleted at this time or later."
    deleted_before: Optional[datetime] = Field(
        validation_alias="deletedBefore", serialization_alias="deletedBefore", default=None
    )
    "Deleted before this time."
    deleted_by: Optional[str] = Field(validation_alias="deletedBy", serialization_alias="deletedBy", default=None)
    "Deleted by this user."
    trigger: Optional[DeletionTrigger] = None
    "Set off by this."
    purge_pending: Optional[bool] = Field(validation_alias="purgePending", serialization_alias="purgePending", default=None)
    "`true`: the store has not yet confirmed that the files are gone; `false`: nothing is left to purge."
    search: Optional[str] = None
    "Part of the file's name, or the beginning of the job's id."


class FileSource(BaseModel):
    """Where a file comes from: exactly one of these."""

    upload_id: Optional[str] = Field(validation_alias="uploadId", serialization_alias="uploadId", default=None)
    "A file that was sent ahead by `POST /uploads`."


class JobExpectation(BaseModel):
    """What the caller was shown of a job."""

    id: str
    "The job."
    predictions: int
    "How many linked predictions, of both kinds together."


class JobFilter(BaseModel):
    """Which jobs are wanted; what is not given does not matter."""

    status: Optional[list[JobStatus]] = None
    "In one of these states."
    kind: Optional[PredictionKind] = None
    "Of this kind."
    origin: Optional[JobOrigin] = None
    "Made by this program."
    created_by: Optional[str] = Field(validation_alias="createdBy", serialization_alias="createdBy", default=None)
    "Created by this user."
    created_after: Optional[datetime] = Field(validation_alias="createdAfter", serialization_alias="createdAfter", default=None)
    "Created at this time or later."
    created_before: Optional[datetime] = Field(
        validation_alias="createdBefore", serialization_alias="createdBefore", default=None
    )
    "Created before this time."
    finished_after: Optional[datetime] = Field(
        validation_alias="finishedAfter", serialization_alias="finishedAfter", default=None
    )
    "Ended at this time or later."
    finished_before: Optional[datetime] = Field(
        validation_alias="finishedBefore", serialization_alias="finishedBefore", default=None
    )
    "Ended before this time."
    search: Optional[str] = None
    "Part of the file's name, or the beginning of the job's id."


class JobOrder(BaseModel):
    """The order of a list of jobs."""

    field: JobOrderField
    "By what."
    direction: OrderDirection
    "In which direction."


CreateJobInput.model_rebuild()
