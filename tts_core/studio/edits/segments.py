"""The edits of a project's segments. Pure functions: each gives the project as it is after one edit."""

from __future__ import annotations

import dataclasses
import secrets
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, replace
from typing import Any

from tts_core.domain.errors import InvalidValue
from tts_core.domain.text import clean, speakable
from tts_core.speech.plan.split import PauseReason
from tts_core.studio.faults import NothingToMerge, SplitOutside, UnknownSegment
from tts_core.studio.measures import chapter_in, segment_in, take_in
from tts_core.studio.model import Chapter, Delivery, Project, Slot, TextSegment

MAX_SEGMENT_CHARS = 5_000
"""The longest text of one segment; one is meant to be spoken in half a minute."""
MAX_PAUSE_S = 60.0
_ENDS = ".!?。！？…؟।॥\"'”’»」』)）"


@dataclass(frozen=True, slots=True)
class SegmentChanges:
    """New values for segments; None leaves a value as it is."""

    speaker: str | None = None
    delivery: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    """New values of a Delivery by name; None in it takes the value of the cast or the project again."""
    pause_s: float | None = None
    usual_pause: bool = False
    """Whether the pause is the usual one again."""
    seed: int | None = None
    new_seeds: bool = False
    """Whether the seed follows from the project's again."""
    is_skipped: bool | None = None
    note: str | None = None
    file_name: str | None = None

    def of(self, segment: TextSegment) -> TextSegment:
        """The segment with the new values. Raises InvalidValue."""
        values: dict[str, Any] = {
            name: value
            for name in ("speaker", "pause_s", "seed", "is_skipped", "note", "file_name")
            if (value := getattr(self, name)) is not None
        }
        if self.usual_pause:
            values["pause_s"] = None
        if self.new_seeds:
            values["seed"] = None
        check_pause(values.get("pause_s"))
        if self.delivery:
            values["delivery"] = changed_delivery(segment.delivery, self.delivery)
        return replace(segment, **values)


def new_id(prefix: str) -> str:
    return f"{prefix}{secrets.token_hex(5)}"


def with_segment(project: Project, segment_id: str, change: Callable[[TextSegment], TextSegment]) -> Project:
    """The project with one segment changed. Raises UnknownSegment."""
    return with_segments(project, (segment_id,), change)


def with_segments(
    project: Project, segment_ids: Collection[str], change: Callable[[TextSegment], TextSegment]
) -> Project:
    """The project with these segments changed. Raises UnknownSegment."""
    wanted = set(segment_ids)
    chapters = []
    for chapter in project.chapters:
        if wanted.isdisjoint(one.id for one in chapter.segments):
            chapters.append(chapter)
            continue
        wanted_here = {one.id for one in chapter.segments} & wanted
        wanted -= wanted_here
        segments = tuple(change(one) if one.id in wanted_here else one for one in chapter.segments)
        chapters.append(replace(chapter, segments=segments))
    if wanted:
        raise UnknownSegment(segment=min(wanted))
    return replace(project, chapters=tuple(chapters))


def with_text(project: Project, segment_id: str, text: str) -> Project:
    """Another text for a segment. Its takes stay, and fit again once the text is put back."""
    return with_segment(project, segment_id, lambda segment: replace(segment, text=checked_text(text)))


def with_changes(project: Project, segment_ids: Collection[str], changes: SegmentChanges) -> Project:
    """Other values for segments. Raises UnknownSegment, InvalidValue."""
    return with_segments(project, segment_ids, changes.of)


def split_at(project: Project, segment_id: str, place: int) -> Project:
    """Two segments in the place of one, whose takes stay with the first. Raises UnknownSegment, SplitOutside."""
    segment = segment_in(project, segment_id)
    left, right = segment.text[: max(0, place)].rstrip(), segment.text[max(0, place) :].lstrip()
    if not speakable(left) or not speakable(right):
        raise SplitOutside
    first_slot, second_slot = _parted(segment.slot, len(left) / (len(left) + len(right)))
    reason = PauseReason.SENTENCE if left[-1] in _ENDS else PauseReason.CLAUSE
    first = replace(segment, text=left, pause_reason=reason, pause_s=None, slot=first_slot)
    second = TextSegment(
        new_id("s"),
        right,
        speaker=segment.speaker,
        delivery=segment.delivery,
        pause_reason=segment.pause_reason,
        pause_s=segment.pause_s,
        slot=second_slot,
        is_skipped=segment.is_skipped,
    )
    return _replaced(project, segment_id, (first, second))


def merged_with_next(project: Project, segment_id: str) -> Project:
    """A segment in the place of two; it keeps the first one's voice and takes.

    Raises UnknownSegment, NothingToMerge, InvalidValue.
    """
    chapter, place = place_of(project, segment_id)
    if place + 1 >= len(chapter.segments):
        raise NothingToMerge
    first, second = chapter.segments[place], chapter.segments[place + 1]
    slot = Slot(first.slot.start_s, second.slot.end_s) if first.slot and second.slot else first.slot
    merged = replace(
        first,
        text=checked_text(joined(first.text, second.text)),
        pause_reason=second.pause_reason,
        pause_s=second.pause_s,
        slot=slot,
        is_skipped=first.is_skipped and second.is_skipped,
    )
    segments = (*chapter.segments[:place], merged, *chapter.segments[place + 2 :])
    return project.with_chapter(replace(chapter, segments=segments))


def inserted(project: Project, chapter_id: str, after: str, text: str, speaker: str = "") -> Project:
    """A new segment after another one, or with "" at the chapter's start. Raises UnknownChapter, UnknownSegment."""
    chapter = chapter_in(project, chapter_id)
    place = _place_after(chapter, after)
    reason = PauseReason.SENTENCE if place == 0 else chapter.segments[place - 1].pause_reason
    segment = TextSegment(new_id("s"), checked_text(text), speaker=speaker, pause_reason=reason)
    segments = (*chapter.segments[:place], segment, *chapter.segments[place:])
    return project.with_chapter(replace(chapter, segments=segments))


def moved(project: Project, segment_id: str, chapter_id: str, after: str) -> Project:
    """The segment after another one, or with "" at the chapter's start. Raises UnknownChapter, UnknownSegment."""
    segment = segment_in(project, segment_id)
    if after == segment_id:
        return project
    without = removed(project, (segment_id,))
    chapter = chapter_in(without, chapter_id)
    place = _place_after(chapter, after)
    segments = (*chapter.segments[:place], segment, *chapter.segments[place:])
    return without.with_chapter(replace(chapter, segments=segments))


def removed(project: Project, segment_ids: Collection[str]) -> Project:
    """The project without these segments. Raises UnknownSegment."""
    wanted = set(segment_ids)
    chapters = []
    for chapter in project.chapters:
        segments = tuple(one for one in chapter.segments if one.id not in wanted)
        wanted -= {one.id for one in chapter.segments}
        chapters.append(chapter if len(segments) == len(chapter.segments) else replace(chapter, segments=segments))
    if wanted:
        raise UnknownSegment(segment=min(wanted))
    return replace(project, chapters=tuple(chapters))


def with_chosen(project: Project, segment_id: str, take_id: str) -> Project:
    """The take that is heard; "" takes the best one. Raises UnknownSegment, UnknownSegmentTake."""
    if take_id:
        take_in(segment_in(project, segment_id), take_id)
    return with_segment(project, segment_id, lambda segment: replace(segment, chosen=take_id))


def with_star(project: Project, segment_id: str, take_id: str, *, is_on: bool) -> Project:
    """A take with a star, which is kept whatever happens. Raises UnknownSegment, UnknownSegmentTake."""
    take_in(segment_in(project, segment_id), take_id)

    def starred(segment: TextSegment) -> TextSegment:
        others = tuple(one for one in segment.starred if one != take_id)
        return replace(segment, starred=(*others, take_id) if is_on else others)

    return with_segment(project, segment_id, starred)


def without_take(project: Project, segment_id: str, take_id: str) -> Project:
    """A deleted take; undo brings it back until its file is cleared. Raises UnknownSegment, UnknownSegmentTake."""
    take_in(segment_in(project, segment_id), take_id)

    def deleted(segment: TextSegment) -> TextSegment:
        others = tuple(one for one in segment.deleted if one != take_id)
        chosen = "" if segment.chosen == take_id else segment.chosen
        return replace(segment, deleted=(*others, take_id), chosen=chosen)

    return with_segment(project, segment_id, deleted)


def accepted(project: Project, segment_id: str, take_id: str) -> Project:
    """A take that a person found right. What its transcript differs in is right in later takes as well.

    Raises UnknownSegment, UnknownSegmentTake.
    """
    take = take_in(segment_in(project, segment_id), take_id)
    differences = () if take.check is None else take.check.differences

    def right(segment: TextSegment) -> TextSegment:
        return replace(
            segment,
            accepted=tuple(dict.fromkeys((*segment.accepted, take_id))),
            tolerated=tuple(dict.fromkeys((*segment.tolerated, *differences))),
        )

    return with_segment(project, segment_id, right)


def checked_text(text: str) -> str:
    """The text as it is kept. Raises InvalidValue for one that is too long for a segment."""
    cleaned = clean(text)
    if len(cleaned) > MAX_SEGMENT_CHARS:
        raise InvalidValue(name="the length of a segment's text", low=0, high=MAX_SEGMENT_CHARS)
    return cleaned


def check_pause(pause_s: float | None) -> None:
    """Raises InvalidValue."""
    if pause_s is not None and not 0 <= pause_s <= MAX_PAUSE_S:
        raise InvalidValue(name="pause_s", low=0, high=MAX_PAUSE_S)


def changed_delivery(delivery: Delivery, changes: Mapping[str, Any]) -> Delivery:
    """The delivery with new values by name. Raises InvalidValue."""
    changed = replace(delivery, **changes)
    if changed.speed is not None and not 0.5 <= changed.speed <= 2.0:
        raise InvalidValue(name="speed", low=0.5, high=2.0)
    return changed


def joined(left: str, right: str) -> str:
    """Two texts as one, with a blank between them where their writing has any."""
    if not left or not right:
        return left or right
    return left + ("" if _is_wide(left[-1]) or _is_wide(right[0]) else " ") + right


def place_of(project: Project, segment_id: str) -> tuple[Chapter, int]:
    """The chapter with the segment, and its place there. Raises UnknownSegment."""
    for chapter in project.chapters:
        for place, segment in enumerate(chapter.segments):
            if segment.id == segment_id:
                return chapter, place
    raise UnknownSegment(segment=segment_id)


def _replaced(project: Project, segment_id: str, segments: tuple[TextSegment, ...]) -> Project:
    chapter, place = place_of(project, segment_id)
    together = (*chapter.segments[:place], *segments, *chapter.segments[place + 1 :])
    return project.with_chapter(replace(chapter, segments=together))


def _place_after(chapter: Chapter, segment_id: str) -> int:
    if not segment_id:
        return 0
    for place, segment in enumerate(chapter.segments):
        if segment.id == segment_id:
            return place + 1
    raise UnknownSegment(segment=segment_id)


def _parted(slot: Slot | None, share: float) -> tuple[Slot | None, Slot | None]:
    if slot is None:
        return None, None
    middle = slot.start_s + (slot.end_s - slot.start_s) * share
    return Slot(slot.start_s, middle), Slot(middle, slot.end_s)


def _is_wide(char: str) -> bool:
    """Whether the letter or mark is of a writing without blanks."""
    return "\u3000" <= char <= "\u9fff" or "\uf900" <= char <= "\ufaff" or "\uff00" <= char <= "\uffef"
