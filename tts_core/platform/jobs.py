"""Work that outlives a page: one queue of jobs with their phases, progress, results; cancel, retry, kept over restarts.

    jobs = Jobs(file)
    jobs.add_work(JobKind.CLONE_PREPARE, prepare)
    job = jobs.submit(JobKind.CLONE_PREPARE, subject=voice_id)

A job is data: what to do is found by its kind, so a job can be tried again after a restart. Work that runs elsewhere
and only wants to be seen (speech while it is made) is tracked with `watch`.
"""

from __future__ import annotations

import json
import logging
import secrets
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from enum import Enum
from pathlib import Path
from threading import Condition, Event, Thread
from typing import Any

from tts_core.domain.errors import Cancelled, JobNotRetryable, StudioError, UnknownJob, memory_errors_typed
from tts_core.platform.feed import Feed, FeedItem, Subscription
from tts_core.platform.whole_files import write_json

logger = logging.getLogger(__name__)

_MAX_KEPT = 100
"""Of each kind, so that much speech does not push out what can be tried again."""
_MAX_FILE_BYTES = 50_000_000
_ETA_FROM = 5.0
"""Percent of the whole that a phase must have done before its pace says how long the rest takes."""
_CLOSE_TIMEOUT_S = 10.0


class JobKind(str, Enum):
    CLONE_PREPARE = "clone_prepare"
    DESIGN_CLONE = "design_clone"
    TRANSCRIPTION = "transcription"
    SYNTHESIS = "synthesis"
    DOWNLOAD = "download"


class JobState(str, Enum):
    WAITING = "waiting"
    RUNNING = "running"
    DONE = "done"
    ERROR = "error"
    CANCELLED = "cancelled"
    INTERRUPTED = "interrupted"
    """The app ended in the middle of it."""

    @property
    def is_over(self) -> bool:
        return self not in (JobState.WAITING, JobState.RUNNING)


@dataclass(frozen=True, slots=True, kw_only=True)
class Job(FeedItem):
    """`key` is its id."""

    kind: JobKind
    subject: str
    """What it is about: a voice's id, a model's key."""
    inputs: Mapping[str, str] = field(default_factory=dict)
    """What the work needs to know besides, paths on this machine among it: not for showing."""
    state: JobState = JobState.WAITING
    phase: str = ""
    """Of the kind's own phases."""
    progress: float = 0.0
    """0 to 100; never falls while it runs."""
    position: int = 0
    """1 is next; 0 is not waiting."""
    eta_s: float | None = None
    result: Mapping[str, Any] = field(default_factory=dict)
    code: str = ""
    """Of the error that ended it."""
    params: Mapping[str, object] = field(default_factory=dict)
    message: str = ""
    """English."""
    created_at: float = 0.0
    """Seconds since 1970."""
    is_watched: bool = False
    """Its work was its caller's: nobody else can do it again."""


class JobRun:
    """What the work of a job is handed: who it is for, and how to say where it stands."""

    def __init__(self, job: Job, feed: Feed[Job], stop: Event) -> None:
        self.subject = job.subject
        self.inputs = job.inputs
        self.result: Mapping[str, Any] | None = None
        """What came of watched work; None where nothing did."""
        self._key = job.key
        self._feed = feed
        self._stop = stop
        self._phase = ""
        self._phase_began = (0.0, 0.0)
        """When, on the monotonic clock, and at which progress."""

    def cancelled(self) -> bool:
        return self._stop.is_set()

    def check(self) -> None:
        """Raises Cancelled once somebody wants the job to stop."""
        if self._stop.is_set():
            raise Cancelled

    def say(self, phase: str, progress: float) -> None:
        """`progress` is 0 to 100 of the whole job. Raises Cancelled."""
        self.check()
        eta_s = self._rest_s(phase, progress)

        def told(job: Job) -> Job:
            progressed = max(job.progress, min(progress, 99.0))
            return replace(job, state=JobState.RUNNING, position=0, phase=phase, progress=progressed, eta_s=eta_s)

        self._feed.change(self._key, told)

    def wait(self, phase: str, position: int) -> None:
        """FeedItem work stands in a queue of its own; 1 is next."""
        self._feed.change(self._key, lambda job: replace(job, state=JobState.WAITING, phase=phase, position=position))

    def _rest_s(self, phase: str, progress: float) -> float | None:
        """Seconds to the end at this phase's pace; None where that says nothing yet."""
        now = time.monotonic()
        if phase != self._phase:
            self._phase, self._phase_began = phase, (now, progress)
        began, done_before = self._phase_began
        done = progress - done_before
        return (now - began) / done * (100.0 - progress) if done >= _ETA_FROM else None


Work = Callable[[JobRun], Mapping[str, Any]]
"""Does a job and returns its result; raises a StudioError where it can't."""


class Jobs:
    """Thread-safe; one job runs at a time."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._work: dict[JobKind, Work] = {}
        self._feed: Feed[Job] = Feed()
        self._changed = Condition()
        self._queue: list[str] = []
        self._stops: dict[str, Event] = {}
        self._when_over: dict[str, Callable[[], None]] = {}
        self._is_closing = False
        self._is_kept = False
        self._worker: Thread | None = None

    def restore(self) -> tuple[Job, ...]:
        """Show the jobs of the last app and keep them from now on; those that were at work then, now INTERRUPTED."""
        interrupted = []
        for job in _read(self._file):
            if self._feed.item(job.key) is not None:
                continue
            if job.state.is_over:
                self._feed.put(job)
            else:
                interrupted.append(self._feed.put(replace(job, state=JobState.INTERRUPTED, position=0)))
        self._is_kept = True
        self._keep()
        return tuple(interrupted)

    def add_work(self, kind: JobKind, work: Work) -> None:
        """How jobs of that kind are done; before `restore`."""
        self._work[kind] = work

    def submit(self, kind: JobKind, subject: str, inputs: Mapping[str, str] | None = None) -> Job:
        """Queue it; the same job for the same subject with the same inputs that has not ended is joined."""
        wanted = (kind, subject, dict(inputs or {}))
        with self._changed:
            for job in self._feed.items():
                if (job.kind, job.subject, job.inputs) == wanted and not job.state.is_over:
                    return job
            job = Job(key=secrets.token_hex(8), kind=kind, subject=subject, inputs=wanted[2], created_at=time.time())
            return self._enqueue(job)

    def retry(self, key: str) -> Job:
        """Do a job again that ended without a result. Raises UnknownJob, JobNotRetryable."""
        with self._changed:
            job = self.job(key)
            if job.state in (JobState.WAITING, JobState.RUNNING):
                return job
            if job.state is JobState.DONE or job.kind not in self._work or job.is_watched:
                raise JobNotRetryable(job=key)
            return self._enqueue(replace(job, progress=0.0, phase="", code="", params={}, message="", result={}))

    def cancel(self, key: str) -> Job:
        """What has ended stays as it is. Raises UnknownJob."""
        with self._changed:
            job = self.job(key)
            if job.state.is_over:
                return job
            if key in self._stops:
                self._stops[key].set()
            if key in self._queue:
                self._queue.remove(key)
                job = self._feed.change(key, lambda job: replace(job, state=JobState.CANCELLED, position=0))
                self._number()
                self._tell_over(key)
            return job

    def job(self, key: str) -> Job:
        """Raises UnknownJob."""
        job = self._feed.item(key)
        if job is None:
            raise UnknownJob(job=key)
        return job

    def when_over(self, key: str, call: Callable[[], None]) -> None:
        """Call it once that job has ended, whatever its end; at once if it has. It must be quick."""
        with self._changed:
            job = self._feed.item(key)
            if job is not None and not job.state.is_over:
                self._when_over[key] = call
                return
        call()

    def jobs(self) -> tuple[Job, ...]:
        """Newest first."""
        return tuple(sorted(self._feed.items(), key=lambda job: job.created_at, reverse=True))

    def files_in_use(self) -> set[Path]:
        """Those that waiting and running jobs read."""
        return {Path(job.inputs["path"]) for job in self.jobs() if "path" in job.inputs and not job.state.is_over}

    def newest_of(self, subject: str) -> Job | None:
        return next((job for job in self.jobs() if job.subject == subject), None)

    def subscribe(self, after_seq: int = 0) -> Subscription[Job]:
        return self._feed.subscribe(after_seq)

    @contextmanager
    def watch(self, kind: JobKind, subject: str, stop: Event | None = None) -> Iterator[JobRun]:
        """Show work that the caller does itself as a running job; cancelling the job sets `stop`.

        It is DONE where the block has given the run a result, or was not stopped.
        """
        job = Job(key=secrets.token_hex(8), kind=kind, subject=subject, created_at=time.time(), is_watched=True)
        stop = stop or Event()
        with self._changed:
            self._feed.put(replace(job, state=JobState.RUNNING))
            self._stops[job.key] = stop
            self._forget_oldest()
            self._keep()
        run = JobRun(job, self._feed, stop)
        try:
            yield run
        except GeneratorExit:
            self._end(job.key, _end_of_watched(run, is_stopped=True))
            raise
        except BaseException as error:
            self._end(job.key, _failure(error))
            raise
        self._end(job.key, _end_of_watched(run, is_stopped=stop.is_set()))

    def close(self) -> None:
        """Stop what runs; it will be INTERRUPTED for the next app."""
        with self._changed:
            self._is_closing = True
            self._is_kept = False
            for stop in self._stops.values():
                stop.set()
            self._changed.notify_all()
            worker = self._worker
        self._feed.close()
        if worker is not None:
            worker.join(_CLOSE_TIMEOUT_S)

    def _enqueue(self, job: Job) -> Job:
        if self._is_closing:
            raise Cancelled
        self._queue.append(job.key)
        self._feed.put(replace(job, state=JobState.WAITING))
        self._number()
        self._forget_oldest()
        if self._worker is None:
            self._worker = Thread(target=self._run_all, name="jobs", daemon=True)
            self._worker.start()
        self._changed.notify_all()
        self._keep()
        return self.job(job.key)

    def _number(self) -> None:
        for position, key in enumerate(self._queue, start=1):
            self._feed.change(key, _placed_at(position))

    def _run_all(self) -> None:
        while (job := self._next()) is not None:
            self._end(job.key, self._outcome(job))

    def _next(self) -> Job | None:
        with self._changed:
            while not self._queue and not self._is_closing:
                self._changed.wait()
            if self._is_closing:
                return None
            key = self._queue.pop(0)
            self._stops[key] = Event()
            self._number()
            job = self._feed.change(key, lambda job: replace(job, state=JobState.RUNNING, position=0))
            self._keep()
            return job

    def _outcome(self, job: Job) -> dict[str, Any]:
        try:
            with memory_errors_typed():
                result = self._work[job.kind](JobRun(job, self._feed, self._stops[job.key]))
        except StudioError as error:
            return _failure(error)
        except Exception as error:
            logger.exception("job %s of kind %s broke", job.key, job.kind.value)
            return _failure(error)
        return {"state": JobState.DONE, "progress": 100.0, "result": dict(result)}

    def _end(self, key: str, changes: Mapping[str, Any]) -> None:
        with self._changed:
            self._stops.pop(key, None)
            self._feed.change(key, lambda job: replace(job, eta_s=None, position=0, **changes))
            self._keep()
            self._tell_over(key)

    def _tell_over(self, key: str) -> None:
        if (call := self._when_over.pop(key, None)) is not None:
            call()

    def _forget_oldest(self) -> None:
        kept = dict.fromkeys(JobKind, 0)
        for job in self.jobs():
            kept[job.kind] += 1
            if kept[job.kind] > _MAX_KEPT and job.state.is_over:
                self._feed.remove(job.key)

    def _keep(self) -> None:
        if self._is_kept:
            _write(self._file, list(self.jobs()))


def _placed_at(position: int) -> Callable[[Job], Job]:
    return lambda job: replace(job, position=position)


def _end_of_watched(run: JobRun, *, is_stopped: bool) -> dict[str, Any]:
    if is_stopped and run.result is None:
        return {"state": JobState.CANCELLED}
    return {"state": JobState.DONE, "progress": 100.0, "result": dict(run.result or {})}


def _failure(error: BaseException) -> dict[str, Any]:
    if isinstance(error, Cancelled):
        return {"state": JobState.CANCELLED}
    shown = error if isinstance(error, StudioError) else StudioError()
    return {"state": JobState.ERROR, "code": shown.code, "params": shown.params, "message": shown.message}


def _read(file: Path) -> tuple[Job, ...]:
    """() for what can't be used: it costs the list of old jobs, nothing else."""
    try:
        with file.open("rb") as stream:
            data = json.loads(stream.read(_MAX_FILE_BYTES))
        return tuple(
            Job(**{**fields, "kind": JobKind(fields["kind"]), "state": JobState(fields["state"])})
            for fields in data["jobs"]
        )
    except FileNotFoundError:
        return ()
    except (OSError, ValueError, TypeError, KeyError, RecursionError) as error:
        logger.warning("the list of jobs can't be used: %s", type(error).__name__)
        return ()


def _write(file: Path, jobs: list[Job]) -> None:
    try:
        write_json(file, {"version": 1, "jobs": [asdict(job) for job in jobs]}, durable=False)  # speech waits for it
    except OSError as error:
        logger.warning("the list of jobs can't be written: %s", error)
