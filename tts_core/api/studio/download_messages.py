"""A download in the three shapes that clients know: REST, server-sent events, WebSocket. All are made from the same
facts, so that all show the same numbers."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from tts_core.api.schemas import Model
from tts_core.models.download_report import facts
from tts_core.models.download_task import DownloadTask, Phase, Provider, TaskState
from tts_core.models.files.findings import ModelState
from tts_core.models.status import ModelStatus

SCOPE: Literal["qwen3_tts_models"] = "qwen3_tts_models"
_EXAMPLE: Mapping[str, Any] = MappingProxyType(
    {
        "key": "custom_0_6b",
        "provider": "auto",
        "source": "modelscope",
        "status": "running",
        "download_status": "downloading",
        "phase": "transferring",
        "progress": 41.3,
        "message": "Downloading model.safetensors from ModelScope.",
        "downloaded_bytes": 1031832431,
        "total_bytes": 2498383610,
        "bytes_per_second": 11534336,
        "eta_seconds": 127.2,
        "stalled": False,
        "position": 0,
        "file": "model.safetensors",
        "code": "",
        "notes": [
            {
                "code": "NET_STALLED",
                "message": "huggingface.co stopped sending. ModelScope takes over; nothing that was fetched is lost.",
                "source": "hf",
                "next_source": "modelscope",
            }
        ],
        "foreign": False,
        "seq": 1718,
        "timestamp": "2026-03-04T05:06:07.890+00:00",
    }
)


DownloadStatus = Literal["waiting", "running", "paused", "ready", "error", "cancelled"]
_STATUS = Field(description='"running" while a download runs: programs show their Stop button then.')
_OWN_STATUS = Field(
    description='An addition of ours: as `status`, but "downloading", a model\'s status, while it runs.'
)


class DownloadNote(BaseModel):
    """A source's fault and what followed."""

    code: str = Field(description="Stable code, e.g. NET_STALLED, HTTP_401, HASH_MISMATCH.")
    message: str
    source: str = Field(description="The source that failed.")
    next_source: str = Field(description='The source that took over; "" if none has (yet).')


class Progress(BaseModel):
    """The numbers of a download; every view shows these."""

    provider: Provider = Field(description="The provider that was asked for.")
    source: str = Field(
        description='The source at work, or the one that finished: hf, mirror, modelscope, local; "" while unknown.'
    )
    phase: str
    progress: float = Field(description="0 to 100; 100 only when the model is ready.")
    message: str = Field(description="One English sentence.")
    downloaded_bytes: int
    total_bytes: int
    bytes_per_second: int = Field(description="Average of the last seconds; 0 while nothing comes.")
    eta_seconds: float | None = Field(description="null while unknown or while nothing comes.")
    stalled: bool = Field(description="Nothing came for some seconds.")
    position: int = Field(description="Place in the queue: 1 is next, 0 is not waiting.")
    file: str = Field(description="The file at work: a path inside the model's folder.")
    code: str = Field(description='Code of the fault that paused or ended it; "" where there is none.')
    notes: list[DownloadNote] = Field(description="Oldest first: what failed, and who took over.")
    foreign: bool = Field(description="Another process on the same folder does the work.")
    seq: int = Field(description="Grows with every change.")
    timestamp: str = Field(description="ISO 8601.")


class Download(Progress):
    """A model's download."""

    model_config = ConfigDict(json_schema_extra={"examples": [dict(_EXAMPLE)]})

    key: str
    status: DownloadStatus = _STATUS
    download_status: TaskState = _OWN_STATUS
    phase: Phase

    @classmethod
    def of(cls, task: DownloadTask) -> Download:
        return cls.model_validate(_facts(task))


class StartedDownload(BaseModel):
    """The answer to a request for a model."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "key": "custom_0_6b",
                    "path": "/home/me/.local/share/SuperAutoCutVideo/models/Qwen/Qwen3-TTS-12Hz-0.6B-CustomVoice",
                    "status": "waiting",
                    "download_status": "waiting",
                    "downloaded_bytes": 0,
                    "total_bytes": 2498383610,
                    "position": 1,
                }
            ]
        }
    )

    key: str
    path: str = Field(description="The model's folder.")
    status: DownloadStatus = _STATUS
    download_status: TaskState = _OWN_STATUS
    downloaded_bytes: int
    total_bytes: int
    position: int | None = Field(None, description="Place in the queue while it waits; 1 is next.")

    @classmethod
    def of(cls, task: DownloadTask, path: str) -> StartedDownload:
        return cls.model_validate({**_facts(task), "path": path, "position": task.position or None})


class SocketMessage(Progress):
    """A message of `/ws` about a model's download."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "type": "progress",
                    "scope": SCOPE,
                    "project_id": None,
                    "model_key": "custom_0_6b",
                    **{name: value for name, value in _EXAMPLE.items() if name != "key"},
                    "phase": "download_running",
                }
            ]
        }
    )

    type: Literal["progress", "completed", "error", "cancelled"]
    scope: Literal["qwen3_tts_models"] = SCOPE
    phase: Literal[
        "download_start",
        "download_running",
        "download_verify",
        "download_done",
        "download_error",
        "download_cancelled",
    ]
    project_id: None = None
    model_key: str
    status: DownloadStatus = _STATUS
    download_status: TaskState = _OWN_STATUS

    @classmethod
    def of(cls, task: DownloadTask) -> SocketMessage:
        kind, phase = _socket_words(task)
        return cls.model_validate({**_facts(task), "type": kind, "phase": phase, "model_key": task.subject})


class ModelEvent(Progress):
    """An event of `/api/models/events` about a model."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "type": "model_progress",
                    "model_id": "custom_0_6b",
                    **{name: value for name, value in _EXAMPLE.items() if name != "key"},
                    "status": "downloading",
                }
            ]
        }
    )

    type: Literal["model_progress", "model_complete", "model_error", "model_incomplete"]
    model_id: str
    status: ModelState = Field(description="The model's status, one of the six of `/models`.")
    phase: Phase
    download_status: TaskState = Field(
        description="The download's status; a paused or cancelled one leaves an incomplete model."
    )

    @classmethod
    def of(cls, task: DownloadTask) -> ModelEvent:
        kind, status = _EVENTS[task.status]
        event = {"type": kind, "status": status, "model_id": task.subject, "download_status": task.status}
        return cls.model_validate({**facts(task), **event})


def initial_state(statuses: Iterable[ModelStatus]) -> dict[str, Any]:
    """The present state of all models, for a client that has just come."""
    return {"type": "initial_state", "models": [_model(status) for status in statuses]}


def _model(status: ModelStatus) -> dict[str, Any]:
    model = Model.of(status).model_dump(mode="json")
    share = 100.0 * status.bytes_done / status.bytes_total if status.bytes_total else 0.0
    progress = {
        "model_id": status.key,
        "progress": 100.0 if status.valid else round(min(share, 99.9), 1),
        "message": status.reason or "",
    }
    if status.download is not None and not status.valid:
        event = ModelEvent.of(status.download).model_dump(mode="json")
        progress |= {name: value for name, value in event.items() if name not in ("type", "status")}
    return model | progress


_EVENTS = MappingProxyType(
    {
        TaskState.WAITING: ("model_progress", ModelState.WAITING),
        TaskState.RUNNING: ("model_progress", ModelState.DOWNLOADING),
        TaskState.PAUSED: ("model_incomplete", ModelState.INCOMPLETE),
        TaskState.CANCELLED: ("model_incomplete", ModelState.INCOMPLETE),
        TaskState.ERROR: ("model_error", ModelState.ERROR),
        TaskState.READY: ("model_complete", ModelState.READY),
    }
)


def _facts(task: DownloadTask) -> dict[str, Any]:
    is_running = task.status is TaskState.RUNNING
    return {**facts(task), "status": "running" if is_running else task.status.value, "download_status": task.status}


def _socket_words(task: DownloadTask) -> tuple[str, str]:
    """The type and phase of a message. Clients wait for an end, so a download that doesn't go on by itself is told as
    one."""
    match task.status:
        case TaskState.READY:
            return "completed", "download_done"
        case TaskState.ERROR:
            return "error", "download_error"
        case TaskState.PAUSED if task.code:
            return "error", "download_error"
        case TaskState.PAUSED | TaskState.CANCELLED:
            return "cancelled", "download_cancelled"
        case TaskState.WAITING:
            return "progress", "download_start"
        case TaskState.RUNNING:
            return "progress", _RUNNING_PHASES[task.phase]


_RUNNING_PHASES = MappingProxyType(
    {
        Phase.QUEUED: "download_start",
        Phase.RESOLVING: "download_start",
        Phase.ADOPTING: "download_running",
        Phase.TRANSFERRING: "download_running",
        Phase.VERIFYING: "download_verify",
        Phase.DONE: "download_verify",
    }
)
