"""The check of one model's files that a browser asks for: every byte is read, and the model's details show how far."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import dataclass, replace

from tts_core.domain.errors import Cancelled
from tts_core.domain.events import CheckProgress
from tts_core.models.status import ModelStatus, ModelStatuses
from tts_core.ui.widgets.session_stops import SessionStops

_MAX_KEPT = 200
"""The browsers whose last check is remembered."""


@dataclass(frozen=True, slots=True)
class FileCheck:
    key: str
    """The model's key."""
    percent: float = 0.0
    file: str = ""
    """The file that is being read."""
    status: ModelStatus | None = None
    """The outcome; None before the end."""
    found: tuple[object, ...] = ()
    """The facts of the model's files at the end."""
    is_stopped: bool = False

    @property
    def is_running(self) -> bool:
        return self.status is None and not self.is_stopped


class RunningChecks:
    """The check of each browser session, so that Stop reaches it. Thread-safe."""

    def __init__(self, models: ModelStatuses) -> None:
        self._models = models
        self._stops = SessionStops()
        self._lock = threading.Lock()
        self._checks: dict[str, FileCheck] = {}

    def run(self, key: str, session: str) -> Iterator[FileCheck]:
        """Check the model's files: yields the check as it goes on, its end last. A second check of the session stops
        the first. Raises UnknownModelKey."""
        with self._stops.running(session) as stop:
            check = self._put(session, FileCheck(key))
            yield check
            try:
                for event in self._models.validate(key, deep=True, cancelled=stop.is_set):
                    if isinstance(event, CheckProgress):
                        percent = 100 * event.done_bytes / (event.total_bytes or 1)
                        now = replace(check, percent=percent, file=event.file)
                    else:
                        now = replace(check, status=event, found=_facts(self._models.status(key)))
                    check = self._replace(session, check, now)
                    yield check
            except Cancelled:
                yield self._replace(session, check, replace(check, is_stopped=True))
            finally:
                self._end(session, check)

    def stop(self, session: str) -> None:
        self._stops.stop(session)

    def of(self, key: str, session: str) -> FileCheck | None:
        """The session's last check, if it was of this model and what it found still is so."""
        with self._lock:
            check = self._checks.get(session)
        if check is None or check.key != key:
            return None
        is_past = check.status is not None and check.found != _facts(self._models.status(key))
        return None if is_past else check

    def forget(self, session: str) -> None:
        """Forget the outcome of the session's check."""
        with self._lock:
            if session in self._checks and not self._checks[session].is_running:
                del self._checks[session]

    def _put(self, session: str, check: FileCheck) -> FileCheck:
        with self._lock:
            self._checks.pop(session, None)
            self._checks[session] = check
            while len(self._checks) > _MAX_KEPT:
                del self._checks[next(iter(self._checks))]
        return check

    def _replace(self, session: str, before: FileCheck, now: FileCheck) -> FileCheck:
        """Remember `now` for `before`, unless the session runs another check by now."""
        with self._lock:
            if self._checks.get(session) is before:
                self._checks[session] = now
        return now

    def _end(self, session: str, check: FileCheck) -> None:
        """Leave no check behind that looks as if it were running, where its reader went away."""
        with self._lock:
            if self._checks.get(session) is check and check.is_running:
                del self._checks[session]


def _facts(status: ModelStatus) -> tuple[object, ...]:
    """The facts that change when the model's files do."""
    return status.exists, status.missing, status.problems, status.bytes_done, status.verification
