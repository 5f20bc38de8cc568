from typing import Optional

from pydantic import Field

from .base_model import BaseModel
from .fragments import JobFields, UserErrorFields


class HoldJob(BaseModel):
    hold_job: Optional["HoldJobHoldJob"] = Field(validation_alias="holdJob", serialization_alias="holdJob")


class HoldJobHoldJob(BaseModel):
    job: Optional["HoldJobHoldJobJob"]
    user_errors: list["HoldJobHoldJobUserErrors"] = Field(validation_alias="userErrors", serialization_alias="userErrors")


HoldJobHoldJobJob = JobFields
HoldJobHoldJobUserErrors = UserErrorFields
HoldJob.model_rebuild()
HoldJobHoldJob.model_rebuild()
