"""Routes about models: what is on the disk, whether it is sound, what it can do."""

from __future__ import annotations

from fastapi import APIRouter, Request

from tts_core.api.context import UseServices, UseWorkers
from tts_core.api.errors import failures
from tts_core.api.schemas import LoadedModel, Model, ModelCapabilities, ModelFolder, Success, ValidateBody, Validation
from tts_core.domain.engine import CancelCheck
from tts_core.domain.errors import Cancelled, EngineFailed, UnknownModelKey
from tts_core.models.cached_model import CachedModel
from tts_core.models.catalogue import ModelKind
from tts_core.models.faults import MemoryBudgetFull, ModelInUse, ModelNotLoaded
from tts_core.models.status import ModelStatus, ModelStatuses
from tts_core.platform.desktop import asked_from_this_machine, open_folder
from tts_core.voices.faults import ModelNotLoadable

router = APIRouter(prefix="/api/tts/qwen3/models", tags=["models"], responses=failures())

_LOAD_FAILURES = (UnknownModelKey, ModelNotLoadable, EngineFailed, MemoryBudgetFull)


@router.get("", response_model_exclude_none=True)
def list_models(services: UseServices) -> Success[list[Model]]:
    """Every model of the catalogue with its state on this machine's disk."""
    statuses = services.models.statuses()
    ready = sum(status.valid for status in statuses)
    return Success(data=[Model.of(status) for status in statuses], message=f"{ready} of {len(statuses)} are ready.")


@router.post("/validate", responses=failures(UnknownModelKey))
async def validate_model(
    request: Request, body: ValidateBody, services: UseServices, workers: UseWorkers
) -> Success[Validation]:
    """Check one model's files. Closing the connection stops a deep check; what was read through stays known."""
    status = await workers.run(request, lambda gone: _validate(services.models, body, gone))
    message = f"{status.entry.display_name}: {status.state.value}. {status.reason or ''}".strip()
    return Success(data=Validation.of(status), message=message)


@router.get("/open-path", responses=failures(UnknownModelKey))
def open_path(request: Request, key: str, services: UseServices) -> Success[ModelFolder]:
    """The model's folder; shown in the file manager if you sit at the machine that answers and it has a desktop."""
    folder = services.models.folder(key)
    is_here = asked_from_this_machine(request.client.host if request.client else None, request.headers)
    opened = is_here and open_folder(services.settings, folder)
    data = ModelFolder(key=key, path=str(folder), opened=opened)
    return Success(data=data, message="The folder is open." if opened else "This is the folder's path.")


@router.get("/{key}/capabilities", responses=failures(UnknownModelKey))
def model_capabilities(key: str, services: UseServices) -> Success[ModelCapabilities]:
    """List what a model can be asked to do, downloaded or not. Also answers for "builtin"."""
    voice = next((voice for voice in services.synthesis.voices() if voice.engine == key), None)
    found = services.models.capabilities(key) if voice is None else services.synthesis.capabilities(voice.id)
    return Success(data=ModelCapabilities.of(found), message=f"What {key} can be asked to do.")


@router.post("/{key}/load", responses=failures(*_LOAD_FAILURES))
async def load_model(key: str, request: Request, services: UseServices, workers: UseWorkers) -> Success[LoadedModel]:
    """Have a model in memory, so that its first words come sooner. Answers when it is."""
    status = services.models.status(key)
    if not status.valid or (status.entry.kind is ModelKind.TOKENIZER or status.entry.kind.is_single_voice):
        raise ModelNotLoadable(key=key)

    def load(_gone: CancelCheck) -> CachedModel:
        models = services.cache_of(key)
        with models.lease(key):
            return next(model for model in models.statuses() if model.key == key)

    found = await workers.run(request, load)
    data = LoadedModel.model_validate(found)
    return Success(data=data, message=f"{status.entry.display_name} is in memory, on {data.device}.")


@router.post("/{key}/unload", responses=failures(UnknownModelKey, ModelInUse, ModelNotLoaded))
def unload_model(key: str, services: UseServices) -> Success[ModelFolder]:
    """Free a model's memory, its speaker encoder's included. Refused while somebody speaks with it."""
    folder = services.models.folder(key)
    services.memory.unload_from(folder, key)
    return Success(data=ModelFolder(key=key, path=str(folder), opened=False), message=f"{key} is out of memory.")


def _validate(models: ModelStatuses, body: ValidateBody, cancelled: CancelCheck) -> ModelStatus:
    for event in models.validate(body.key, deep=bool(body.deep), cancelled=cancelled):
        if isinstance(event, ModelStatus):
            return event
    raise Cancelled
