"""Routes about the server itself."""

from __future__ import annotations

from fastapi import APIRouter, Request

import tts_core
from tts_core.api.context import UseServices, UseWorkers
from tts_core.api.errors import failures
from tts_core.api.schemas import AccelerationStatus, Device, Health, LoadedModel, Runtime, Success
from tts_core.engines.qwen.engine import QWEN
from tts_core.engines.whisper.transcriber import WHISPER

router = APIRouter(tags=["system"], responses=failures())


@router.get("/health")
def health(services: UseServices) -> Health:
    """Whether the server answers. Never waits for anything."""
    found = services.system.acceleration_if_known()
    device = "cpu" if found is None else found.preferred_device
    return Health(
        version=tts_core.__version__,
        model_loaded=any(model.is_loaded for model in services.memory.statuses(QWEN, WHISPER)),
        device=device,
        cached_speakers=services.speaker_service.registered(),
        engine=services.speaker_service.engine(),
    )


@router.get("/api/tts/qwen3/acceleration-status")
async def acceleration_status(
    request: Request, services: UseServices, workers: UseWorkers
) -> Success[AccelerationStatus]:
    """Report which device models run on and why. The first answer takes seconds: another process loads torch to find
    out."""
    found = await workers.run(request, lambda _gone: services.system.acceleration())
    models = services.memory.statuses(QWEN, WHISPER)
    error = services.memory.last_error(QWEN, WHISPER)
    runtime = Runtime.of(models, services.models.folder, error, found.preferred_device)
    loaded = [LoadedModel.model_validate(model) for model in models]
    status = AccelerationStatus(acceleration=Device.of(found), runtime=runtime, models=loaded)
    return Success(data=status, message=f"Models run on {found.preferred_device}.")
