"""Listening in the background of a page: where it stands, then what came out; Stop reaches it."""

from __future__ import annotations

from collections.abc import Callable, Generator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from queue import SimpleQueue
from typing import TypeVar

from tts_core.domain.engine import CancelCheck
from tts_core.engines.whisper.transcriber import Say
from tts_core.ui.widgets.session_stops import SessionStops

Outcome = TypeVar("Outcome")


@dataclass(frozen=True, slots=True)
class Stage:
    phase: str
    """One of the transcriber's."""
    percent: float
    """Of the whole."""


class Listening:
    """Runs one thing at a time for each browser session; another one stops it."""

    def __init__(self) -> None:
        self._stops = SessionStops()

    def run(self, work: Callable[[CancelCheck, Say], Outcome], session: str) -> Generator[Stage | Outcome, None, None]:
        """Stages, the newest only for who is slow, then the outcome. Raises what `work` raises.

        Who leaves early stops the work.
        """
        told: SimpleQueue[Stage | None] = SimpleQueue()
        with self._stops.running(session) as stop, ThreadPoolExecutor(1, "listening") as thread:
            try:
                future = thread.submit(work, stop.is_set, lambda phase, percent: told.put(Stage(phase, percent)))
                future.add_done_callback(lambda _: told.put(None))
                while (stage := _newest(told)) is not None:
                    yield stage
                yield future.result()
            finally:
                stop.set()

    def stop(self, session: str) -> None:
        self._stops.stop(session)


def _newest(told: SimpleQueue[Stage | None]) -> Stage | None:
    """Waits for one; None is the last."""
    stage = told.get()
    while stage is not None and not told.empty():
        stage = told.get()
    return stage
