"""What is known of one model's download at one moment; the only thing any view shows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Literal

from tts_core.platform.feed import FeedItem

SourceId = Literal["hf", "mirror", "modelscope", "local"]
"""Hugging Face, its mirror, ModelScope; "local" is a copy that was on this disk already."""
Provider = Literal["auto", "hf", "mirror", "modelscope"]
"""What a caller may ask for."""
HUBS: tuple[SourceId, ...] = ("hf", "mirror", "modelscope")


class TaskState(str, Enum):
    WAITING = "waiting"
    """In the queue, or another process is at work in this folder."""
    RUNNING = "downloading"
    PAUSED = "paused"
    READY = "ready"
    ERROR = "error"
    CANCELLED = "cancelled"

    @property
    def is_over(self) -> bool:
        return self in (TaskState.READY, TaskState.ERROR, TaskState.CANCELLED)


class Phase(str, Enum):
    """What a running task is doing."""

    QUEUED = "queued"
    RESOLVING = "resolving"
    """Asking the sources for the list of files."""
    ADOPTING = "adopting"
    """Linking or copying what this machine has already."""
    TRANSFERRING = "transferring"
    VERIFYING = "verifying"
    DONE = "done"


@dataclass(frozen=True, slots=True)
class Note:
    """One thing people should know, as data: a source's fault and what followed.

    `code` is a fault's code; `params` fills that fault's template.
    """

    code: str
    params: Mapping[str, object] = field(default_factory=dict)
    source: str = ""
    """Who failed, a SourceId."""
    next_source: str = ""
    """Who took over, a SourceId; "" where nobody did (yet)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DownloadTask(FeedItem):
    """`key` is the model's."""

    provider: Provider
    """What was asked for."""
    state: TaskState
    phase: Phase
    bytes_done: int = 0
    """Never falls within a task, but for a note that says why."""
    bytes_total: int = 0
    bytes_per_second: float = 0.0
    """Over the last seconds; 0 while stalled."""
    eta_s: float | None = None
    """None while unknown or stalled."""
    stalled: bool = False
    """Transferring, and nothing came for five seconds."""
    source: str = ""
    """The SourceId at work, or the one that finished."""
    source_reason: str = ""
    """Why that source was chosen, a Candidate's stable code; "" where there was no choice."""
    file: str = ""
    """At work on, a path inside the model's folder."""
    position: int = 0
    """1 is next; 0 is not waiting."""
    code: str = ""
    """Of the fault that paused or ended it."""
    params: Mapping[str, object] = field(default_factory=dict)
    notes: tuple[Note, ...] = ()
    """Oldest first: what failed and who took over."""
    foreign: bool = False
    """Another process on the same folder does the work."""

    @property
    def progress(self) -> float:
        """0 to 100; 100 only when ready."""
        if self.state is TaskState.READY:
            return 100.0
        return min(99.9, 100.0 * self.bytes_done / self.bytes_total) if self.bytes_total else 0.0
