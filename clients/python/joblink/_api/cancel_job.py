from typing import Optional

from pydantic import Field

from .base_model import BaseModel
from .fragments import JobFields, UserErrorFields


class CancelJob(BaseModel):
    cancel_job: Optional["CancelJobCancelJob"] = Field(validation_alias="cancelJob", serialization_alias="cancelJob")


class CancelJobCancelJob(BaseModel):
    job: Optional["CancelJobCancelJobJob"]
    user_errors: list["CancelJobCancelJobUserErrors"] = Field(validation_alias="userErrors", serialization_alias="userErrors")


CancelJobCancelJobJob = JobFields
CancelJobCancelJobUserErrors = UserErrorFields
CancelJob.model_rebuild()
CancelJobCancelJob.model_rebuild()
