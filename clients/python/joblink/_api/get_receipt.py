from typing import Optional

from pydantic import Field

from .base_model import BaseModel
from .fragments import ReceiptFields


class GetReceipt(BaseModel):
    deletion_receipt: Optional["GetReceiptDeletionReceipt"] = Field(
        validation_alias="deletionReceipt", serialization_alias="deletionReceipt"
    )


GetReceiptDeletionReceipt = ReceiptFields
GetReceipt.model_rebuild()
