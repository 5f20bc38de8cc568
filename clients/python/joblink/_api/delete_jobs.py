from typing import Optional

from pydantic import Field

from .base_model import BaseModel
from .fragments import ReceiptFields, RefusalFields, UserErrorFields


class DeleteJobs(BaseModel):
    delete_jobs: Optional["DeleteJobsDeleteJobs"] = Field(validation_alias="deleteJobs", serialization_alias="deleteJobs")


class DeleteJobsDeleteJobs(BaseModel):
    receipts: list["DeleteJobsDeleteJobsReceipts"]
    refused: list["DeleteJobsDeleteJobsRefused"]
    user_errors: list["DeleteJobsDeleteJobsUserErrors"] = Field(validation_alias="userErrors", serialization_alias="userErrors")


DeleteJobsDeleteJobsReceipts = ReceiptFields
DeleteJobsDeleteJobsRefused = RefusalFields
DeleteJobsDeleteJobsUserErrors = UserErrorFields
DeleteJobs.model_rebuild()
DeleteJobsDeleteJobs.model_rebuild()
