"""Shares a file's bytes among connections: free gaps first, then half of what the busiest one has before it."""

from __future__ import annotations

import threading
from collections.abc import Iterable

from tts_core.models.downloads.transfer.spans import Span, Spans


class Claim:
    """The bytes that one connection fetches, in order. The end may come nearer meanwhile."""

    def __init__(self, at: int, end: int) -> None:
        self.at = at
        self.end = end

    @property
    def remaining(self) -> int:
        return self.end - self.at


class Claims:
    """The claims on a file. Thread-safe. Every missing byte is free or in one claim, until a claim advances over it."""

    def __init__(self, missing: Iterable[Span]) -> None:
        self._lock = threading.Lock()
        self._free = Spans(missing)
        self._taken: list[Claim] = []

    @property
    def has_free(self) -> bool:
        return self._free.total > 0

    @property
    def largest(self) -> int:
        """The bytes still to come in the largest claim."""
        with self._lock:
            return max((claim.remaining for claim in self._taken), default=0)

    def take(self, smallest: int) -> Claim | None:
        """Claim the first free gap, else half of the largest claim where both halves have `smallest` bytes at least."""
        with self._lock:
            if gap := next(iter(self._free), None):
                self._free.remove(*gap)
                claim = Claim(*gap)
            else:
                busiest = max(self._taken, key=lambda claim: claim.remaining, default=None)
                if busiest is None or busiest.remaining < 2 * smallest:
                    return None
                middle = busiest.at + busiest.remaining // 2
                claim = Claim(middle, busiest.end)
                busiest.end = middle
            self._taken.append(claim)
            return claim

    def widen(self, claim: Claim, end: int) -> None:
        """Take all free gaps up to `end` into this claim, with what lies between: for a body without ranges."""
        with self._lock:
            self._free.remove(claim.at, end)
            claim.end = end

    def restart(self, claim: Claim, size: int) -> None:
        """Claim the whole file, which is missing after all; this is the only claim."""
        with self._lock:
            self._free = Spans()
            claim.at, claim.end = 0, size

    def advance(self, claim: Claim, most: int) -> tuple[int, int]:
        """Take the claim's next bytes, `most` at most, as arrived; returns their place and how many are the claim's."""
        with self._lock:
            place, count = claim.at, min(most, claim.remaining)
            claim.at += count
            return place, count

    def give_back(self, claim: Claim) -> None:
        """Let other connections have the rest; one that is on the way there simply goes on."""
        with self._lock:
            self._taken.remove(claim)
            before = next((other for other in self._taken if other.end == claim.at), None)
            if before is not None and claim.remaining:
                before.end = claim.end
            else:
                self._free.add(claim.at, claim.end)

    def free(self, spans: Iterable[Span]) -> None:
        """Free bytes that are missing after all."""
        with self._lock:
            for span in spans:
                self._free.add(*span)
