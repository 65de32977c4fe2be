"""Every job there is, downloads among them, as one list: to look at, cancel and try again."""

from __future__ import annotations

from types import MappingProxyType

from tts_core.domain.errors import JobNotRetryable, UnknownJob
from tts_core.models.download_report import summary
from tts_core.models.download_task import DownloadTask, TaskState
from tts_core.models.downloads.queue import Downloads
from tts_core.platform.jobs import Job, JobKind, Jobs, JobState

_PREFIX = "download-"
_STATES = MappingProxyType(
    {
        TaskState.WAITING: JobState.WAITING,
        TaskState.RUNNING: JobState.RUNNING,
        TaskState.PAUSED: JobState.WAITING,
        TaskState.READY: JobState.DONE,
        TaskState.ERROR: JobState.ERROR,
        TaskState.CANCELLED: JobState.CANCELLED,
    }
)


class AllJobs:
    """Methods that take a key raise UnknownJob."""

    def __init__(self, jobs: Jobs, downloads: Downloads) -> None:
        self._jobs = jobs
        self._downloads = downloads

    def jobs(self) -> tuple[Job, ...]:
        """Newest first."""
        found = [*self._jobs.jobs(), *map(as_job, self._downloads.tasks())]
        return tuple(sorted(found, key=lambda job: job.created_at, reverse=True))

    def job(self, key: str) -> Job:
        task = self._task(key)
        return self._jobs.job(key) if task is None else as_job(task)

    def cancel(self, key: str) -> Job:
        """What has ended stays as it is."""
        task = self._task(key)
        if task is None:
            return self._jobs.cancel(key)
        return as_job(task if task.state.is_over else self._downloads.cancel(task.key))

    def retry(self, key: str) -> Job:
        """Do it again; what is on its way is joined. Raises JobNotRetryable for what has a result."""
        task = self._task(key)
        if task is None:
            return self._jobs.retry(key)
        if task.state is TaskState.READY:
            raise JobNotRetryable(job=key)
        return as_job(self._downloads.start(task.key, task.provider))

    def _task(self, key: str) -> DownloadTask | None:
        """The download that a key names; None for the key of another job."""
        if not key.startswith(_PREFIX):
            return None
        task = next((task for task in self._downloads.tasks() if task.key == key.removeprefix(_PREFIX)), None)
        if task is None:
            raise UnknownJob(job=key)
        return task


def as_job(task: DownloadTask) -> Job:
    """A download in the form of all jobs; one that is paused waits, in the phase "paused"."""
    return Job(
        key=f"{_PREFIX}{task.key}",
        seq=task.seq,
        updated_at=task.updated_at,
        kind=JobKind.DOWNLOAD,
        subject=task.key,
        state=_STATES[task.state],
        phase="paused" if task.state is TaskState.PAUSED else task.phase.value,
        progress=task.progress,
        position=task.position,
        eta_s=task.eta_s,
        code=task.code,
        params=task.params,
        message=summary(task),
        created_at=task.updated_at,
    )
