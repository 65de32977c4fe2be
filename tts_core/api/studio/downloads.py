"""Routes about downloads: start, watch, pause, go on, stop, put in another order."""

from __future__ import annotations

from typing import get_args

from fastapi import APIRouter

from tts_core.api.context import UseServices
from tts_core.api.errors import failures
from tts_core.api.schemas import DownloadBody, KeyBody, PositionBody, Success
from tts_core.api.studio.messages.shapes import Download, StartedDownload
from tts_core.domain.errors import UnknownModelKey
from tts_core.models.download_report import summary
from tts_core.models.download_task import DownloadTask, Provider
from tts_core.models.faults import UnknownProvider

router = APIRouter(prefix="/api/tts/qwen3/models", tags=["downloads"], responses=failures(UnknownModelKey))

_PROVIDERS: tuple[Provider, ...] = get_args(Provider)


@router.post("/download", response_model_exclude_none=True, responses=failures(UnknownModelKey, UnknownProvider))
def start_download(body: DownloadBody, services: UseServices) -> Success[StartedDownload]:
    """Fetch a model, or what is missing of it; joins a download that runs, goes on with one that was paused or failed.

    Answers at once. A model that is ready stays as it is, and nothing is asked of the network.
    """
    task = services.downloads.start(body.key, _provider(body.provider))
    data = StartedDownload.of(task, str(services.models.folder(body.key)))
    return Success(data=data, message=summary(task))


@router.get("/downloads")
def list_downloads(services: UseServices, finished: bool = False) -> Success[list[Download]]:
    """The queue: what runs, waits or is paused; with `finished`, also what ended since the start, and how."""
    tasks = [task for task in services.downloads.tasks() if finished or not task.state.is_over]
    return Success(data=[Download.of(task) for task in tasks], message=f"{len(tasks)} downloads.")


@router.post("/downloads/stop")
def stop_download_by_body(body: KeyBody, services: UseServices) -> Success[Download]:
    """Take a model out of the queue. Bytes already fetched are kept for the next time."""
    return _answer(services.downloads.cancel(body.key))


@router.post("/downloads/{key}/stop")
def stop_download(key: str, services: UseServices) -> Success[Download]:
    """Take a model out of the queue. Bytes already fetched are kept for the next time."""
    return _answer(services.downloads.cancel(key))


@router.post("/downloads/{key}/pause")
def pause_download(key: str, services: UseServices) -> Success[Download]:
    """Stop for now; the next one in the queue begins. Bytes already fetched are kept."""
    return _answer(services.downloads.pause(key))


@router.post("/downloads/{key}/resume")
def resume_download(key: str, services: UseServices) -> Success[Download]:
    """Go on where it was paused; only missing bytes are fetched."""
    return _answer(services.downloads.resume(key))


@router.post("/downloads/{key}/retry")
def retry_download(key: str, services: UseServices) -> Success[Download]:
    """Try again what failed, with the provider of before; only missing bytes are fetched."""
    before = services.downloads.task(key)
    return _answer(services.downloads.start(key, before.provider if before else "auto"))


@router.post("/downloads/{key}/move")
def move_download(key: str, body: PositionBody, services: UseServices) -> Success[Download]:
    """Put a waiting model at another place of the queue."""
    return _answer(services.downloads.move(key, body.position))


def _provider(name: str | None) -> Provider:
    for provider in _PROVIDERS:
        if provider == ("auto" if name is None else name):
            return provider
    raise UnknownProvider(provider=name, choices=", ".join(_PROVIDERS))


def _answer(task: DownloadTask) -> Success[Download]:
    return Success(data=Download.of(task), message=summary(task))
