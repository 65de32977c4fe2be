"""The real queue of downloads on a feed that a test writes on: whatever watchers should be shown, at once."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from tts_core.models.catalogue import load_catalogue
from tts_core.models.download_task import DownloadTask, Phase, Provider, TaskState
from tts_core.models.downloads.folder_lock import FolderLock
from tts_core.models.downloads.queue import Downloads
from tts_core.models.downloads.queue_file import QueueFile
from tts_core.models.downloads.run import Run
from tts_core.models.status import ModelStatuses
from tts_core.platform.feed import Feed, Subscription
from tts_core.services import Services

TOTAL_BYTES = 1_000_000


class _Idle:
    """A job that begins and never gets on."""

    def is_ready(self, key: str, run: Run) -> bool:
        return False

    def fetch(self, key: str, provider: Provider, run: Run) -> None:
        while not run.wait(1):
            pass


class _WatchedBoard(Feed[DownloadTask]):
    def __init__(self) -> None:
        super().__init__()
        self.open: set[Subscription[DownloadTask]] = set()

    def subscribe(self, after_seq: int = 0) -> Subscription[DownloadTask]:
        subscription = _Watched(self, after_seq)
        self.open.add(subscription)
        return subscription


class _Watched(Subscription[DownloadTask]):
    def __init__(self, feed: _WatchedBoard, after_seq: int) -> None:
        super().__init__(feed, after_seq)
        self._watched_board = feed

    def close(self) -> None:
        super().close()
        self._watched_board.open.discard(self)


@dataclass(frozen=True)
class StagedDownloads:
    services: Services
    """With the staged queue."""
    feed: _WatchedBoard

    @property
    def readers(self) -> int:
        """Subscriptions that are open."""
        return len(self.feed.open)

    def change(self, key: str, **changes: Any) -> DownloadTask:
        new = DownloadTask(
            key=key, provider="auto", state=TaskState.WAITING, phase=Phase.QUEUED, bytes_total=TOTAL_BYTES
        )
        return self.feed.put(replace(self.feed.item(key) or new, **changes))

    def at(self, key: str, done: int) -> DownloadTask:
        """So many bytes are there."""
        return self.change(key, state=TaskState.RUNNING, phase=Phase.TRANSFERRING, bytes_done=done, source="hf")

    def finish(self, key: str) -> DownloadTask:
        return self.change(key, state=TaskState.READY, phase=Phase.DONE, bytes_done=TOTAL_BYTES)


def stage_downloads(services: Services) -> StagedDownloads:
    paths, feed = services.settings.paths, _WatchedBoard()
    catalogue = load_catalogue(services.settings.catalogue_file)
    models = ModelStatuses(catalogue, paths.models_dir, paths.hash_cache_file, feed.item)
    downloads = Downloads(models, feed, _Idle(), FolderLock(paths.parts_dir), QueueFile(paths.downloads_file))
    return StagedDownloads(replace(services, models=models, downloads=downloads), feed)
