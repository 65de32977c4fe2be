"""Events of projects for those who show them: what changed, and how far a run is. The newest are kept, so that who
reconnects misses nothing, or learns that it has to look at everything anew."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from threading import Condition

from tts_core.domain.errors import Cancelled
from tts_core.studio.making.runs import RunStatus
from tts_core.studio.store import ProjectChange

_KEPT = 2_000


@dataclass(frozen=True, slots=True)
class ProjectEvent:
    """Something that happened to a project."""

    seq: int
    project: str
    data: Mapping[str, object]


class ProjectEvents:
    """Thread-safe."""

    def __init__(self) -> None:
        self._changed = Condition()
        self._events: deque[ProjectEvent] = deque(maxlen=_KEPT)
        self._seq = int(time.time() * 1000)
        self._is_closed = False

    @property
    def newest(self) -> int:
        """The number of the newest event."""
        return self._seq

    def add_change(self, change: ProjectChange) -> None:
        """Add a change of the document, or of its takes."""
        data = {"revision": change.revision, "segments": list(change.segments), "is_wider": change.is_wider}
        self._add(change.project, {"type": "changed", **data})

    def add_run(self, status: RunStatus) -> None:
        self._add(status.key, {"type": "run", **status.as_json()})

    def subscribe(self, project: str, after_seq: int) -> ProjectSubscription:
        """Subscribe to one project's events after that number."""
        return ProjectSubscription(self, project, after_seq)

    def next_after(self, project: str, seq: int, timeout_s: float) -> ProjectEvent | None:
        """The next event of a project; None after `timeout_s`. Raises Cancelled once closed."""
        deadline = time.monotonic() + timeout_s
        with self._changed:
            while True:
                if self._is_closed:
                    raise Cancelled
                if self._events and seq < self._events[0].seq - 1 and len(self._events) == _KEPT:
                    return ProjectEvent(self._seq, project, {"type": "reload"})
                found = next((one for one in self._events if one.seq > seq and one.project == project), None)
                if found is not None:
                    return found
                left = deadline - time.monotonic()
                if left <= 0:
                    return None
                self._changed.wait(left)

    def close(self) -> None:
        """End all subscriptions."""
        with self._changed:
            self._is_closed = True
            self._changed.notify_all()

    def _add(self, project: str, data: Mapping[str, object]) -> None:
        with self._changed:
            self._seq += 1
            self._events.append(ProjectEvent(self._seq, project, {**data, "project_id": project, "seq": self._seq}))
            self._changed.notify_all()


class ProjectSubscription:
    """A reader of one project's events; for one thread at a time."""

    def __init__(self, events: ProjectEvents, project: str, after_seq: int) -> None:
        self._events = events
        self._project = project
        self._seq = after_seq

    def next(self, timeout_s: float) -> ProjectEvent | None:
        """The next event, None if nothing happened for that long. Raises Cancelled once closed."""
        event = self._events.next_after(self._project, self._seq, timeout_s)
        if event is not None:
            self._seq = event.seq
        return event

    def __enter__(self) -> ProjectSubscription:
        return self

    def __exit__(self, *_: object) -> None:
        """Nothing is held."""
