"""Tasks as JSON, for the queue's file and for what one process tells the others."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from tts_core.models.download_task import DownloadTask, Note, Phase, TaskState

PROVIDERS = ("auto", "hf", "mirror", "modelscope")


def task_to_json(task: DownloadTask) -> dict[str, Any]:
    fields = asdict(task) | {"state": task.state.value, "phase": task.phase.value}
    plain: dict[str, Any] = json.loads(json.dumps(fields, default=str))
    return plain


def task_from_json(fields: Any) -> DownloadTask:
    """Raises ValueError, TypeError or KeyError."""
    if fields["provider"] not in PROVIDERS:
        raise ValueError("an unknown provider")
    return DownloadTask(
        key=str(fields["key"]),
        provider=fields["provider"],
        state=TaskState(fields["state"]),
        phase=Phase(fields["phase"]),
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
