"""Reports of a download outside the page: one set of facts and English sentences for REST, SSE, WebSocket and the
command line. Field names are those of the wire contract."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime, timezone
from types import MappingProxyType
from typing import Any

from tts_core.domain.errors import StudioError
from tts_core.models.download_task import DownloadTask, Note, Phase
from tts_core.platform.job import JobState

SOURCE_NAMES: Mapping[str, str] = MappingProxyType(
    {"hf": "Hugging Face", "mirror": "the Hugging Face mirror", "modelscope": "ModelScope", "local": "this machine"}
)


def facts(task: DownloadTask) -> dict[str, Any]:
    """The facts about a task, ready for JSON. `progress` is 100 only when the model is ready."""
    return {
        "key": task.subject,
        "provider": task.provider,
        "source": task.source,
        "status": task.status.value,
        "phase": task.phase.value,
        "progress": round(task.progress, 1),
        "message": summary(task),
        "downloaded_bytes": task.bytes_done,
        "total_bytes": task.bytes_total,
        "bytes_per_second": round(task.bytes_per_second),
        "eta_seconds": None if task.eta_s is None else round(task.eta_s, 1),
        "stalled": task.stalled,
        "position": task.position,
        "file": task.file,
        "code": task.code,
        "notes": [note_facts(note) for note in task.notes],
        "foreign": task.foreign,
        "seq": task.seq,
        "timestamp": datetime.fromtimestamp(task.updated_at, timezone.utc).isoformat(timespec="milliseconds"),
    }


def note_facts(note: Note) -> dict[str, Any]:
    return {
        "code": note.code,
        "message": note_sentence(note),
        "source": note.source,
        "next_source": note.next_source,
    }


def note_sentence(note: Note) -> str:
    """A sentence that says what failed and which source took over."""
    failed = sentence(note.code, note.params)
    if not note.next_source:
        return failed
    name = source_name(note.next_source)
    return f"{failed} {name[:1].upper()}{name[1:]} takes over; nothing that was fetched is lost."


def summary(task: DownloadTask) -> str:
    """A sentence about the state of the task."""
    if task.state is JobState.RUNNING:
        return _at_work(task)
    if task.state is JobState.WAITING:
        return _waiting(task)
    if task.state is JobState.DONE:
        return _ready(task)
    if task.state is JobState.ERROR or task.code:
        return sentence(task.code, task.params)
    return f"{'Paused' if task.state is JobState.PAUSED else 'Stopped'}. Everything fetched so far is kept."


def sentence(code: str, params: Mapping[str, object]) -> str:
    """The sentence of an error's code; a missing parameter shows as an ellipsis."""
    templates = {kind.code: kind.template for kind in _kinds(StudioError) if "code" in vars(kind)}
    words = {
        name: " ".join(map(str, value)) if isinstance(value, list | tuple) else value for name, value in params.items()
    }
    return templates.get(code, StudioError.template).format_map(_Params(words))


def source_name(source: str) -> str:
    """The source's name for people; an unknown id is its own name."""
    return SOURCE_NAMES.get(source, source)


class _Params(dict[str, object]):
    def __missing__(self, name: str) -> str:
        return "…"


def _kinds(kind: type[StudioError]) -> Iterator[type[StudioError]]:
    yield kind
    for child in kind.__subclasses__():
        yield from _kinds(child)


def _ready(task: DownloadTask) -> str:
    if task.source == "local":
        return "Ready. Its files were on this machine."
    return f"Ready. It came from {source_name(task.source)}." if task.source else "Ready."


def _waiting(task: DownloadTask) -> str:
    if task.foreign:
        return "Another TTS Studio is downloading into this folder."
    return f"Waiting, number {task.position} in the queue." if task.position else "Waiting."


def _at_work(task: DownloadTask) -> str:
    where = f" from {source_name(task.source)}" if task.source else ""
    match task.phase:
        case Phase.QUEUED | Phase.RESOLVING:
            return "Asking for the list of files."
        case Phase.ADOPTING:
            return f"Taking over {task.file or 'files'} that this machine has already."
        case Phase.TRANSFERRING if task.stalled:
            return f"Waiting for bytes{where}: nothing came for some seconds."
        case Phase.TRANSFERRING:
            return f"Downloading {task.file or 'files'}{where}."
        case Phase.VERIFYING | Phase.DONE:
            return f"Checking {task.file or 'the files'}."
