"""A job as data, and the run that its work is handed."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from enum import Enum
from threading import Event, Lock
from typing import Any, ClassVar

from tts_core.domain.errors import Cancelled, StudioError
from tts_core.platform.feed import Feed, FeedItem

_ETA_FROM = 5.0
"""The percent of the whole that a phase must have done before its pace predicts how long the rest takes."""


class JobKind(str, Enum):
    CLONE_PREPARE = "clone_prepare"
    DESIGN_CLONE = "design_clone"
    TRANSCRIPTION = "transcription"
    CONVERSION = "conversion"
    SYNTHESIS = "synthesis"
    DOWNLOAD = "download"
    PROJECT_RENDER = "project_render"
    PROJECT_EXPORT = "project_export"


class JobState(str, Enum):
    WAITING = "waiting"
    RUNNING = "running"
    PAUSED = "paused"
    DONE = "done"
    ERROR = "error"
    CANCELLED = "cancelled"
    INTERRUPTED = "interrupted"
    """The app ended in the middle of the job."""

    @property
    def is_active(self) -> bool:
        return self in (JobState.WAITING, JobState.RUNNING)

    @property
    def is_over(self) -> bool:
        return not self.is_active and self is not JobState.PAUSED


@dataclass(frozen=True, slots=True)
class PassedPhase:
    """A phase that a job came to."""

    phase: str
    progress: float
    after_seq: int
    """The number of the job's state before it."""
    at: float
    """The time it began, seconds since 1970."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Job(FeedItem):
    """A job as data; `key` is its id."""

    can_pause: ClassVar[bool] = False
    """Whether the job's work keeps what it has done, so that it can be stopped at once and go on later."""

    kind: JobKind
    subject: str
    """The thing the job is about: a voice's id, a model's key."""
    inputs: Mapping[str, str] = field(default_factory=dict)
    """The other inputs of the work; not for showing, for paths on this machine are among them."""
    state: JobState = JobState.WAITING
    phase: str = ""
    """The present phase, a name of the kind's own."""
    passed: tuple[PassedPhase, ...] = ()
    """The phases since the job was queued, the present one last: a reader gets only the newest state, and quick phases
    are over by then."""
    progress: float = 0.0
    """The percent done, 0 to 100; never falls while the job runs."""
    position: int = 0
    """The place in the queue: 1 is next; 0 is not waiting."""
    eta_s: float | None = None
    result: Mapping[str, Any] = field(default_factory=dict)
    code: str = ""
    """The code of the error that ended the job."""
    params: Mapping[str, object] = field(default_factory=dict)
    message: str = ""
    """The error's message, in English."""
    created_at: float = 0.0
    """The time of submission, seconds since 1970."""
    is_watched: bool = False
    """Whether the work was the caller's own, so that it can't be done again from here."""

    def queued(self) -> Job:
        """The job waiting for its turn, for the first time or again."""
        state = JobState.WAITING
        return replace(self, state=state, progress=0.0, phase="", passed=(), code="", params={}, message="", result={})

    def stopped(self, state: JobState) -> Job:
        """The job in `state`, with no work going on."""
        return replace(self, state=state, position=0, eta_s=None)

    def failed(self, error: BaseException) -> Job:
        """The job ended by `error`."""
        if isinstance(error, Cancelled):
            return self.stopped(JobState.CANCELLED)
        shown = error if isinstance(error, StudioError) else StudioError()
        ended = self.stopped(JobState.ERROR)
        return replace(ended, code=shown.code, params=shown.params, message=shown.message)

    def at(self, passed: PassedPhase) -> Job:
        """The job as it was when it came to that phase."""
        then = replace(self, state=JobState.RUNNING, phase=passed.phase, progress=passed.progress, eta_s=None)
        return replace(then, code="", message="", result={}, seq=passed.after_seq + 1, updated_at=passed.at)

    def done(self, result: Mapping[str, Any]) -> Job:
        return replace(self.stopped(JobState.DONE), progress=100.0, result=dict(result))


def job_from_json(fields: Mapping[str, Any]) -> Job:
    """The job that the file's fields describe; nobody is told its past phases any more. Raises ValueError, TypeError or
    KeyError."""
    return Job(**{**fields, "passed": (), "kind": JobKind(fields["kind"]), "state": JobState(fields["state"])})


class JobRun:
    """A job as its work sees it: the job's facts, and methods that show its progress.

    Progress shown after the job was stopped is ignored.
    """

    def __init__(self, job: Job, feed: Feed[Job], stop: Event | None = None) -> None:
        self.key = job.key
        self.kind = job.kind
        self.can_pause = job.can_pause
        self.subject = job.subject
        self.inputs = job.inputs
        self.result: Mapping[str, Any] | None = None
        """The result of watched work; None where there is none."""
        self._feed = feed
        self._stop = stop or Event()
        self._lock = Lock()
        self._phase = ""
        self._phase_began = (0.0, 0.0)
        """The moment the phase began, on the monotonic clock, and the progress at it."""

    def stop(self) -> None:
        with self._lock:  # a change that is being shown now comes before the stopper's own
            self._stop.set()

    def cancelled(self) -> bool:
        return self._stop.is_set()

    def check(self) -> None:
        """Raise Cancelled once the job is to stop."""
        if self._stop.is_set():
            raise Cancelled

    def sleep(self, seconds: float) -> bool:
        """Wait for so many seconds; returns True at once when the job has to stop."""
        return self._stop.wait(seconds)

    def job(self) -> Job | None:
        """The job as it is shown now."""
        return self._feed.item(self.key)

    def change(self, change: Callable[[Job], Job]) -> None:
        """Show the job that `change` returns for the present one."""
        with self._lock:
            if not self._stop.is_set():
                self._feed.change(self.key, change)

    def say(self, phase: str, progress: float) -> None:
        """Show the phase and the progress, 0 to 100 of the whole job. Raises Cancelled."""
        self.check()
        eta_s = self._rest_s(phase, progress)

        def progressed(job: Job) -> Job:
            percent = max(job.progress, min(progress, 99.0))
            passed = job.passed
            if phase != job.phase:
                passed = (*passed, PassedPhase(phase, percent, after_seq=job.seq, at=time.time()))
            now = replace(job, state=JobState.RUNNING, position=0, phase=phase, passed=passed)
            return replace(now, progress=percent, eta_s=eta_s)

        self.change(progressed)

    def wait(self, phase: str, position: int) -> None:
        """Show that the work waits in a queue of its own, at `position`; 1 is next."""
        self.change(lambda job: replace(job, state=JobState.WAITING, phase=phase, position=position))

    def _rest_s(self, phase: str, progress: float) -> float | None:
        """The seconds to the end at this phase's pace; None while too little is done to predict them."""
        now = time.monotonic()
        if phase != self._phase:
            self._phase, self._phase_began = phase, (now, progress)
        began, done_before = self._phase_began
        done = progress - done_before
        return (now - began) / done * (100.0 - progress) if done >= _ETA_FROM else None
