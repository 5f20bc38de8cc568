from datetime import datetime
from typing import Optional

from pydantic import Field

from .base_model import BaseModel
from .enums import (
    ArtifactKind,
    DeletionTrigger,
    ErrorCode,
    JobOrigin,
    JobStatus,
    PredictionKind,
)


class ArtifactFields(BaseModel):
    id: str
    kind: ArtifactKind
    name: str
    size: int
    sha_256: Optional[str] = Field(validation_alias="sha256", serialization_alias="sha256")
    created_at: datetime = Field(validation_alias="createdAt", serialization_alias="createdAt")
    download_url: Optional[str] = Field(validation_alias="downloadUrl", serialization_alias="downloadUrl")


class JobFields(BaseModel):
    id: str
    kind: PredictionKind
    status: JobStatus
    origin: JobOrigin
    file_name: str = Field(validation_alias="fileName", serialization_alias="fileName")
    file_size: Optional[int] = Field(validation_alias="fileSize", serialization_alias="fileSize")
    error_message: Optional[str] = Field(validation_alias="errorMessage", serialization_alias="errorMessage")
    created_at: Optional[datetime] = Field(validation_alias="createdAt", serialization_alias="createdAt")
    started_at: Optional[datetime] = Field(validation_alias="startedAt", serialization_alias="startedAt")
    finished_at: Optional[datetime] = Field(validation_alias="finishedAt", serialization_alias="finishedAt")
    progress: "JobFieldsProgress"
    created_by: Optional["JobFieldsCreatedBy"] = Field(validation_alias="createdBy", serialization_alias="createdBy")
    organization: Optional["JobFieldsOrganization"]
    cancellation: Optional["JobFieldsCancellation"]
    hold: Optional["JobFieldsHold"]
    can: "JobFieldsCan"
    artifacts: list["JobFieldsArtifacts"]


class JobFieldsProgress(BaseModel):
    total: Optional[int]
    processed: int
    succeeded: int
    failed: int


class JobFieldsCreatedBy(BaseModel):
    id: str
    name: str


class JobFieldsOrganization(BaseModel):
    id: str
    name: str


class JobFieldsCancellation(BaseModel):
    at: datetime
    reason: str
    notes: Optional[str]
    by: Optional["JobFieldsCancellationBy"]


class JobFieldsCancellationBy(BaseModel):
    id: str
    name: str


class JobFieldsHold(BaseModel):
    at: datetime
    reason: str
    by: Optional["JobFieldsHoldBy"]


class JobFieldsHoldBy(BaseModel):
    id: str
    name: str


class JobFieldsCan(BaseModel):
    cancel: bool
    delete: bool
    force_delete: bool = Field(validation_alias="forceDelete", serialization_alias="forceDelete")
    hold: bool
    retry: bool


class JobFieldsArtifacts(ArtifactFields):
    pass


class PageFields(BaseModel):
    has_next_page: bool = Field(validation_alias="hasNextPage", serialization_alias="hasNextPage")
    end_cursor: Optional[str] = Field(validation_alias="endCursor", serialization_alias="endCursor")


class ReceiptFields(BaseModel):
    id: str
    job_id: str = Field(validation_alias="jobId", serialization_alias="jobId")
    job_kind: PredictionKind = Field(validation_alias="jobKind", serialization_alias="jobKind")
    job_status: JobStatus = Field(validation_alias="jobStatus", serialization_alias="jobStatus")
    file_name: str = Field(validation_alias="fileName", serialization_alias="fileName")
    job_created_at: Optional[datetime] = Field(validation_alias="jobCreatedAt", serialization_alias="jobCreatedAt")
    job_started_at: Optional[datetime] = Field(validation_alias="jobStartedAt", serialization_alias="jobStartedAt")
    job_finished_at: Optional[datetime] = Field(validation_alias="jobFinishedAt", serialization_alias="jobFinishedAt")
    job_created_by: Optional["ReceiptFieldsJobCreatedBy"] = Field(
        validation_alias="jobCreatedBy", serialization_alias="jobCreatedBy"
    )
    error_message: Optional[str] = Field(validation_alias="errorMessage", serialization_alias="errorMessage")
    deleted_at: datetime = Field(validation_alias="deletedAt", serialization_alias="deletedAt")
    deleted_by: Optional["ReceiptFieldsDeletedBy"] = Field(validation_alias="deletedBy", serialization_alias="deletedBy")
    trigger: DeletionTrigger
    reason: Optional[str]
    force: bool
    delete_predictions: bool = Field(validation_alias="deletePredictions", serialization_alias="deletePredictions")
    deleted_annual_predictions: int = Field(
        validation_alias="deletedAnnualPredictions", serialization_alias="deletedAnnualPredictions"
    )
    deleted_quarterly_predictions: int = Field(
        validation_alias="deletedQuarterlyPredictions", serialization_alias="deletedQuarterlyPredictions"
    )
    released_predictions: int = Field(validation_alias="releasedPredictions", serialization_alias="releasedPredictions")
    artifacts: "ReceiptFieldsArtifacts"


class ReceiptFieldsJobCreatedBy(BaseModel):
    id: str
    name: str


class ReceiptFieldsDeletedBy(BaseModel):
    id: str
    name: str


class ReceiptFieldsArtifacts(BaseModel):
    total: int
    pending: int
    bytes_: int = Field(validation_alias="bytes", serialization_alias="bytes")
    last_error: Optional[str] = Field(validation_alias="lastError", serialization_alias="lastError")
    completed_at: Optional[datetime] = Field(validation_alias="completedAt", serialization_alias="completedAt")


class UserErrorFields(BaseModel):
    code: ErrorCode
    message: str
    field: Optional[list[str]]


class RefusalFields(BaseModel):
    job_id: str = Field(validation_alias="jobId", serialization_alias="jobId")
    error: "RefusalFieldsError"
    job: Optional["RefusalFieldsJob"]
    receipt: Optional["RefusalFieldsReceipt"]


class RefusalFieldsError(UserErrorFields):
    pass


class RefusalFieldsJob(JobFields):
    pass


class RefusalFieldsReceipt(ReceiptFields):
    pass


ArtifactFields.model_rebuild()
JobFields.model_rebuild()
PageFields.model_rebuild()
ReceiptFields.model_rebuild()
UserErrorFields.model_rebuild()
RefusalFields.model_rebuild()
