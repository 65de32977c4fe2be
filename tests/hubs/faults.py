"""What a hub does wrong, switchable while it runs."""

from __future__ import annotations

import fnmatch
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

Stage = Literal["listing", "address", "bytes"]
"""What a request is for: a hub's list of files, a redirect to a file's bytes, or an answer that holds the bytes."""


@dataclass(frozen=True, slots=True)
class Fault:
    """Each field is one misbehaviour; those that are set happen together."""

    # Any request
    delay_s: float = 0.0
    """Before the answer."""
    silent: bool = False
    """The request is read, and nothing comes back until the fault is cleared."""
    drop: bool = False
    """The connection is closed without an answer."""
    status: int | None = None
    """Instead of the answer."""
    headers: Mapping[str, str] = field(default_factory=dict)
    """With `status`, or put over the answer's own."""
    html: bool = False
    """200 and a login page, as a captive portal answers."""

    # Listings
    listed: tuple[str, ...] = ()
    """Names added to the listing as they stand."""
    unlisted: tuple[str, ...] = ()
    """Names left out of the listing."""
    listed_sha256: str = ""
    """Of every large file (ModelScope: of every file) that the rule's `file` matches."""
    listed_size: int | None = None
    success_false: bool = False
    """ModelScope: 200 and `"Success": false`."""

    # Bytes
    bytes_per_s: float = 0.0
    """At most, on each connection."""
    chunk_bytes: int = 0
    chunk_delay_s: float = 0.0
    """Drip feed: `chunk_bytes` at a time, waiting after each."""
    cut_after: int | None = None
    """Close after so many body bytes of an answer, though the header promised all."""
    cut_at: int | None = None
    """Close when this offset of the file is reached."""
    stall_after: int | None = None
    """Keep the connection but send nothing more after so many body bytes; goes on when the fault is cleared."""
    stall_at: int | None = None
    """The same at this offset of the file."""
    ignore_range: bool = False
    """200 and the whole file."""
    chunked: bool = False
    """No Content-Length; the body comes in chunks."""
    shift_range: int = 0
    """Content-Range says other offsets than the bytes have."""
    short_by: int = 0
    """Header and body agree, and are short."""
    corrupt_at: int | None = None
    """One byte at this offset of the file is another; the length is right."""
    changed: bool = False
    """Other content of the same length with another ETag: the file changed after it was listed."""


@dataclass(slots=True)
class _Rule:
    fault: Fault
    on: Stage | None
    file: str
    times: int | None


class FaultBoard:
    """The rules of one hub. Thread-safe; the first rule that fits a request decides."""

    def __init__(self) -> None:
        self._rules: list[_Rule] = []
        self._lock = threading.Lock()

    def add(self, fault: Fault, *, on: Stage | None = None, file: str = "*", times: int | None = None) -> None:
        """For requests of stage `on` (None: all) whose file, a path in the repository, fits the pattern `file`.

        A listing has the file "". `times`: so many requests, then no more.
        """
        with self._lock:
            self._rules.append(_Rule(fault, on, file, times))

    def clear(self) -> None:
        with self._lock:
            self._rules.clear()

    def take(self, stage: Stage | None, file: str) -> Fault:
        """The fault of one request, used up once; Fault() if all is well."""
        with self._lock:
            for rule in self._rules:
                fits = rule.on in (None, stage) and fnmatch.fnmatchcase(file, rule.file)
                if fits and rule.times != 0:
                    rule.times = rule.times and rule.times - 1
                    return rule.fault
        return Fault()

    def peek(self, stage: Stage | None, file: str) -> Fault:
        """The same without using it up."""
        with self._lock:
            for rule in self._rules:
                if rule.on in (None, stage) and fnmatch.fnmatchcase(file, rule.file) and rule.times != 0:
                    return rule.fault
        return Fault()

    def for_listed(self, file: str) -> Fault:
        """What a listing says wrong of one file (rules on "listing" that name files)."""
        with self._lock:
            for rule in self._rules:
                if rule.on == "listing" and rule.file != "*" and fnmatch.fnmatchcase(file, rule.file):
                    return rule.fault
        return Fault()

    def holds(self, fault: Fault) -> bool:
        """It was not cleared yet."""
        with self._lock:
            return any(rule.fault is fault for rule in self._rules)
