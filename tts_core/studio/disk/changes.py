"""The difference that an edit makes, as it is kept for undo: the changed segments, the changed order of chapters, and
the rest of the project where it has changed. Pure functions.

An edit of one sentence is a few hundred bytes, however long the book is.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from tts_core.studio.disk.records import from_data, to_data
from tts_core.studio.model import Chapter, Project, TextSegment

_Placed = tuple[str, TextSegment]
"""A segment with the id of its chapter."""


@dataclass(frozen=True, slots=True)
class Side:
    """The parts of a project that a change touches, as they are on one side of it."""

    header: Project | None = None
    """The project without segments and revisions; None where only segments change."""
    segments: Mapping[str, TextSegment | None] = field(default_factory=dict)
    """The segments by id; None for one that is not there."""
    orders: Mapping[str, tuple[str, ...] | None] = field(default_factory=dict)
    """The ids of a chapter's segments, by the chapter's id; None for a chapter that is not there."""

    def to_json(self) -> dict[str, object]:
        return {
            "header": None if self.header is None else to_data(self.header),
            "segments": {key: None if one is None else to_data(one) for key, one in self.segments.items()},
            "orders": {key: None if ids is None else list(ids) for key, ids in self.orders.items()},
        }

    @classmethod
    def from_json(cls, data: Mapping[str, object]) -> Side:
        """Raises ValueError."""
        header, segments, orders = data.get("header"), data.get("segments"), data.get("orders")
        if not isinstance(segments, dict) or not isinstance(orders, dict):
            raise ValueError("no side of a change")  # noqa: TRY004 - whatever is wrong with the file is one error
        return cls(
            None if header is None else from_data(Project, header),
            {key: None if one is None else from_data(TextSegment, one) for key, one in segments.items()},
            {key: None if ids is None else tuple(map(str, ids)) for key, ids in orders.items()},
        )


def header_of(project: Project, *, stamped: bool = False) -> Project:
    """The project without segments; unless `stamped`, without the numbers and times that each edit changes, too."""
    chapters = tuple(replace(chapter, segments=()) for chapter in project.chapters)
    if stamped:
        return replace(project, chapters=chapters)
    return replace(project, chapters=chapters, revision=0, header_revision=0, updated_at="")


def bare(segment: TextSegment) -> TextSegment:
    """The segment as a chapter's file keeps it: its takes lie in files of their own."""
    if segment.all_takes or segment.failure is not None:
        return replace(segment, all_takes=(), failure=None)
    return segment


def difference(before: Project, after: Project) -> tuple[Side, Side]:
    """The two sides of the change from `before` to `after`. What is the same object in both is not compared."""
    old, new = header_of(before), header_of(after)
    is_header = old != new
    left, right = _chapters_not_in(before, after), _chapters_not_in(after, before)
    was, now = _placed(left), _placed(right)
    changed = [key for key in {**was, **now} if _is_changed(was.get(key), now.get(key))]
    orders = [key for key in {**left, **right} if _order(left.get(key)) != _order(right.get(key))]

    def side(header: Project, placed: Mapping[str, _Placed], chapters: Mapping[str, Chapter]) -> Side:
        return Side(
            header if is_header else None,
            {key: bare(placed[key][1]) if key in placed else None for key in changed},
            {key: _order(chapters.get(key)) for key in orders},
        )

    return side(old, was, left), side(new, now, right)


def chapters_of(project: Project, side: Side) -> tuple[str, ...]:
    """The chapters of `project`, whose files the side of a change touches."""
    return tuple(
        chapter.id
        for chapter in project.chapters
        if chapter.id in side.orders or any(one.id in side.segments for one in chapter.segments)
    )


def applied(project: Project, side: Side, takes: Mapping[str, TextSegment]) -> Project:
    """The project with that side of a change. A segment that comes back gets its takes from `takes`."""
    header = side.header or header_of(project)
    present = {chapter.id: chapter for chapter in project.chapters}
    pool: dict[str, TextSegment] = {}
    if side.orders:
        pool = {one.id: one for chapter in project.chapters for one in chapter.segments}
    pool.update({key: _with_takes(one, takes) for key, one in side.segments.items() if one is not None})
    chapters = []
    for chapter in header.chapters:
        found = present.get(chapter.id)
        segments = () if found is None else found.segments
        order = side.orders.get(chapter.id)
        if order is not None:
            segments = tuple(pool[key] for key in order if key in pool)
        elif any(key in side.segments for key in (one.id for one in segments)):
            segments = tuple(pool.get(one.id, one) for one in segments)
        is_same = found is not None and segments == found.segments and chapter == replace(found, segments=())
        chapters.append(found if is_same and found is not None else replace(chapter, segments=segments))
    return replace(
        header,
        chapters=tuple(chapters),
        revision=project.revision,
        header_revision=project.header_revision,
        updated_at=project.updated_at,
    )


def _with_takes(segment: TextSegment, takes: Mapping[str, TextSegment]) -> TextSegment:
    found = takes.get(segment.id)
    return segment if found is None else replace(segment, all_takes=found.all_takes, failure=found.failure)


def _chapters_not_in(project: Project, other: Project) -> dict[str, Chapter]:
    """The chapters of `project` that are not the same objects in the other state of it."""
    same = {id(chapter) for chapter in other.chapters}
    return {chapter.id: chapter for chapter in project.chapters if id(chapter) not in same}


def _placed(chapters: Mapping[str, Chapter]) -> dict[str, _Placed]:
    return {one.id: (chapter.id, one) for chapter in chapters.values() for one in chapter.segments}


def _is_changed(was: _Placed | None, now: _Placed | None) -> bool:
    """Whether the segment differs, or lies in another chapter: then both files must be able to get it from here."""
    if was is None or now is None:
        return was is not now
    return was[0] != now[0] or (was[1] is not now[1] and bare(was[1]) != bare(now[1]))


def _order(chapter: Chapter | None) -> tuple[str, ...] | None:
    return None if chapter is None else tuple(one.id for one in chapter.segments)
