"""The queue of downloads: models are fetched one after another, and every view sees the same numbers."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

from tts_core.domain.errors import Cancelled
from tts_core.models.download_faults import DownloadFault, Interrupted
from tts_core.models.download_task import DownloadTask, Phase, Provider, job_key
from tts_core.models.downloads.folder_lock import FolderLock
from tts_core.models.downloads.run import Fetcher, Run
from tts_core.models.downloads.task_json import task_from_json
from tts_core.models.files.findings import Verification
from tts_core.models.status import ModelStatuses
from tts_core.platform.feed import Subscription
from tts_core.platform.job import Job, JobKind, JobRun, JobState
from tts_core.platform.jobs import Jobs
from tts_core.platform.jobs_file import ListFile

logger = logging.getLogger(__name__)

_LANE = "downloads"
_LOCK_POLL_S = 0.5
_FOLLOW_S = 1.0
_RANKS: Mapping[JobState, int] = MappingProxyType({JobState.RUNNING: 0, JobState.WAITING: 1, JobState.PAUSED: 2})


def task_of(jobs: Jobs, key: str) -> DownloadTask | None:
    """The model's newest download since start, finished ones included."""
    job = jobs.find(job_key(key))
    return job if isinstance(job, DownloadTask) else None


class Downloads:
    """The use cases of downloads. Thread-safe. Every method that takes a key raises UnknownModelKey."""

    def __init__(
        self, models: ModelStatuses, jobs: Jobs, fetcher: Fetcher, owner: FolderLock, former_queue_file: Path
    ) -> None:
        self._models = models
        self._jobs = jobs
        self._fetcher = fetcher
        self._owner = owner
        self._former_queue_file = former_queue_file
        jobs.add_work(JobKind.DOWNLOAD, self._work, lane=_LANE, parse=_unfinished)

    def restore(self, unfinished: Iterable[Job], *, resume: bool) -> None:
        """Take up the downloads of the last app, of an earlier version's too.

        Downloads that ran or waited are paused, or go on where `resume` says so.
        """
        tasks = [job for job in unfinished if isinstance(job, DownloadTask)]
        former = ListFile(self._former_queue_file, "tasks")
        tasks += [
            task for task in former.read(task_from_json) if not task.state.is_over and self._jobs.find(task.key) is None
        ]
        for task in sorted(tasks, key=_place):
            self._restore(task, resume=resume)
        former.remove()

    def start(self, key: str, provider: Provider = "auto") -> DownloadTask:
        """Queue the model, or join the task that is there. A ready model ends at once, without network.

        A paused or failed task goes on with what it has; a provider that was named replaces the earlier one. A paused
        one has its place in the queue again: before those that were queued after it.
        """
        task = self.task(key)
        if task is not None and task.state is JobState.WAITING and provider != "auto":
            task = _download(self._jobs.change(task.key, lambda job: _asked_of(job, provider)))
        if task is not None and task.state.is_active:
            return task
        status = self._models.status(key)
        paused = task if task is not None and task.state is JobState.PAUSED else None
        new = DownloadTask(
            subject=key,
            provider=task.provider if task is not None and not task.state.is_over and provider == "auto" else provider,
            bytes_done=self._held_bytes(key),
            bytes_total=status.bytes_total,
            notes=paused.notes if paused is not None else (),
            created_at=paused.created_at if paused is not None else time.time(),
        )
        if status.valid and status.verification is not Verification.UNCHECKED:
            return _download(self._jobs.put(new.done()))
        queued = _download(self._jobs.add(new))
        return queued if paused is None else self._in_former_place(queued)

    def pause(self, key: str) -> DownloadTask:
        """Pause the model's download, keeping every byte. A task that does not wait or run stays as it is."""
        task = self.task(key)
        return self._none(key) if task is None else _download(self._jobs.pause(task.key))

    def cancel(self, key: str) -> DownloadTask:
        """Stop the model's download, keeping every byte for the next start.

        The failure of a failed task is forgotten; a ready one stays as it is.
        """
        task = self.task(key)
        if task is None:
            return self._none(key)
        if task.state is JobState.ERROR:
            return _download(self._jobs.change(task.key, _without_failure))
        return _download(self._jobs.cancel(task.key))

    def resume(self, key: str) -> DownloadTask:
        """Go on with the download, or start it; one that waits or runs stays as it is."""
        return self.start(key)

    def move(self, key: str, position: int) -> DownloadTask:
        """Put a waiting task at `position` (1 is next); one that does not wait stays as it is."""
        task = self.task(key)
        return self._none(key) if task is None else _download(self._jobs.move(task.key, position))

    def task(self, key: str) -> DownloadTask | None:
        """The model's newest task since start, finished ones included."""
        self._models.entry(key)
        return task_of(self._jobs, key)

    def tasks(self) -> tuple[DownloadTask, ...]:
        """The tasks in the order of the queue, then paused ones, then finished ones."""
        tasks = [job for job in self._jobs.jobs() if isinstance(job, DownloadTask)]
        return tuple(sorted(tasks, key=_place))

    def follow(self, key: str) -> Iterator[DownloadTask]:
        """Yield the model's task until it is over (or paused), at least once a second: for progress bars.

        Ends at once if there is no task, and when the studio closes.
        """
        return self._follow(self.task(key))

    def _follow(self, task: DownloadTask | None) -> Iterator[DownloadTask]:
        if task is None:
            return
        with self._jobs.subscribe(task.seq) as changes:
            yield task
            while task.state.is_active:
                try:
                    _wait_for(task.key, changes)
                except Cancelled:
                    if (last := self.task(task.subject)) is not None and last != task:
                        yield last
                    return
                task = self.task(task.subject) or task
                yield task

    def _in_former_place(self, task: DownloadTask) -> DownloadTask:
        later = [other for other in self._waiting() if other.created_at > task.created_at]
        if task.state is not JobState.WAITING or not later:
            return task
        return _download(self._jobs.move(task.key, min(other.position for other in later)))

    def _waiting(self) -> list[DownloadTask]:
        return [task for task in self.tasks() if task.state is JobState.WAITING and not task.foreign]

    def _restore(self, task: DownloadTask, *, resume: bool) -> None:
        now = self._jobs.find(task.key)
        if now is not None and now.state is not JobState.PAUSED:
            return
        status = self._models.status(task.subject) if task.subject in set(self._models.keys()) else None
        if status is None or status.valid:
            self._jobs.remove(task.key)
            return
        held = replace(task, bytes_done=self._held_bytes(task.subject), bytes_total=status.bytes_total)
        paused = self._jobs.put(held.stopped(JobState.PAUSED))
        if resume and task.state.is_active:
            self._jobs.add(paused)

    def _held_bytes(self, key: str) -> int:
        return sum(self._models.held_bytes(key).values())

    def _none(self, key: str) -> DownloadTask:
        """The task that stands for a model without a download."""
        total = self._models.entry(key).total_bytes
        return DownloadTask(subject=key, state=JobState.CANCELLED, phase=Phase.DONE, bytes_total=total)

    def _work(self, job: JobRun) -> Mapping[str, Any]:
        with Run(job, on_tick=self._owner.report) as run:
            run.change(lambda task: replace(task, phase=Phase.VERIFYING))
            try:
                if not self._fetcher.is_ready(run.key, run):
                    self._fetch(run)
            except DownloadFault as fault:
                logger.warning("download of %s: %s %s", run.key, fault.code, fault.message)
                raise
        return {}

    def _fetch(self, run: Run) -> None:
        while not self._owner.take():
            other = self._owner.owner()
            run.wait_for_other(other.task if other is not None and other.task.subject == run.key else None)
            self._jobs.renumber(JobKind.DOWNLOAD)
            if run.wait(_LOCK_POLL_S):
                raise Interrupted
        try:
            task = self.task(run.key)
            self._fetcher.fetch(run.key, task.provider if task else "auto", run)
        finally:
            self._owner.release()


def _download(job: Job) -> DownloadTask:
    """The job as the DownloadTask it is; raises TypeError for another job."""
    if not isinstance(job, DownloadTask):
        raise TypeError(job.kind)
    return job


def _unfinished(fields: Mapping[str, Any]) -> DownloadTask | None:
    """The download in a row of the file of jobs; None for one that has ended."""
    task = task_from_json(fields)
    return None if task.state.is_over else task


def _asked_of(job: Job, provider: Provider) -> Job:
    return replace(_download(job), provider=provider) if job.state is JobState.WAITING else job


def _without_failure(job: Job) -> Job:
    return job.stopped(JobState.CANCELLED) if job.state is JobState.ERROR else job


def _place(task: DownloadTask) -> tuple[int, int, int]:
    rank = 0 if task.foreign else _RANKS.get(task.state, len(_RANKS))
    return rank, task.position, task.seq


def _wait_for(key: str, changes: Subscription[Job]) -> None:
    """Wait for a change of this job, a second at most."""
    while (job := changes.next(_FOLLOW_S)) is not None and job.key != key:
        pass
