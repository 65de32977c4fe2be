"""What is known of every download now, and who wants to hear of changes."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import replace
from threading import Condition

from tts_core.downloads.task import DownloadTask
from tts_core.errors import Cancelled


class TaskBoard:
    """The newest task of each model. Thread-safe."""

    def __init__(self) -> None:
        self._changed = Condition()
        self._tasks: dict[str, DownloadTask] = {}
        # Milliseconds to begin with, so that numbers grow over a restart too and nobody who reconnects misses anything.
        self._seq = int(time.time() * 1000)
        self._is_closed = False

    def task(self, key: str) -> DownloadTask | None:
        with self._changed:
            return self._tasks.get(key)

    def tasks(self) -> tuple[DownloadTask, ...]:
        """Oldest change first."""
        with self._changed:
            return tuple(sorted(self._tasks.values(), key=lambda task: task.seq))

    def put(self, task: DownloadTask) -> DownloadTask:
        """In place of the model's earlier task; returns it as it stands here, with number and time."""
        with self._changed:
            self._seq += 1
            task = replace(task, seq=self._seq, updated_at=time.time())
            self._tasks[task.key] = task
            self._changed.notify_all()
            return task

    def change(self, key: str, change: Callable[[DownloadTask], DownloadTask]) -> DownloadTask:
        """Put what `change` makes of the task; nothing is put, and nobody hears of it, if that is the same."""
        with self._changed:
            before = self._tasks[key]
            task = change(before)
            return before if task == before else self.put(task)

    def subscribe(self, after_seq: int = 0) -> Subscription:
        """Changes with a greater number come first."""
        return Subscription(self, after_seq)

    def next_after(self, seq: int, timeout_s: float, is_closed: Callable[[], bool]) -> DownloadTask | None:
        """The oldest newest task with a number above `seq`, None after `timeout_s`. Raises Cancelled once closed."""
        deadline = time.monotonic() + timeout_s
        with self._changed:
            while True:
                if self._is_closed or is_closed():
                    raise Cancelled
                newer = [task for task in self._tasks.values() if task.seq > seq]
                if newer:
                    return min(newer, key=lambda task: task.seq)
                left = deadline - time.monotonic()
                if left <= 0:
                    return None
                self._changed.wait(left)

    def wake(self) -> None:
        with self._changed:
            self._changed.notify_all()

    def close(self) -> None:
        """End all subscriptions; tasks stay readable."""
        with self._changed:
            self._is_closed = True
            self._changed.notify_all()


class Subscription(AbstractContextManager["Subscription"]):
    """A reader of changes. Slow readers lose nothing but intermediate numbers: per model only the newest is kept."""

    def __init__(self, board: TaskBoard, after_seq: int) -> None:
        self._board = board
        self._seq = after_seq
        self._is_closed = False

    def next(self, timeout_s: float) -> DownloadTask | None:
        """The next change of any task, None if nothing changed for that long. Raises Cancelled once closed."""
        task = self._board.next_after(self._seq, timeout_s, lambda: self._is_closed)
        if task is not None:
            self._seq = task.seq
        return task

    def close(self) -> None:
        """From any thread; a reader that waits in `next` is let go."""
        self._is_closed = True
        self._board.wake()

    def __exit__(self, *_: object) -> None:
        self.close()
