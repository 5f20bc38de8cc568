from datetime import datetime
from typing import Optional

from pydantic import Field

from .base_model import BaseModel
from .enums import (
    AuditAction,
    AuditOutcome,
    DeletionTrigger,
    JobOrderField,
    JobOrigin,
    JobStatus,
    LinkSource,
    OrderDirection,
    PredictionKind,
    RiskLevel,
)


class AuditFilter(BaseModel):
    """Which entries are wanted; what is not given does not matter."""

    target_id: Optional[str] = Field(validation_alias="targetId", serialization_alias="targetId", default=None)
    "About this job, prediction or run."
    action: Optional[list[AuditAction]] = None
    "One of these."
    actor_id: Optional[str] = Field(validation_alias="actorId", serialization_alias="actorId", default=None)
    "By this user."
    outcome: Optional[AuditOutcome] = None
    "That ended like this."
    after: Optional[datetime] = None
    "Written at this time or later."
    before: Optional[datetime] = None
    "Written before this time."


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


class PredictionFilter(BaseModel):
    """Which predictions are wanted; what is not given does not matter."""

    job_id: Optional[str] = Field(validation_alias="jobId", serialization_alias="jobId", default=None)
    "Linked to this job."
    unlinked: Optional[bool] = None
    "`true`: without a job, released ones too; `false`: with one."
    link_source: Optional[list[LinkSource]] = Field(validation_alias="linkSource", serialization_alias="linkSource", default=None)
    "Linked in one of these ways; `RELEASED` = without a job since their job was deleted."
    created_by: Optional[str] = Field(validation_alias="createdBy", serialization_alias="createdBy", default=None)
    "Made by this user or by a job of this user."
    company_id: Optional[str] = Field(validation_alias="companyId", serialization_alias="companyId", default=None)
    "Of this company."
    reporting_year: Optional[str] = Field(validation_alias="reportingYear", serialization_alias="reportingYear", default=None)
    "Four digits."
    reporting_quarter: Optional[str] = Field(
        validation_alias="reportingQuarter", serialization_alias="reportingQuarter", default=None
    )
    "`Q1` to `Q4`."
    risk_level: Optional[list[RiskLevel]] = Field(validation_alias="riskLevel", serialization_alias="riskLevel", default=None)
    "At one of these levels."


CreateJobInput.model_rebuild()
