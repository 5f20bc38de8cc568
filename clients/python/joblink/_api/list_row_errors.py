from typing import Optional

from pydantic import Field

from .base_model import BaseModel
from .enums import RowErrorCode
from .fragments import PageFields


class ListRowErrors(BaseModel):
    job: Optional["ListRowErrorsJob"]


class ListRowErrorsJob(BaseModel):
    row_errors: "ListRowErrorsJobRowErrors" = Field(validation_alias="rowErrors", serialization_alias="rowErrors")


class ListRowErrorsJobRowErrors(BaseModel):
    nodes: list["ListRowErrorsJobRowErrorsNodes"]
    page_info: "ListRowErrorsJobRowErrorsPageInfo" = Field(validation_alias="pageInfo", serialization_alias="pageInfo")


class ListRowErrorsJobRowErrorsNodes(BaseModel):
    line: int
    column: Optional[str]
    code: RowErrorCode
    message: str


ListRowErrorsJobRowErrorsPageInfo = PageFields
ListRowErrors.model_rebuild()
ListRowErrorsJob.model_rebuild()
ListRowErrorsJobRowErrors.model_rebuild()
