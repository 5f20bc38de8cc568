from typing import Optional

from .base_model import BaseModel
from .enums import Role


class GetViewer(BaseModel):
    viewer: Optional["GetViewerViewer"]


class GetViewerViewer(BaseModel):
    user: "GetViewerViewerUser"
    organization: Optional["GetViewerViewerOrganization"]
    role: Role


class GetViewerViewerUser(BaseModel):
    id: str
    name: str


class GetViewerViewerOrganization(BaseModel):
    id: str
    name: str


GetViewer.model_rebuild()
GetViewerViewer.model_rebuild()
