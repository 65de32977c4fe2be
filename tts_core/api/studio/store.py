"""The route that deletes a model. Folders are moved, exported and imported on the command line alone: REST takes no
paths from callers."""

from __future__ import annotations

from fastapi import APIRouter
from pydantic import BaseModel, Field

from tts_core.api.context import UseServices
from tts_core.api.errors import failures
from tts_core.api.schemas import Success
from tts_core.domain.errors import UnknownModelKey
from tts_core.models.download_faults import FileLocked, PermissionRefused
from tts_core.models.faults import ModelBeingChanged, ModelInMemory, ModelInUse
from tts_core.models.store.faults import ModelDownloading, ModelNotThere, StoreBusy

router = APIRouter(prefix="/api/tts/qwen3/models", tags=["models"], responses=failures())


class DeletedModel(BaseModel):
    key: str
    path: str
    freed_bytes: int = Field(description="What the disk got back; files that other models share count for nothing.")
    shared_bytes: int = Field(description="Of files that live on in other models.")
    left: list[str] = Field(description="Files in the folder that are not the model's; they stay.")


@router.delete(
    "/{key}",
    responses=failures(
        UnknownModelKey,
        ModelNotThere,
        ModelInUse,
        ModelInMemory,
        ModelBeingChanged,
        ModelDownloading,
        StoreBusy,
        PermissionRefused,
        FileLocked,
    ),
)
def delete_model(key: str, services: UseServices) -> Success[DeletedModel]:
    """Remove a model's files from the disk, unfinished ones included. Refused while it is in memory or downloaded."""
    removal = services.store.delete(key)
    data = DeletedModel(
        key=key,
        path=str(removal.folder),
        freed_bytes=removal.freed_bytes,
        shared_bytes=removal.shared_bytes,
        left=list(removal.left),
    )
    return Success(data=data, message=f"{key} is deleted; {removal.freed_bytes} bytes are free again.")
