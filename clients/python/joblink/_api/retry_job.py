from typing import Optional

from pydantic import Field

from .base_model import BaseModel
from .fragments import JobFields, UserErrorFields


class RetryJob(BaseModel):
    retry_job: Optional["RetryJobRetryJob"] = Field(validation_alias="retryJob", serialization_alias="retryJob")


class RetryJobRetryJob(BaseModel):
    job: Optional["RetryJobRetryJobJob"]
    user_errors: list["RetryJobRetryJobUserErrors"] = Field(validation_alias="userErrors", serialization_alias="userErrors")


RetryJobRetryJobJob = JobFields
RetryJobRetryJobUserErrors = UserErrorFields
RetryJob.model_rebuild()
RetryJobRetryJob.model_rebuild()
