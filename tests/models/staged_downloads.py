"""The real queue of downloads on a feed that a test writes on: whatever watchers should be shown, at once."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from tts_core.models.catalogue import load_catalogue
from tts_core.models.download_task import DownloadTask, Phase, Provider
from tts_core.models.downloads.folder_lock import FolderLock
from tts_core.models.downloads.queue import Downloads, task_of
from tts_core.models.downloads.run import Run
from tts_core.models.status import ModelStatuses
from tts_core.platform.feed import Feed, Subscription
from tts_core.platform.job import Job, JobState
from tts_core.platform.jobs import Jobs
from tts_core.services import Services

TOTAL_BYTES = 1_000_000


class _Idle:
    """A job that begins and never gets on."""

    def is_ready(self, key: str, run: Run) -> bool:
        return False

    def fetch(self, key: str, provider: Provider, run: Run) -> None:
        while not run.wait(1):
            pass


class _WatchedJobs(Jobs):
    def __init__(self, file: Path) -> None:
        super().__init__(file)
        self.readers: set[Subscription[Job]] = set()

    def subscribe(self, after_seq: int = 0) -> Subscription[Job]:
        subscription = _Watched(self._feed, after_seq, self.readers)
        self.readers.add(subscription)
        return subscription


class _Watched(Subscription[Job]):
    def __init__(self, feed: Feed[Job], after_seq: int, readers: set[Subscription[Job]]) -> None:
        super().__init__(feed, after_seq)
        self._readers = readers

    def close(self) -> None:
        super().close()
        self._readers.discard(self)


@dataclass(frozen=True)
class StagedDownloads:
    services: Services
    """With the staged queue."""
    jobs: _WatchedJobs

    @property
    def readers(self) -> int:
        """Subscriptions that are open."""
        return len(self.jobs.readers)

    def change(self, key: str, **changes: Any) -> DownloadTask:
        now = task_of(self.jobs, key) or DownloadTask(subject=key, bytes_total=TOTAL_BYTES, created_at=time.time())
        changed = self.jobs.put(replace(now, **changes))
        assert isinstance(changed, DownloadTask)
        return changed

    def at(self, key: str, done: int) -> DownloadTask:
        """So many bytes are there."""
        return self.change(key, state=JobState.RUNNING, phase=Phase.TRANSFERRING, bytes_done=done, source="hf")

    def finish(self, key: str) -> DownloadTask:
        return self.change(key, state=JobState.DONE, phase=Phase.DONE, bytes_done=TOTAL_BYTES)


def stage_downloads(services: Services) -> StagedDownloads:
    paths, jobs = services.settings.paths, _WatchedJobs(services.settings.paths.jobs_file)
    catalogue = load_catalogue(services.settings.catalogue_file)
    models = ModelStatuses(catalogue, paths.models_dir, paths.hash_cache_file, lambda key: task_of(jobs, key))
    downloads = Downloads(models, jobs, _Idle(), FolderLock(paths.parts_dir), paths.downloads_file)
    return StagedDownloads(replace(services, models=models, jobs=jobs, downloads=downloads), jobs)
