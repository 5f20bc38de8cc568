from typing import Optional

from pydantic import Field

from .base_model import BaseModel
from .fragments import JobFields, UserErrorFields


class ReleaseJobHold(BaseModel):
    release_job_hold: Optional["ReleaseJobHoldReleaseJobHold"] = Field(
        validation_alias="releaseJobHold", serialization_alias="releaseJobHold"
    )


class ReleaseJobHoldReleaseJobHold(BaseModel):
    job: Optional["ReleaseJobHoldReleaseJobHoldJob"]
    user_errors: list["ReleaseJobHoldReleaseJobHoldUserErrors"] = Field(
        validation_alias="userErrors", serialization_alias="userErrors"
    )


ReleaseJobHoldReleaseJobHoldJob = JobFields
ReleaseJobHoldReleaseJobHoldUserErrors = UserErrorFields
ReleaseJobHold.model_rebuild()
ReleaseJobHoldReleaseJobHold.model_rebuild()
