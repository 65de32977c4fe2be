"""Threads that compute one thing together, as many as help at the moment. Knows nothing of what they compute.

Two threads are nearly twice as fast where each has a core. Where something else keeps a core busy they wait for each
other at every meeting, and one alone is faster; so both are timed.
"""

from __future__ import annotations

import time
import weakref
from collections.abc import Callable
from queue import SimpleQueue
from threading import Lock, Thread
from typing import Any

import numpy as np

from tts_core.engines.qwen.kernels.native_vectors import SYNC_SIZE, Crew

_RETRY_JOBS = 100
"""Jobs (six frames) after which the slower number of threads is tried again."""
_WEIGHT = 0.25
"""The weight of the newest measurement in the average."""

_Task = tuple[Callable[..., None], Crew, tuple[Any, ...]]


class Workers:
    """`run` calls a function on every thread at once; jobs of several callers take turns."""

    def __init__(self, size: int) -> None:
        """size: the number of threads, the caller's own included."""
        self.size = size
        self._lock = Lock()
        self._pace = Pace(size)
        self._crews = {count: Crew(count, np.zeros(SYNC_SIZE, np.int64)) for count in {1, size}}
        self._tasks: list[SimpleQueue[_Task | None]] = [SimpleQueue() for _ in range(size - 1)]
        for number, tasks in enumerate(self._tasks, start=1):
            Thread(target=_follow, args=(number, tasks), name=f"compute-{number}", daemon=True).start()
        weakref.finalize(self, _dismiss, self._tasks)

    def run(self, work: Callable[..., None], *arguments: object, reads: int = 0) -> None:
        """Call `work(number, crew, *arguments)` on every thread. It must end with a meeting of the crew.

        reads: bytes of weights, where the job is one from which to learn how many threads help.
        """
        with self._lock:
            crew = self._crews[self._pace.choose()]
            started = time.perf_counter()
            for tasks in self._tasks[: crew.size - 1]:
                tasks.put((work, crew, arguments))
            work(0, crew, *arguments)
            if reads:
                self._pace.learn(crew.size, reads / (time.perf_counter() - started))


class Pace:
    """The choice between all threads and one, whichever was faster of late."""

    def __init__(self, size: int) -> None:
        self._rates = {size: 0.0, 1: 0.0}
        self._jobs = 0

    def choose(self) -> int:
        """The number of threads that the next job gets."""
        self._jobs += 1
        best, *others = sorted(self._rates, key=lambda size: (self._rates[size], size), reverse=True)
        return others[0] if others and self._jobs % _RETRY_JOBS == _RETRY_JOBS // 10 else best

    def learn(self, size: int, rate: float) -> None:
        """Take in how fast a job on `size` threads was, in any unit."""
        old = self._rates[size]
        self._rates[size] = old + _WEIGHT * (rate - old) if old else rate


def _follow(number: int, tasks: SimpleQueue[_Task | None]) -> None:
    while (task := tasks.get()) is not None:
        work, crew, arguments = task
        work(number, crew, *arguments)
        del task, work, arguments


def _dismiss(tasks: list[SimpleQueue[_Task | None]]) -> None:
    for each in tasks:
        each.put(None)
