"""The states of a project's segments, kept so that a list of thousands is read in pages at once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field

from tts_core.studio.model import Project, SegmentState, SegmentTake, TextSegment
from tts_core.studio.speaking import KeyContext, Speaking
from tts_core.studio.states import Keys, state_of, take_that_counts

PAGE = 50
"""The rows of a page where nobody asks for another number."""


@dataclass(frozen=True, slots=True)
class Filters:
    """The rows that are looked for; what is left out does not matter."""

    chapter: str = ""
    states: frozenset[SegmentState] = frozenset()
    speaker: str | None = None
    """The narrator is ""."""
    text: str = ""
    """A text in the segment, in any case."""


@dataclass(frozen=True, slots=True)
class SegmentRow:
    segment: TextSegment
    chapter: str
    number: int
    """The place in the project, from 1."""
    state: SegmentState
    take: SegmentTake | None
    """The take that counts."""
    keys: Keys


@dataclass(frozen=True, slots=True)
class SegmentPage:
    rows: tuple[SegmentRow, ...]
    page: int
    pages: int
    total: int
    """The rows of all pages that pass the filters."""


@dataclass(frozen=True, slots=True)
class Counts:
    """How far a project, or a chapter of it, is."""

    states: Mapping[SegmentState, int] = field(default_factory=dict)
    seconds: float = 0.0
    """The length of the takes that count."""
    characters: int = 0

    @property
    def segments(self) -> int:
        return sum(self.states.values())


class StateIndex:
    """Not thread-safe: the project's lock guards it."""

    def __init__(self, speaking: Speaking) -> None:
        self._speaking = speaking
        self._context: KeyContext | None = None
        self._known: dict[str, tuple[TextSegment, SegmentState, SegmentTake | None, Keys]] = {}

    def rows(self, project: Project, making: Collection[str] = ()) -> Iterator[SegmentRow]:
        """Yield all rows in order. Only what has changed since the last call is looked at anew."""
        context = self._speaking.context(project)
        if context is not self._context:
            self._context = context
            self._known.clear()
        keys_of = self._speaking.keys(project)
        number = 0
        for chapter in project.chapters:
            for segment in chapter.segments:
                number += 1
                state, take, keys = self._found(segment, keys_of)
                if making and segment.id in making:
                    state = state_of(segment, keys, making)
                yield SegmentRow(segment, chapter.id, number, state, take, keys)

    def page(
        self, project: Project, filters: Filters, *, page: int = 1, size: int = PAGE, making: Collection[str] = ()
    ) -> SegmentPage:
        """A page of the rows that pass; a page beyond the last one is the last one."""
        found = [row for row in self.rows(project, making) if _passes(row, filters)]
        pages = max(1, -(-len(found) // size))
        page = min(max(1, page), pages)
        return SegmentPage(tuple(found[(page - 1) * size : page * size]), page, pages, len(found))

    def counts(self, project: Project, making: Collection[str] = ()) -> dict[str, Counts]:
        """How far each chapter is, by its id; "" is the whole project, without what is left out."""
        states: dict[str, Counter[SegmentState]] = {chapter.id: Counter() for chapter in project.chapters}
        seconds: Counter[str] = Counter()
        characters: Counter[str] = Counter()
        for row in self.rows(project, making):
            states[row.chapter][row.state] += 1
            characters[row.chapter] += len(row.segment.text)
            if row.take is not None and not row.segment.is_skipped:
                seconds[row.chapter] += row.take.duration_s  # type: ignore[assignment]
        found = {key: Counts(dict(states[key]), float(seconds[key]), characters[key]) for key in states}
        included = [chapter.id for chapter in project.chapters if chapter.is_included]
        everything: Counter[SegmentState] = sum((states[key] for key in included), Counter())
        found[""] = Counts(
            dict(everything),
            sum(found[key].seconds for key in included),
            sum(found[key].characters for key in included),
        )
        return found

    def _found(
        self, segment: TextSegment, keys_of: Callable[[TextSegment], Keys]
    ) -> tuple[SegmentState, SegmentTake | None, Keys]:
        known = self._known.get(segment.id)
        if known is not None and known[0] is segment:
            return known[1], known[2], known[3]
        keys = keys_of(segment)
        state, take = state_of(segment, keys), take_that_counts(segment, keys)
        self._known[segment.id] = (segment, state, take, keys)
        return state, take, keys


def _passes(row: SegmentRow, filters: Filters) -> bool:
    return (
        (not filters.chapter or row.chapter == filters.chapter)
        and (not filters.states or row.state in filters.states)
        and (filters.speaker is None or row.segment.speaker == filters.speaker)
        and (not filters.text or filters.text.casefold() in row.segment.text.casefold())
    )
