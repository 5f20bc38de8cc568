from typing import Optional

from pydantic import Field

from .base_model import BaseModel
from .fragments import PageFields, ReceiptFields


class ListReceipts(BaseModel):
    deletion_receipts: Optional["ListReceiptsDeletionReceipts"] = Field(
        validation_alias="deletionReceipts", serialization_alias="deletionReceipts"
    )


class ListReceiptsDeletionReceipts(BaseModel):
    nodes: list["ListReceiptsDeletionReceiptsNodes"]
    page_info: "ListReceiptsDeletionReceiptsPageInfo" = Field(validation_alias="pageInfo", serialization_alias="pageInfo")


ListReceiptsDeletionReceiptsNodes = ReceiptFields
ListReceiptsDeletionReceiptsPageInfo = PageFields
ListReceipts.model_rebuild()
ListReceiptsDeletionReceipts.model_rebuild()
