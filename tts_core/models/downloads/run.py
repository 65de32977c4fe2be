"""A run of a download: the fetcher's reports about it, and numbers for people a few times a second."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from threading import Event, Lock, Thread
from typing import Protocol

from tts_core.models.download_task import DownloadTask, Note, Phase, Provider
from tts_core.models.downloads.transfer.speed import SpeedWindow
from tts_core.platform.job import JobRun, JobState

TICK_S = 0.25


class Fetcher(Protocol):
    """Brings a model onto this disk. Raises DownloadFault or Cancelled; asks `run.cancelled` all the time."""

    def is_ready(self, key: str, run: Run) -> bool:
        """Whether the model is ready on the disk; reads files through where needed, without network and folder lock."""

    def fetch(self, key: str, provider: Provider, run: Run) -> None:
        """Make the model ready. The caller holds the models folder's lock."""


class Run:
    """The fetcher's side of a download's job."""

    def __init__(self, job: JobRun, *, on_tick: Callable[[DownloadTask], None]) -> None:
        self.key = job.subject
        self._job = job
        self._on_tick = on_tick
        self._ended = Event()
        self._lock = Lock()
        self._phase: Phase | None = None
        self._done = 0
        self._counted = 0
        self._speed = SpeedWindow(time.monotonic())
        self._ticker = Thread(target=self._tick, name="download-numbers", daemon=True)

    def __enter__(self) -> Run:
        self._ticker.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._ticker.join()

    def cancelled(self) -> bool:
        """Whether the download is to stop."""
        return self._job.cancelled()

    def wait(self, seconds: float) -> bool:
        """Sleep for so many seconds; returns True at once when the download has to stop."""
        return self._job.sleep(seconds)

    def change(self, change: Callable[[DownloadTask], DownloadTask]) -> None:
        self._job.change(lambda job: change(job) if isinstance(job, DownloadTask) else job)

    def begin(self, phase: Phase, *, done: int, total: int, file: str = "", source: str = "", reason: str = "") -> None:
        """Begin a phase: bytes now come for `file` from `source`, chosen for `reason`; `done` of `total` are there."""
        with self._lock:
            self._done = max(self._done, done)
            self._counted = done
            if phase is not Phase.TRANSFERRING or self._phase is not phase:
                self._speed = SpeedWindow(time.monotonic())
            self._phase = phase
        self.change(
            lambda task: replace(
                task,
                state=JobState.RUNNING,
                phase=phase,
                file=file,
                source=source or task.source,
                source_reason=reason if source else task.source_reason,
                bytes_done=self._done,
                bytes_total=total,
                foreign=False,
                position=0,
            )
        )

    def wait_for_other(self, other: DownloadTask | None) -> None:
        """Show that another process works in this folder; `other` is its task if that is for this very model."""
        if other is not None:
            with self._lock:
                self._done = max(self._done, other.bytes_done)

        def waiting(task: DownloadTask) -> DownloadTask:
            task = replace(task, state=JobState.WAITING, phase=Phase.QUEUED, foreign=True, position=1)
            if other is None:
                return replace(task, bytes_per_second=0.0, eta_s=None, stalled=False, file="")
            return replace(
                task,
                phase=other.phase,
                bytes_done=self._done,
                bytes_total=other.bytes_total,
                bytes_per_second=other.bytes_per_second,
                eta_s=other.eta_s,
                stalled=other.stalled,
                source=other.source,
                file=other.file,
            )

        self.change(waiting)

    def bytes(self, done: int) -> None:
        """Count the bytes of the whole model that are there. Cheap: people see the number at the next tick."""
        with self._lock:
            self._speed.add(done - self._counted, time.monotonic())
            self._counted = done
            self._done = max(self._done, done)

    def note(self, note: Note, *, lost_to: int | None = None) -> None:
        """Add a note for people; `lost_to` is the number of bytes left of the model when fetched ones were wrong."""
        with self._lock:
            if lost_to is not None:
                self._done = self._counted = lost_to
        self.change(
            lambda task: replace(
                task, notes=(*task.notes, note), bytes_done=task.bytes_done if lost_to is None else lost_to
            )
        )

    def _tick(self) -> None:
        while not self._ended.wait(TICK_S):
            self.change(self._with_numbers)
            task = self._job.job()
            if isinstance(task, DownloadTask) and not self._job.cancelled():
                self._on_tick(task)

    def _with_numbers(self, task: DownloadTask) -> DownloadTask:
        if task.state is not JobState.RUNNING:
            return task
        now = time.monotonic()
        is_transferring = task.phase is Phase.TRANSFERRING
        speed = self._speed.bytes_per_second(now) if is_transferring else 0.0
        left = task.bytes_total - self._done
        return replace(
            task,
            bytes_done=self._done,
            bytes_per_second=speed,
            eta_s=max(0, left) / speed if speed > 0 else None,
            stalled=is_transferring and self._speed.is_stalled(now),
        )
