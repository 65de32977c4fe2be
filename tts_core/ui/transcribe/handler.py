"""Transcribing in the background of a page: its stages, then the outcome; Stop reaches it."""

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
    """A phase of the transcriber."""
    percent: float
    """The progress of the whole, 0 to 100."""


class Listening:
    """Runs one work at a time for each browser session; another one stops it."""

    def __init__(self) -> None:
        self._stops = SessionStops()

    def run(self, work: Callable[[CancelCheck, Say], Outcome], session: str) -> Generator[Stage | Outcome, None, None]:
        """Yield the stages, only the newest for a slow reader, then the outcome. Raises the errors of `work`.

        Closing the generator early stops the work.
        """
        stages: SimpleQueue[Stage | None] = SimpleQueue()
        with self._stops.running(session) as stop, ThreadPoolExecutor(1, "listening") as thread:
            try:
                future = thread.submit(work, stop.is_set, lambda phase, percent: stages.put(Stage(phase, percent)))
                future.add_done_callback(lambda _: stages.put(None))
                while (stage := _newest(stages)) is not None:
                    yield stage
                yield future.result()
            finally:
                stop.set()

    def stop(self, session: str) -> None:
        self._stops.stop(session)


def _newest(stages: SimpleQueue[Stage | None]) -> Stage | None:
    """Wait for a stage and return the newest one; None is the last."""
    stage = stages.get()
    while stage is not None and not stages.empty():
        stage = stages.get()
    return stage
