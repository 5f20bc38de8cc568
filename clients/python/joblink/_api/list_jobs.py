from typing import Optional

from pydantic import Field

from .base_model import BaseModel
from .fragments import JobFields, PageFields


class ListJobs(BaseModel):
    jobs: Optional["ListJobsJobs"]


class ListJobsJobs(BaseModel):
    nodes: list["ListJobsJobsNodes"]
    page_info: "ListJobsJobsPageInfo" = Field(validation_alias="pageInfo", serialization_alias="pageInfo")


ListJobsJobsNodes = JobFields
ListJobsJobsPageInfo = PageFields
ListJobs.model_rebuild()
ListJobsJobs.model_rebuild()
