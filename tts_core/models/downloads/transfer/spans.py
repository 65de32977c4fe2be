"""Arithmetic of half-open byte ranges, for the bytes of a file that are there."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

Span = tuple[int, int]
"""The first byte and the byte after the last one; never empty."""


class Spans:
    """A set of bytes, kept as sorted spans that neither touch nor overlap. Not thread-safe."""

    def __init__(self, spans: Iterable[Span] = ()) -> None:
        self._spans: list[Span] = []
        for start, end in spans:
            self.add(start, end)

    def __iter__(self) -> Iterator[Span]:
        return iter(self._spans)

    @property
    def total(self) -> int:
        """The number of bytes in the set."""
        return sum(end - start for start, end in self._spans)

    @property
    def prefix_end(self) -> int:
        """The end of the gapless beginning: every byte before this one is in the set."""
        return self._spans[0][1] if self._spans and self._spans[0][0] == 0 else 0

    @property
    def end(self) -> int:
        """The byte after the last one of the set."""
        return self._spans[-1][1] if self._spans else 0

    def add(self, start: int, end: int) -> None:
        if start >= end:
            return
        before = [span for span in self._spans if span[1] < start]
        after = [span for span in self._spans if span[0] > end]
        touched = self._spans[len(before) : len(self._spans) - len(after)]
        if touched:
            start, end = min(start, touched[0][0]), max(end, touched[-1][1])
        self._spans = [*before, (start, end), *after]

    def remove(self, start: int, end: int) -> None:
        cut = [piece for low, high in self._spans for piece in ((low, min(high, start)), (max(low, end), high))]
        self._spans = [piece for piece in cut if piece[0] < piece[1]] if start < end else self._spans

    def missing(self, start: int, end: int) -> tuple[Span, ...]:
        """The spans of start..end that are not in the set, in order."""
        gaps, at = [], start
        for low, high in self._spans:
            if low >= end:
                break
            if low > at:
                gaps.append((at, low))
            at = max(at, high)
        return (*gaps, (at, end)) if at < end else tuple(gaps)
