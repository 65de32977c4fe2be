"""Download tasks as JSON, for other processes and for files."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from types import MappingProxyType
from typing import Any

from tts_core.models.download_task import DownloadTask, Note, Phase, TaskState
from tts_core.platform.job import JobState

PROVIDERS = ("auto", "hf", "mirror", "modelscope")
_STATES: Mapping[str, JobState] = MappingProxyType(
    {TaskState.RUNNING.value: JobState.RUNNING, TaskState.READY.value: JobState.DONE}
)
"""The states for which the wire contract has another word than jobs have."""


def task_to_json(task: DownloadTask) -> dict[str, Any]:
    """The task as JSON fields, in the words that every version of the app has used."""
    fields = asdict(task) | {"key": task.subject, "state": task.status.value}
    plain: dict[str, Any] = json.loads(json.dumps(fields, default=str))
    return plain


def task_from_json(fields: Any) -> DownloadTask:
    """The task in the fields of `task_to_json` or a row of the file of jobs. Raises ValueError, TypeError, KeyError."""
    if fields["provider"] not in PROVIDERS:
        raise ValueError("an unknown provider")
    return DownloadTask(
        subject=str(fields.get("subject") or fields["key"]),
        provider=fields["provider"],
        state=_STATES.get(fields["state"]) or JobState(fields["state"]),
        phase=Phase(fields["phase"]),
        position=int(fields.get("position", 0)),
        seq=int(fields["seq"]),
        bytes_done=int(fields["bytes_done"]),
        bytes_total=int(fields["bytes_total"]),
        bytes_per_second=float(fields["bytes_per_second"]),
        eta_s=None if fields["eta_s"] is None else float(fields["eta_s"]),
        stalled=fields["stalled"] is True,
        source=str(fields["source"]),
        source_reason=str(fields["source_reason"]),
        file=str(fields["file"]),
        code=str(fields["code"]),
        params=_params(fields["params"]),
        notes=tuple(_note(note) for note in fields["notes"]),
        updated_at=float(fields["updated_at"]),
        created_at=float(fields.get("created_at") or fields["updated_at"]),
    )


def _note(fields: Any) -> Note:
    return Note(
        code=str(fields["code"]),
        params=_params(fields["params"]),
        source=str(fields["source"]),
        next_source=str(fields["next_source"]),
    )


def _params(fields: Any) -> Mapping[str, object]:
    if not isinstance(fields, dict):
        raise TypeError("params must be an object")
    return fields
