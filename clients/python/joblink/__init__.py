"""Client of Joblink: upload files, watch their jobs, delete jobs with what they made.

`Joblink` is for programs that wait for each call, `AsyncJoblink` for those with an event loop; both have the same methods.
"""

from ._api.enums import (
    ArtifactKind,
    DeletionTrigger,
    ErrorCode,
    JobEventType,
    JobOrderField,
    JobOrigin,
    JobStatus,
    LinkSource,
    OrderDirection,
    PredictionKind,
    RiskLevel,
    Role,
    RowErrorCode,
)
from ._api.fragments import ArtifactFields as Artifact
from ._api.fragments import JobFields as Job
from ._api.fragments import ReceiptFields as Receipt
from ._api.fragments import RefusalFields as Refusal
from ._api.fragments import UserErrorFields as UserError
from ._api.get_viewer import GetViewerViewer as Viewer
from ._api.input_types import DeletionReceiptFilter, JobExpectation, JobFilter, JobOrder
from ._api.preview_deletion import PreviewDeletionDeletionPreview as DeletionPreview
from ._api.watch_jobs import WatchJobsJobEvents as JobEvent
from ._async.client import AsyncJoblink
from ._deletion import DeletedJobs
from ._predictions import AnnualPrediction, Prediction, QuarterlyPrediction, RowError
from ._sync.client import Joblink
from .errors import DeletionInterrupted, JoblinkError, UserErrors

__all__ = [
    "AnnualPrediction",
    "Artifact",
    "ArtifactKind",
    "AsyncJoblink",
    "DeletedJobs",
    "DeletionInterrupted",
    "DeletionPreview",
    "DeletionReceiptFilter",
    "DeletionTrigger",
    "ErrorCode",
    "Job",
    "JobEvent",
    "JobEventType",
    "JobExpectation",
    "JobFilter",
    "JobOrder",
    "JobOrderField",
    "JobOrigin",
    "JobStatus",
    "Joblink",
    "JoblinkError",
    "LinkSource",
    "OrderDirection",
    "Prediction",
    "PredictionKind",
    "QuarterlyPrediction",
    "Receipt",
    "Refusal",
    "RiskLevel",
    "Role",
    "RowError",
    "RowErrorCode",
    "UserError",
    "UserErrors",
    "Viewer",
]
