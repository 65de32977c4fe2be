"""The routes that delete a model, and that make one of a folder in an older form. Folders are moved, exported and
imported on the command line alone: REST takes no paths from callers."""

from __future__ import annotations

from fastapi import APIRouter
from pydantic import BaseModel, Field

from tts_core.api.context import UseServices
from tts_core.api.errors import failures
from tts_core.api.schemas import KeyBody, Success
from tts_core.domain.errors import UnknownModelKey
from tts_core.engines.faults import NothingToConvert
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


class StartedConversion(BaseModel):
    key: str
    job_id: str = Field(description="`GET /api/jobs/{job_id}` shows how far it is.")


@router.post("/convert", responses=failures(UnknownModelKey, NothingToConvert))
def convert_model(body: KeyBody, services: UseServices) -> Success[StartedConversion]:
    """Make a Whisper model of a folder in the form that earlier versions used, which lies in the models folder: the
    model's hint `older_form` names it. Nothing is downloaded, and that folder stays. Joins a conversion that runs.
    """
    job = services.conversion.start(services.jobs, body.key)
    return Success(data=StartedConversion(key=body.key, job_id=job.key), message=f"{body.key} is being converted.")


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
