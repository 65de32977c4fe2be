"""How much each visitor may ask for, so that one leaves room for others. The owner at this machine isn't counted."""

from __future__ import annotations

import math
import threading
import time
from collections import Counter, OrderedDict
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from types import MappingProxyType

from tts_core.access.faults import GuestsSpaceUsedUp, GuestsWaiting, SpaceUsedUp, TooManyAtOnce, TooManyRequests
from tts_core.access.kept_bytes import KeptBytes
from tts_core.access.visitor import Role, Visitor

MINUTE_S = 60.0
MAX_KEPT = 10_000


@dataclass(frozen=True, slots=True)
class Quota:
    requests: int
    """Requests a minute, of all kinds but a page's files."""
    works: int
    """Requests a minute that make an engine work."""
    at_once: int
    """Requests for work that run or wait at the same time."""
    uploads: int = 20
    """Uploads a minute; one counts again for each UPLOAD_BYTES of it."""
    kept_bytes: int = 1_000_000_000
    """Bytes left on the disk within a day: uploads, and files made on the page."""


QUOTAS: Mapping[Role, Quota] = MappingProxyType(
    {
        Role.GUEST: Quota(300, works=20, at_once=3, uploads=20),
        Role.ADMIN: Quota(3000, works=600, at_once=32, uploads=600, kept_bytes=20_000_000_000),
    }
)
UPLOAD_BYTES = 10_000_000
LARGE_BODY_BYTES = 1_000_000
"""The size from which a body that is still coming takes one of a visitor's places for large ones."""
GUESTS_AT_ONCE = 8
"""Requests for work of all guests together; half of the places that there are stay free for admins."""
GUESTS_KEPT_BYTES = 4_000_000_000
"""Bytes on the disk for files of all guests together. Files of admins count, too, where the disk was measured."""
PRUNED_EVERY_S = 3600.0
"""The seconds between two removals of old files."""


@dataclass(slots=True)
class _Bucket:
    """An allowance that refills evenly; a minute's worth may be taken at once."""

    left: float
    at: float


class Quotas:
    """The use that each visitor makes of the studio, and its limits; thread-safe."""

    def __init__(
        self,
        quotas: Mapping[Role, Quota] = QUOTAS,
        guests_at_once: int = GUESTS_AT_ONCE,
        clock: Callable[[], float] = time.monotonic,
        guests_kept_bytes: int = GUESTS_KEPT_BYTES,
    ) -> None:
        self._quotas = quotas
        self._guests_at_once = guests_at_once
        self._guests_kept_bytes = guests_kept_bytes
        self._clock = clock
        self._lock = threading.Lock()
        self._buckets: OrderedDict[tuple[str, str], _Bucket] = OrderedDict()
        self._working: Counter[str] = Counter()
        self._guests_working = 0
        self._sending: Counter[str] = Counter()
        self._guests_sending = 0
        self._kept = KeptBytes(clock)

    def ask(self, visitor: Visitor) -> None:
        """Count a request. Raises TooManyRequests."""
        if visitor.counted_as:
            with self._lock:
                self._take(visitor, "requests", self._quotas[visitor.role].requests)

    def upload(self, visitor: Visitor) -> None:
        """Count a file that is kept. Raises TooManyRequests, SpaceUsedUp, GuestsSpaceUsedUp."""
        if visitor.counted_as:
            with self._lock:
                self._check_space(visitor)
                self._take(visitor, "uploads", self._quotas[visitor.role].uploads)

    def receive(self, visitor: Visitor, size_bytes: int) -> None:
        """Count a part of a file that is kept, before it is written. Raises SpaceUsedUp, GuestsSpaceUsedUp."""
        if visitor.counted_as:
            with self._lock:
                self._check_space(visitor)
                self._kept.add(visitor, size_bytes)

    def keep(self, visitor: Visitor, size_bytes: int) -> None:
        """Count the bytes that work has left on the disk."""
        if visitor.counted_as:
            with self._lock:
                self._kept.add(visitor, size_bytes)

    def pruned(self, left_bytes: int) -> None:
        """Note that old files were removed, and that `left_bytes` of all visitors are still there."""
        with self._lock:
            self._kept.pruned(left_bytes)

    def check(self, visitor: Visitor) -> None:
        """Check that there is room for work of the visitor's now. Raises TooManyAtOnce, GuestsWaiting, SpaceUsedUp,
        GuestsSpaceUsedUp."""
        if visitor.counted_as:
            with self._lock:
                self._check_room(visitor)
                self._check_space(visitor)

    @contextmanager
    def sending(self, visitor: Visitor) -> Iterator[None]:
        """Hold one of the visitor's places for a large body while it comes and is kept. There are as many as for work,
        and twice as many for all guests, so that slow ones leave room. Raises TooManyAtOnce, GuestsWaiting."""
        if not visitor.counted_as:
            yield
            return
        limit = self._quotas[visitor.role].at_once
        with self._lock:
            if self._sending[visitor.counted_as] >= limit:
                raise TooManyAtOnce(limit=limit)
            if visitor.is_guest and self._guests_sending >= 2 * self._guests_at_once:
                raise GuestsWaiting(limit=2 * self._guests_at_once)
            self._sending[visitor.counted_as] += 1
            self._guests_sending += visitor.is_guest
        try:
            yield
        finally:
            with self._lock:
                self._sending[visitor.counted_as] -= 1
                self._sending += Counter()
                self._guests_sending -= visitor.is_guest

    @contextmanager
    def work(self, visitor: Visitor) -> Iterator[None]:
        """Hold one of the visitor's places while an engine works for the visitor, or will. Raises TooManyRequests, and
        what `check` raises."""
        if not visitor.counted_as:
            yield
            return
        with self._lock:
            self._check_room(visitor)
            self._check_space(visitor)
            self._take(visitor, "works", self._quotas[visitor.role].works)
            self._working[visitor.counted_as] += 1
            self._guests_working += visitor.is_guest
        try:
            yield
        finally:
            with self._lock:
                self._working[visitor.counted_as] -= 1
                self._working += Counter()  # drops the counts that are zero
                self._guests_working -= visitor.is_guest

    def _check_room(self, visitor: Visitor) -> None:
        limit = self._quotas[visitor.role].at_once
        if self._working[visitor.counted_as] >= limit:
            raise TooManyAtOnce(limit=limit)
        if visitor.is_guest and self._guests_working >= self._guests_at_once:
            raise GuestsWaiting(limit=self._guests_at_once)

    def _check_space(self, visitor: Visitor) -> None:
        limit = self._quotas[visitor.role].kept_bytes
        if self._kept.of(visitor) >= limit:
            wait_s = math.ceil(self._kept.freed_in_s(visitor))
            hours = math.ceil(wait_s / 3600)
            raise SpaceUsedUp(limit_mb=limit // 10**6, hours=hours, retry_after_s=wait_s)
        if visitor.is_guest and self._kept.of_guests >= self._guests_kept_bytes:
            raise GuestsSpaceUsedUp(limit_mb=self._guests_kept_bytes // 10**6, retry_after_s=int(PRUNED_EVERY_S))

    def _take(self, visitor: Visitor, what: str, limit: int) -> None:
        now = self._clock()
        bucket = self._buckets.setdefault((visitor.counted_as, what), _Bucket(limit, now))
        self._buckets.move_to_end((visitor.counted_as, what))
        while len(self._buckets) > MAX_KEPT:
            self._buckets.popitem(last=False)
        bucket.left = min(limit, bucket.left + (now - bucket.at) * limit / MINUTE_S)
        bucket.at = now
        if bucket.left < 1:
            wait_s = (1 - bucket.left) * MINUTE_S / limit
            raise TooManyRequests(limit=limit, retry_after_s=math.ceil(wait_s))
        bucket.left -= 1
