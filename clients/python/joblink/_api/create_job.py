from typing import Optional

from pydantic import Field

from .base_model import BaseModel
from .fragments import JobFields, UserErrorFields


class CreateJob(BaseModel):
    create_job: Optional["CreateJobCreateJob"] = Field(validation_alias="createJob", serialization_alias="createJob")


class CreateJobCreateJob(BaseModel):
    job: Optional["CreateJobCreateJobJob"]
    user_errors: list["CreateJobCreateJobUserErrors"] = Field(validation_alias="userErrors", serialization_alias="userErrors")


CreateJobCreateJobJob = JobFields
CreateJobCreateJobUserErrors = UserErrorFields
CreateJob.model_rebuild()
CreateJobCreateJob.model_rebuild()
