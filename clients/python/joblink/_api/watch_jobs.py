from datetime import datetime
from typing import Optional

from pydantic import Field

from .base_model import BaseModel
from .enums import JobEventType
from .fragments import JobFields


class WatchJobs(BaseModel):
    job_events: "WatchJobsJobEvents" = Field(validation_alias="jobEvents", serialization_alias="jobEvents")


class WatchJobsJobEvents(BaseModel):
    type_: JobEventType = Field(validation_alias="type", serialization_alias="type")
    job_id: str = Field(validation_alias="jobId", serialization_alias="jobId")
    at: datetime
    job: Optional["WatchJobsJobEventsJob"]


WatchJobsJobEventsJob = JobFields
WatchJobs.model_rebuild()
WatchJobsJobEvents.model_rebuild()
