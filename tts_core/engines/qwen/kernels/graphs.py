"""Work that is done again and again with the same shapes and addresses: recorded once on CUDA, then replayed whole.

Everywhere else, and until it is recorded, the work is simply done; both compute the same.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Hashable
from threading import Lock
from typing import Protocol

import torch

logger = logging.getLogger(__name__)

Work = Callable[[], None]
"""A function that reads and writes tensors at fixed addresses, and never waits for the device."""


class Runner(Protocol):
    def run(self, key: Hashable, work: Work) -> None:
        """Do the work; the same key always stands for the same work."""

    def forget(self) -> None:
        """Forget what the keys stood for, because tensors have moved."""


class Graphs:
    """Does each work once, which also warms the libraries up, records it the second time and replays it from then on.

    Call it from one thread, with a stream of its own that is current there.
    """

    def __init__(self, recording: Lock) -> None:
        """recording: shared by all that record on a device, for only one can at a time."""
        self._recording = recording
        self._graphs: dict[Hashable, torch.cuda.CUDAGraph] = {}
        self._done: set[Hashable] = set()
        """Work that was done once."""
        self._stubborn: set[Hashable] = set()
        """Work that can't be recorded."""

    @property
    def recorded(self) -> int:
        return len(self._graphs)

    @property
    def refused(self) -> int:
        """Works that can't be recorded."""
        return len(self._stubborn)

    def run(self, key: Hashable, work: Work) -> None:
        if key in self._done and key not in self._graphs and key not in self._stubborn:
            self._record(key, work)
        if key in self._graphs:
            self._graphs[key].replay()
        else:
            work()
            self._done.add(key)

    def forget(self) -> None:
        if self._graphs:
            torch.cuda.current_stream().synchronize()  # a graph may be running
        for known in (self._graphs, self._done, self._stubborn):
            known.clear()

    def _record(self, key: Hashable, work: Work) -> None:
        graph = torch.cuda.CUDAGraph()
        shared = next(iter(self._graphs.values())).pool() if self._graphs else None
        torch.cuda.current_stream().synchronize()
        try:
            with self._recording:
                # Other threads may go on using the device meanwhile.
                graph.capture_begin(pool=shared, capture_error_mode="thread_local")
                try:
                    work()
                finally:
                    graph.capture_end()
        except RuntimeError:  # torch's, for whatever CUDA refuses to record
            logger.exception("%s is done step by step: it can't be recorded", key)
            self._stubborn.add(key)
        else:
            self._graphs[key] = graph
