"""What a hub was asked and what it sent."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from tests.hubs.faults import Stage


@dataclass(slots=True)
class Request:
    """`status` and `sent` grow while it is answered."""

    hub: str
    origin: str
    """ "hub", or "cdn" for the second origin."""
    method: str
    path: str
    """With its query."""
    range: str
    """The header, "" if there was none; as the next two."""
    if_range: str
    authorization: str
    headers: dict[str, str]
    """All of them, names in lower case."""
    stage: Stage | None = None
    file: str = ""
    """A path in the repository."""
    repository: str = ""
    status: int = 0
    start: int = 0
    """Offset in the file of the first body byte."""
    sent: int = 0
    """File bytes handed to the network."""
    done: bool = False
    at: float = field(default_factory=time.monotonic)

    @property
    def has_bytes(self) -> bool:
        return self.stage == "bytes" and self.method == "GET"


class RequestLog:
    """Thread-safe."""

    def __init__(self) -> None:
        self._requests: list[Request] = []
        self._lock = threading.Lock()

    def add(self, request: Request) -> None:
        with self._lock:
            self._requests.append(request)

    def clear(self) -> None:
        with self._lock:
            self._requests.clear()

    def requests(self, file: str | None = None) -> tuple[Request, ...]:
        """All in the order they came, or those of one file."""
        with self._lock:
            return tuple(request for request in self._requests if file in (None, request.file))

    def bytes_requests(self, file: str | None = None) -> tuple[Request, ...]:
        """Those that were answered with bytes of a file."""
        return tuple(request for request in self.requests(file) if request.has_bytes and request.status in (200, 206))

    def sent(self, file: str | None = None) -> int:
        """File bytes handed to the network."""
        return sum(request.sent for request in self.bytes_requests(file))

    def ranges(self, file: str) -> list[tuple[int, int]]:
        """(start, stop) of the bytes that each answer handed to the network, in the order of the requests."""
        return [(request.start, request.start + request.sent) for request in self.bytes_requests(file)]

    def wait_for(self, condition: Callable[[], bool], *, timeout_s: float = 120.0) -> None:
        """Until it holds; raises AssertionError when it does not come true."""
        deadline = time.monotonic() + timeout_s
        while not condition():
            assert time.monotonic() < deadline, f"did not happen within {timeout_s} s; asked so far: {self.lines()}"
            time.sleep(0.01)

    def wait_until_sent(self, file: str, count: int, *, timeout_s: float = 120.0) -> None:
        self.wait_for(lambda: self.sent(file) >= count, timeout_s=timeout_s)

    def lines(self) -> list[str]:
        return [f"{r.origin} {r.method} {r.path} {r.range or '-'} {r.status} +{r.sent}" for r in self.requests()]
