"""Use case: models are downloaded one after another, and everybody sees the same numbers."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from threading import Condition, Thread

from tts_core.domain.errors import Cancelled
from tts_core.models.download_faults import DownloadFault, Interrupted, Rule
from tts_core.models.download_task import DownloadTask, Phase, Provider, TaskState
from tts_core.models.downloads.folder_lock import FolderLock
from tts_core.models.downloads.queue_file import QueueFile
from tts_core.models.downloads.run import Fetcher, Run
from tts_core.models.files.findings import Verification
from tts_core.models.status import ModelStatuses
from tts_core.platform.feed import Feed, Subscription

logger = logging.getLogger(__name__)

_CLOSE_TIMEOUT_S = 5.0
_LOCK_POLL_S = 0.5
_FOLLOW_S = 1.0
_ACTIVE = (TaskState.WAITING, TaskState.RUNNING)


class Downloads:
    """Thread-safe. Every method that takes a key raises UnknownModelKey."""

    def __init__(
        self, models: ModelStatuses, feed: Feed[DownloadTask], job: Fetcher, owner: FolderLock, queue_file: QueueFile
    ) -> None:
        self._models = models
        self._feed = feed
        self._job = job
        self._owner = owner
        self._file = queue_file
        self._changed = Condition()
        self._queue: list[str] = []
        """Waiting keys, the next one first."""
        self._run: Run | None = None
        self._is_kept = False
        self._is_closing = False
        self._worker: Thread | None = None

    def restore(self, *, resume: bool) -> None:
        """Take up the queue of the last app and keep it in its file from now on.

        What was being downloaded or waiting is paused, or goes on where `resume` says so.
        """
        known = set(self._models.keys())
        for stored in self._file.read():
            if stored.key not in known or stored.state.is_over:
                continue
            status = self._models.status(stored.key)
            held = sum(self._models.held_bytes(stored.key).values())
            with self._changed:
                if self._feed.item(stored.key) is not None or status.valid:
                    continue
                task = replace(stored, bytes_done=held, bytes_total=status.bytes_total)
                task = self._feed.put(self._as_stopped(task, TaskState.PAUSED))
                if resume and stored.state in _ACTIVE:
                    self._enqueue(task)
        with self._changed:
            self._is_kept = True
            self._keep()

    def start(self, key: str, provider: Provider = "auto") -> DownloadTask:
        """Queue the model, or join the task that is there. A ready model ends at once, without network.

        A paused or failed task goes on with what it has; a provider that was named replaces the earlier one.
        """
        self._models.entry(key)
        with self._changed:
            task = self._feed.item(key)
            if task is not None and task.state is TaskState.WAITING and provider != "auto":
                task = self._feed.change(key, lambda task: replace(task, provider=provider))
            if task is not None and task.state in _ACTIVE:
                return task
        status = self._models.status(key)
        held = sum(self._models.held_bytes(key).values())
        with self._changed:
            chosen = task.provider if task is not None and not task.state.is_over and provider == "auto" else provider
            new = DownloadTask(
                key=key,
                provider=chosen,
                state=TaskState.WAITING,
                phase=Phase.QUEUED,
                bytes_done=held,
                bytes_total=status.bytes_total,
                notes=task.notes if task is not None and task.state is TaskState.PAUSED else (),
            )
            if status.valid and status.verification is not Verification.UNCHECKED:
                return self._feed.put(_as_ready(new))
            now = self._feed.item(key)
            return now if now is not None and now.state in _ACTIVE else self._enqueue(new)

    def pause(self, key: str) -> DownloadTask:
        """Every byte is kept. A task that does not wait or run stays as it is."""
        return self._stop(key, TaskState.PAUSED, of=_ACTIVE)

    def cancel(self, key: str) -> DownloadTask:
        """Every byte is kept for the next start. Of a failed task the failure is forgotten; a ready one stays."""
        return self._stop(key, TaskState.CANCELLED, of=(*_ACTIVE, TaskState.PAUSED, TaskState.ERROR))

    def resume(self, key: str) -> DownloadTask:
        """Go on, or start; what waits or runs does so already."""
        return self.start(key)

    def move(self, key: str, position: int) -> DownloadTask:
        """Put a waiting task at `position` (1 is next); one that does not wait stays as it is."""
        self._models.entry(key)
        with self._changed:
            if key in self._queue:
                first = self._first_position()
                self._queue.remove(key)
                self._queue.insert(max(0, position - first), key)
                self._number()
                self._keep()
            return self._feed.item(key) or self._none(key)

    def task(self, key: str) -> DownloadTask | None:
        """The newest task of the model since start, finished ones included."""
        self._models.entry(key)
        return self._feed.item(key)

    def tasks(self) -> tuple[DownloadTask, ...]:
        """In the order of the queue, then paused ones, then finished ones."""
        with self._changed:
            queue = {key: place for place, key in enumerate(self._queue)}
            ranks: Mapping[TaskState, int] = {TaskState.RUNNING: 0, TaskState.WAITING: 1, TaskState.PAUSED: 2}

            def rank(task: DownloadTask) -> tuple[int, int]:
                return 0 if task.foreign else ranks.get(task.state, 3), queue.get(task.key, 0)

            return tuple(sorted(self._feed.items(), key=rank))

    def subscribe(self, after_seq: int = 0) -> Subscription[DownloadTask]:
        """Changes with a greater number come first, so that nobody who reconnects misses an end."""
        return self._feed.subscribe(after_seq)

    def follow(self, key: str) -> Iterator[DownloadTask]:
        """This model's task until it is over (or paused), at least once a second: for progress bars.

        Ends at once if there is none, and when the studio closes.
        """
        self._models.entry(key)
        return self._follow(key)

    def close(self) -> None:
        """Stop, keeping every byte and the queue. Nothing can be started afterwards."""
        with self._changed:
            self._is_closing = True
            run, worker = self._run, self._worker
            if run is not None:
                self._keep()  # as it is now, so that the next app knows what was at work
                run.stop()
                self._feed.change(run.key, lambda task: self._as_stopped(task, TaskState.PAUSED))
            self._changed.notify_all()
        self._feed.close()
        if worker is not None:
            worker.join(_CLOSE_TIMEOUT_S)

    def _follow(self, key: str) -> Iterator[DownloadTask]:
        task = self._feed.item(key)
        with self._feed.subscribe(task.seq if task else 0) as changes:
            while task is not None:
                yield task
                if task.state not in _ACTIVE:
                    return
                try:
                    self._next_of(key, changes)
                except Cancelled:
                    if (last := self._feed.item(key)) is not None and last != task:
                        yield last
                    return
                task = self._feed.item(key)

    def _next_of(self, key: str, changes: Subscription[DownloadTask]) -> None:
        """Wait for a change of this model, a second at most."""
        while (task := changes.next(_FOLLOW_S)) is not None and task.key != key:
            pass

    def _enqueue(self, task: DownloadTask) -> DownloadTask:
        """Wait in the queue; `_changed` is held."""
        if self._is_closing:
            raise Cancelled
        state = replace(task, state=TaskState.WAITING, phase=Phase.QUEUED, code="", params={})
        self._queue.append(task.key)
        self._feed.put(replace(state, position=self._first_position() + len(self._queue) - 1))
        if self._worker is None:
            self._worker = Thread(target=self._work, name="downloads", daemon=True)
            self._worker.start()
        self._changed.notify_all()
        self._keep()
        return self._feed.item(task.key) or task

    def _stop(self, key: str, state: TaskState, *, of: tuple[TaskState, ...]) -> DownloadTask:
        self._models.entry(key)
        with self._changed:
            task = self._feed.item(key)
            if task is None or task.state not in of:
                return task or self._none(key)
            if key in self._queue:
                self._queue.remove(key)
            if self._run is not None and self._run.key == key:
                self._run.stop()
            task = self._feed.change(key, lambda task: self._as_stopped(task, state))
            self._number()
            self._keep()
            return task

    def _as_stopped(self, task: DownloadTask, state: TaskState) -> DownloadTask:
        still = replace(task, state=state, position=0, foreign=False, bytes_per_second=0.0, eta_s=None, stalled=False)
        if task.state is TaskState.PAUSED and state is TaskState.PAUSED:
            return still  # with the code that paused it
        return replace(still, code="", params={}, file="")

    def _none(self, key: str) -> DownloadTask:
        """What there is to say of a model that nobody downloads."""
        total = self._models.entry(key).total_bytes
        return DownloadTask(key=key, provider="auto", state=TaskState.CANCELLED, phase=Phase.DONE, bytes_total=total)

    def _first_position(self) -> int:
        """Of the queue: 2 while the task before it waits for another process."""
        task = self._feed.item(self._run.key) if self._run is not None else None
        return 2 if task is not None and task.foreign else 1

    def _number(self) -> None:
        """Tell waiting tasks their positions; `_changed` is held."""
        for position, key in enumerate(self._queue, start=self._first_position()):
            self._feed.change(key, _placed_at(position))

    def _keep(self) -> None:
        if self._is_kept:
            self._file.write([task for task in self.tasks() if not task.state.is_over])

    def _work(self) -> None:
        while (run := self._next_run()) is not None:
            with run:
                result = self._result(run)
            with self._changed:
                self._run = None
                if not run.cancelled():
                    self._feed.change(run.key, result)
                self._number()
                if not self._is_closing:
                    self._keep()

    def _next_run(self) -> Run | None:
        with self._changed:
            while not self._queue and not self._is_closing:
                self._changed.wait()
            if self._is_closing:
                return None
            key = self._queue.pop(0)
            self._run = Run(key, self._feed, on_tick=self._owner.tell)
            self._feed.change(
                key, lambda task: replace(task, state=TaskState.RUNNING, phase=Phase.VERIFYING, position=0)
            )
            self._number()
            self._keep()
            return self._run

    def _result(self, run: Run) -> Callable[[DownloadTask], DownloadTask]:
        """Do the work; answers how the task looks afterwards."""
        try:
            if not self._job.is_ready(run.key, run):
                self._fetch(run)
        except (Interrupted, Cancelled):
            return lambda task: self._as_stopped(task, TaskState.PAUSED)
        except DownloadFault as fault:
            logger.warning("download of %s: %s %s", run.key, fault.code, fault.message)
            state = TaskState.PAUSED if fault.rule is Rule.PAUSE else TaskState.ERROR
            code, params = fault.code, fault.params
        except Exception as error:
            logger.exception("download of %s broke", run.key)
            state, code, params = TaskState.ERROR, DownloadFault.code, {"reason": type(error).__name__}
        else:
            return _as_ready
        return lambda task: replace(self._as_stopped(task, state), code=code, params=params)

    def _fetch(self, run: Run) -> None:
        while not self._owner.take():
            other = self._owner.owner()
            run.wait_for_other(other.task if other is not None and other.task.key == run.key else None)
            with self._changed:
                self._number()
            if run.wait(_LOCK_POLL_S):
                raise Interrupted
        try:
            task = self._feed.item(run.key)
            self._job.fetch(run.key, task.provider if task else "auto", run)
        finally:
            self._owner.release()


def _placed_at(position: int) -> Callable[[DownloadTask], DownloadTask]:
    return lambda task: replace(task, position=position)


def _as_ready(task: DownloadTask) -> DownloadTask:
    return replace(
        task,
        state=TaskState.READY,
        phase=Phase.DONE,
        source=task.source or "local",
        bytes_done=task.bytes_total,
        bytes_per_second=0.0,
        eta_s=None,
        stalled=False,
        position=0,
        foreign=False,
        file="",
        code="",
        params={},
    )
