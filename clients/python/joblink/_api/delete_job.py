from typing import Optional

from pydantic import Field

from .base_model import BaseModel
from .fragments import JobFields, ReceiptFields, UserErrorFields


class DeleteJob(BaseModel):
    delete_job: Optional["DeleteJobDeleteJob"] = Field(validation_alias="deleteJob", serialization_alias="deleteJob")


class DeleteJobDeleteJob(BaseModel):
    deleted_job_id: Optional[str] = Field(validation_alias="deletedJobId", serialization_alias="deletedJobId")
    receipt: Optional["DeleteJobDeleteJobReceipt"]
    job: Optional["DeleteJobDeleteJobJob"]
    user_errors: list["DeleteJobDeleteJobUserErrors"] = Field(validation_alias="userErrors", serialization_alias="userErrors")


DeleteJobDeleteJobReceipt = ReceiptFields
DeleteJobDeleteJobJob = JobFields
DeleteJobDeleteJobUserErrors = UserErrorFields
DeleteJob.model_rebuild()
DeleteJobDeleteJob.model_rebuild()
