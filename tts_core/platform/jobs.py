"""Work that outlives a page: queues of jobs with their phases, progress, results; pause, cancel, retry, kept over
restarts.

    jobs = Jobs(file)
    jobs.add_work(JobKind.CLONE_PREPARE, prepare)
    job = jobs.submit(JobKind.CLONE_PREPARE, subject=voice_id)

A job is data: what to do is found by its kind, so a job can be tried again after a restart. The jobs of one lane are
done one after another, those of different lanes side by side. Work that runs elsewhere and only wants to be seen
(speech while it is made) is tracked with `watch`.
"""

from __future__ import annotations

import logging
import secrets
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from threading import Condition, Event, Thread
from typing import Any

from tts_core.domain.errors import Cancelled, StudioError, memory_errors_typed
from tts_core.platform.faults import JobNotRetryable, UnknownJob
from tts_core.platform.feed import Feed, Subscription
from tts_core.platform.job import Job, JobKind, JobRun, JobState, job_from_json
from tts_core.platform.jobs_file import ListFile

logger = logging.getLogger(__name__)

_MAX_KEPT = 100
"""The jobs kept of each kind; counted by kind so that much speech does not push out jobs that can be tried again."""
_CLOSE_TIMEOUT_S = 10.0
_LANE = "jobs"


Work = Callable[[JobRun], Mapping[str, Any]]
"""A function that does a job and returns its result; raises a StudioError where it can't."""
Parse = Callable[[Mapping[str, Any]], Job | None]
"""A function that makes a job from its fields in the file; None for a job that is no longer needed."""


@dataclass
class _Lane:
    queue: list[str] = field(default_factory=list)
    """The keys of waiting jobs, the next one first."""
    at_work: str = ""
    """The key of the job that is being done."""
    worker: Thread | None = None


@dataclass(frozen=True)
class _Registration:
    """The work, lane and parser for jobs of one kind."""

    work: Work
    lane: str
    parse: Parse


class Jobs:
    """The queues of jobs. Thread-safe. Methods that take a job's key raise UnknownJob."""

    def __init__(self, file: Path) -> None:
        self._kept = ListFile(file, "jobs")
        self._feed: Feed[Job] = Feed()
        self._changed = Condition()
        self._registered: dict[JobKind, _Registration] = {}
        self._lanes: dict[str, _Lane] = {}
        self._runs: dict[str, JobRun] = {}
        """The runs in progress by job key, watched work included."""
        self._when_over: dict[str, Callable[[], None]] = {}
        self._is_closing = False
        self._is_kept = False

    def add_work(self, kind: JobKind, work: Work, *, lane: str = _LANE, parse: Parse = job_from_json) -> None:
        """Register the work and parser of jobs of that kind; before `restore`."""
        self._registered[kind] = _Registration(work, lane, parse)
        self._lanes.setdefault(lane, _Lane())

    def restore(self) -> tuple[Job, ...]:
        """Show the jobs of the last app and keep them from now on.

        Those that had not ended are shown as INTERRUPTED (or PAUSED) and returned as they stood then.
        """
        unfinished = []
        for job in self._kept.read(self._parsed):
            if job is None or self.find(job.key) is not None:
                continue
            if job.state.is_over:
                self._feed.put(job)
            else:
                unfinished.append(job)
                self._feed.put(job.stopped(JobState.PAUSED if job.can_pause else JobState.INTERRUPTED))
        self._is_kept = True
        self._keep()
        return tuple(unfinished)

    def submit(self, kind: JobKind, subject: str, inputs: Mapping[str, str] | None = None) -> Job:
        """Queue a job; one of the same kind, subject and inputs that has not ended is returned instead."""
        wanted = (kind, subject, dict(inputs or {}))
        with self._changed:
            for job in self._feed.items():
                if (job.kind, job.subject, job.inputs) == wanted and not job.state.is_over:
                    return job
            return self.add(_new_job(kind, subject, inputs=wanted[2]))

    def add(self, job: Job) -> Job:
        """Queue the job, for the first time or again; one of the same key that waits or runs is returned instead."""
        with self._changed:
            now = self.find(job.key)
            if now is not None and now.state.is_active:
                return now
            if self._is_closing:
                raise Cancelled
            lane_name = self._registered[job.kind].lane
            lane = self._lanes[lane_name]
            lane.queue.append(job.key)
            self._feed.put(job.queued())
            self._number(lane)
            self._forget_oldest()
            if lane.worker is None:
                lane.worker = Thread(target=self._work_in, args=(lane,), name=lane_name, daemon=True)
                lane.worker.start()
            self._changed.notify_all()
            self._keep()
            return self.job(job.key)

    def retry(self, key: str) -> Job:
        """Do a job again that ended without a result, or was paused. Raises JobNotRetryable."""
        with self._changed:
            job = self.job(key)
            if job.state.is_active:
                return job
            if job.state is JobState.DONE or job.kind not in self._registered or job.is_watched:
                raise JobNotRetryable(job=key)
            return self.add(job)

    def pause(self, key: str) -> Job:
        """Stop a job that can go on later; one that neither waits nor runs stays as it is."""
        with self._changed:
            job = self.job(key)
            return self._stop(job, JobState.PAUSED) if job.can_pause and job.state.is_active else job

    def cancel(self, key: str) -> Job:
        """Stop a job for good; one that has ended stays as it is."""
        with self._changed:
            job = self.job(key)
            return job if job.state.is_over else self._stop(job, JobState.CANCELLED)

    def move(self, key: str, position: int) -> Job:
        """Put a waiting job at `position` (1 is next); one that does not wait stays as it is."""
        with self._changed:
            lane = self._lane_of(self.job(key))
            if key in lane.queue:
                lane.queue.remove(key)
                lane.queue.insert(max(0, position - self._first_position(lane)), key)
                self._number(lane)
                self._keep()
            return self.job(key)

    def put(self, job: Job) -> Job:
        """Show a job as it is, without doing it."""
        with self._changed:
            job = self._feed.put(job)
            self._keep()
            return job

    def change(self, key: str, change: Callable[[Job], Job]) -> Job:
        """Show the job that `change` returns for the present one."""
        with self._changed:
            job = self._feed.change(key, change)
            self._keep()
            return job

    def renumber(self, kind: JobKind) -> None:
        """Show waiting jobs' positions again, as the job that is being done has begun to wait itself."""
        with self._changed:
            self._number(self._lanes[self._registered[kind].lane])

    def remove(self, key: str) -> None:
        """Forget a job that is not being done."""
        with self._changed:
            self._feed.remove(key)
            self._keep()

    def find(self, key: str) -> Job | None:
        return self._feed.item(key)

    def job(self, key: str) -> Job:
        job = self.find(key)
        if job is None:
            raise UnknownJob(job=key)
        return job

    def when_over(self, key: str, call: Callable[[], None]) -> None:
        """Call `call`, which must be quick, once that job has ended in any way; at once if it has."""
        with self._changed:
            job = self._feed.item(key)
            if job is not None and not job.state.is_over:
                self._when_over[key] = call
                return
        call()

    def jobs(self) -> tuple[Job, ...]:
        """The jobs, newest first."""
        return tuple(sorted(self._feed.items(), key=lambda job: job.created_at, reverse=True))

    def files_in_use(self) -> set[Path]:
        """The files that jobs which are not over read."""
        return {Path(job.inputs["path"]) for job in self.jobs() if "path" in job.inputs and not job.state.is_over}

    def newest_of(self, subject: str) -> Job | None:
        return next((job for job in self.jobs() if job.subject == subject), None)

    def subscribe(self, after_seq: int = 0) -> Subscription[Job]:
        """Subscribe to changes; those above `after_seq` come first, so a reader who reconnects misses no end."""
        return self._feed.subscribe(after_seq)

    @contextmanager
    def watch(self, kind: JobKind, subject: str, stop: Event | None = None) -> Iterator[JobRun]:
        """Show work that the caller does itself as a running job; cancelling the job sets `stop`.

        The job is DONE where the block has given the run a result, or was not stopped.
        """
        job = _new_job(kind, subject, is_watched=True)
        run = JobRun(job, self._feed, stop)
        with self._changed:
            self._feed.put(replace(job, state=JobState.RUNNING))
            self._runs[job.key] = run
            self._forget_oldest()
            self._keep()
        try:
            yield run
        except GeneratorExit:
            self._end(run, lambda job: _end_of_watched(job, run, is_stopped=True))
            raise
        except BaseException as error:
            self._end(run, _failure(error))
            raise
        self._end(run, lambda job: _end_of_watched(job, run, is_stopped=run.cancelled()))

    def close(self) -> None:
        """Stop running jobs, INTERRUPTED (or PAUSED) for the next app. No job can be started afterwards."""
        with self._changed:
            self._keep()  # before the stop, so that the next app knows what was at work
            self._is_closing, self._is_kept = True, False
            for run in self._runs.values():
                run.stop()
                if run.can_pause:
                    self._feed.change(run.key, _paused)
            self._changed.notify_all()
            workers = [lane.worker for lane in self._lanes.values() if lane.worker is not None]
        self._feed.close()
        for worker in workers:
            worker.join(_CLOSE_TIMEOUT_S)

    def _parsed(self, fields: Mapping[str, Any]) -> Job | None:
        registered = self._registered.get(JobKind(fields["kind"]))
        return registered.parse(fields) if registered is not None else job_from_json(fields)

    def _lane_of(self, job: Job) -> _Lane:
        """The lane of the job's kind; an empty one where jobs of that kind are only watched."""
        registered = self._registered.get(job.kind)
        return self._lanes[registered.lane] if registered is not None else _Lane()

    def _stop(self, job: Job, state: JobState) -> Job:
        lane, run = self._lane_of(job), self._runs.get(job.key)
        if run is not None:
            run.stop()
        if job.key in lane.queue:
            lane.queue.remove(job.key)
        elif run is not None and not job.can_pause:
            return job  # it is shown as running until its work has ended
        job = self._feed.change(job.key, lambda job: job.stopped(state))
        self._number(lane)
        self._keep()
        if job.state.is_over:
            self._notify_over(job.key)
        return job

    def _first_position(self, lane: _Lane) -> int:
        """The position of the first waiting job: 2 while the job being done waits itself, e.g. for another process."""
        at_work = self.find(lane.at_work)
        waits = at_work is not None and at_work.state is JobState.WAITING and lane.at_work not in lane.queue
        return 2 if waits else 1

    def _number(self, lane: _Lane) -> None:
        """Show waiting jobs' positions."""
        for position, key in enumerate(lane.queue, start=self._first_position(lane)):
            self._feed.change(key, _placed_at(position))

    def _work_in(self, lane: _Lane) -> None:
        while (run := self._next(lane)) is not None:
            self._end(run, self._outcome(run))

    def _next(self, lane: _Lane) -> JobRun | None:
        with self._changed:
            lane.at_work = ""
            self._number(lane)
            while not lane.queue and not self._is_closing:
                self._changed.wait()
            if self._is_closing:
                return None
            key = lane.at_work = lane.queue.pop(0)
            job = self._feed.change(key, lambda job: replace(job, state=JobState.RUNNING, position=0))
            run = self._runs[key] = JobRun(job, self._feed)
            self._number(lane)
            self._keep()
            return run

    def _outcome(self, run: JobRun) -> Callable[[Job], Job]:
        try:
            with memory_errors_typed():
                result = self._registered[run.kind].work(run)
        except StudioError as error:
            return _failure(error)
        except Exception as error:
            logger.exception("job %s of kind %s broke", run.key, run.kind.value)
            return _failure(error)
        return lambda job: job.done(result)

    def _end(self, run: JobRun, outcome: Callable[[Job], Job]) -> None:
        with self._changed:
            del self._runs[run.key]
            if not (run.can_pause and run.cancelled()):  # else the stopper has shown its state
                self._feed.change(run.key, outcome)
            self._keep()
            self._notify_over(run.key)

    def _notify_over(self, key: str) -> None:
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
            self._kept.write(map(asdict, self.jobs()))


def _new_job(kind: JobKind, subject: str, *, inputs: Mapping[str, str] | None = None, is_watched: bool = False) -> Job:
    key, now = secrets.token_hex(8), time.time()
    return Job(key=key, kind=kind, subject=subject, inputs=inputs or {}, created_at=now, is_watched=is_watched)


def _placed_at(position: int) -> Callable[[Job], Job]:
    return lambda job: replace(job, position=position)


def _paused(job: Job) -> Job:
    return job.stopped(JobState.PAUSED) if job.state.is_active else job


def _failure(error: BaseException) -> Callable[[Job], Job]:
    return lambda job: job.failed(error)


def _end_of_watched(job: Job, run: JobRun, *, is_stopped: bool) -> Job:
    if is_stopped and run.result is None:
        return job.stopped(JobState.CANCELLED)
    return job.done(run.result or {})
