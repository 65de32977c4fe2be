"""The state of one model's download at one moment; the only thing any view shows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import Enum
from types import MappingProxyType
from typing import ClassVar, Literal

from tts_core.domain.errors import Cancelled, StudioError
from tts_core.models.download_faults import DownloadFault, Interrupted, Rule
from tts_core.platform.job import Job, JobKind, JobState

SourceId = Literal["hf", "mirror", "modelscope", "local"]
"""The id of a source: Hugging Face, its mirror, ModelScope; "local" is a copy that was on this disk already."""
Provider = Literal["auto", "hf", "mirror", "modelscope"]
"""The source a caller may ask for."""
HUBS: tuple[SourceId, ...] = ("hf", "mirror", "modelscope")


class TaskState(str, Enum):
    """The words of the wire contract for the state of a download."""

    WAITING = "waiting"
    RUNNING = "downloading"
    PAUSED = "paused"
    READY = "ready"
    ERROR = "error"
    CANCELLED = "cancelled"


class Phase(str, Enum):
    """The step that a running task is at."""

    QUEUED = "queued"
    RESOLVING = "resolving"
    """The sources are asked for the list of files."""
    ADOPTING = "adopting"
    """Files that this machine has already are linked or copied."""
    TRANSFERRING = "transferring"
    VERIFYING = "verifying"
    DONE = "done"


@dataclass(frozen=True, slots=True)
class Note:
    """A source's fault and what followed, as data for people to know.

    `code` is a fault's code; `params` fills that fault's template.
    """

    code: str
    params: Mapping[str, object] = field(default_factory=dict)
    source: str = ""
    """The SourceId of the source that failed."""
    next_source: str = ""
    """The SourceId of the source that took over; "" where none did (yet)."""


def job_key(model_key: str) -> str:
    """The id of the job that downloads this model: there is one at most."""
    return f"download-{model_key}"


@dataclass(frozen=True, slots=True, kw_only=True)
class DownloadTask(Job):
    """A job whose `subject` is the model's key and whose `progress` follows from the bytes.

    The job is WAITING, too, while another process is at work in the folder.
    """

    can_pause: ClassVar[bool] = True

    key: str = ""
    """The id, which follows from the subject: a model has one download at most."""
    kind: JobKind = JobKind.DOWNLOAD
    phase: Phase = Phase.QUEUED
    provider: Provider = "auto"
    """The source that the caller asked for."""
    bytes_done: int = 0
    """The bytes that are there; never falls within a task, but for a note that says why."""
    bytes_total: int = 0
    bytes_per_second: float = 0.0
    """The speed over the last seconds; 0 while stalled."""
    stalled: bool = False
    """Whether the task is transferring and no byte came for five seconds."""
    source: str = ""
    """The SourceId at work, or the one that finished."""
    source_reason: str = ""
    """The reason for choosing that source, a Candidate's stable code; "" where there was no choice."""
    file: str = ""
    """The file at work on, a path inside the model's folder."""
    notes: tuple[Note, ...] = ()
    """The faults so far and the sources that took over, oldest first."""
    foreign: bool = False
    """Whether another process on the same folder does the work."""

    def __post_init__(self) -> None:
        share = min(99.9, 100.0 * self.bytes_done / self.bytes_total) if self.bytes_total else 0.0
        object.__setattr__(self, "key", job_key(self.subject))
        object.__setattr__(self, "progress", 100.0 if self.state is JobState.DONE else share)

    @property
    def status(self) -> TaskState:
        return _STATUSES[self.state]

    def queued(self) -> DownloadTask:
        notes = () if self.state.is_over else self.notes
        return replace(self, state=JobState.WAITING, phase=Phase.QUEUED, code="", params={}, notes=notes)

    def stopped(self, state: JobState) -> DownloadTask:
        still = replace(self, state=state, position=0, foreign=False, bytes_per_second=0.0, eta_s=None, stalled=False)
        if self.state is state is JobState.PAUSED:
            return still  # it keeps the code of the fault that paused it
        return replace(still, code="", params={}, file="")

    def failed(self, error: BaseException) -> DownloadTask:
        if isinstance(error, Interrupted | Cancelled):
            return self.stopped(JobState.PAUSED)
        if not isinstance(error, StudioError):
            error = DownloadFault(reason=type(error).__name__)
        is_paused = isinstance(error, DownloadFault) and error.rule is Rule.PAUSE
        ended = self.stopped(JobState.PAUSED if is_paused else JobState.ERROR)
        return replace(ended, code=error.code, params=error.params)

    def done(self, _result: Mapping[str, object] = MappingProxyType({})) -> DownloadTask:
        ended, source = self.stopped(JobState.DONE), self.source or "local"
        return replace(ended, phase=Phase.DONE, source=source, bytes_done=self.bytes_total)


_STATUSES: Mapping[JobState, TaskState] = MappingProxyType(
    {
        JobState.WAITING: TaskState.WAITING,
        JobState.RUNNING: TaskState.RUNNING,
        JobState.PAUSED: TaskState.PAUSED,
        JobState.INTERRUPTED: TaskState.PAUSED,
        JobState.DONE: TaskState.READY,
        JobState.ERROR: TaskState.ERROR,
        JobState.CANCELLED: TaskState.CANCELLED,
    }
)
