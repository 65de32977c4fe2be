"""Use case: models are downloaded one after another, and everybody sees the same numbers."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager
from typing import Protocol

from tts_core.downloads.task import DownloadTask, Provider


class Subscription(Protocol):
    """A reader of changes. Slow readers lose nothing but intermediate numbers: per model only the newest is kept."""

    def next(self, timeout_s: float) -> DownloadTask | None:
        """The next change of any task, None if nothing changed for that long. Raises Cancelled once closed."""


class Downloads(Protocol):
    """Thread-safe. Every method that takes a key raises UnknownModelKey."""

    def start(self, key: str, provider: Provider = "auto") -> DownloadTask:
        """Queue the model, or join the task that is there. A ready model ends at once, without network.

        A paused or failed task goes on with what it has; a provider that was named replaces the earlier one.
        """
        ...

    def pause(self, key: str) -> DownloadTask: ...
    def resume(self, key: str) -> DownloadTask: ...
    def cancel(self, key: str) -> DownloadTask:
        """Every byte is kept for the next start."""
        ...

    def move(self, key: str, position: int) -> DownloadTask:
        """Put a waiting task at `position` (1 is next)."""
        ...

    def task(self, key: str) -> DownloadTask | None:
        """The newest task of the model since start, finished ones included."""
        ...

    def tasks(self) -> tuple[DownloadTask, ...]:
        """In the order of the queue, then finished ones."""
        ...

    def subscribe(self, after_seq: int = 0) -> AbstractContextManager[Subscription]:
        """Changes with a greater number come first, so that nobody who reconnects misses an end."""
        ...

    def follow(self, key: str) -> Iterator[DownloadTask]:
        """This model's task until it is over (or paused), at least once a second: for progress bars."""
        ...
