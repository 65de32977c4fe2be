"""Edits as pure functions: what they make of a document, and what they leave as it is."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.studio.stage import book
from tts_core.domain.errors import InvalidRequest, InvalidValue
from tts_core.speech.plan.split import PauseReason
from tts_core.studio.edits import segments as editing, whole
from tts_core.studio.edits.finding import FoundPlaces, TextSearch, found, replaced
from tts_core.studio.edits.segments import SegmentChanges
from tts_core.studio.faults import (
    NothingToMerge,
    SearchEmpty,
    SplitOutside,
    UnknownChapter,
    UnknownSegment,
    UnknownSegmentTake,
)
from tts_core.studio.model import CastMember, Delivery, Project, Slot

BOOK = book(["One is here. Two is here.", "Three, of course."], ["你好。世界很大。", "Last."])


def texts(project: Project) -> list[list[str]]:
    return [[one.text for one in chapter.segments] for chapter in project.chapters]


def changed(project: Project, segment_id: str, **values: object) -> Project:
    return editing.with_segment(project, segment_id, lambda one: replace(one, **values))  # type: ignore[arg-type]


def test_an_edit_shares_what_it_does_not_touch() -> None:
    after = editing.with_text(BOOK, "s2", "Other.")
    assert after.chapters[1] is BOOK.chapters[1]
    assert after.chapters[0].segments[0] is BOOK.chapters[0].segments[0]
    assert BOOK.chapters[0].segments[1].text == "Three, of course."


def test_a_split_knows_whether_a_sentence_has_ended() -> None:
    slotted = changed(BOOK, "s1", slot=Slot(0.0, 10.0), pause_reason=PauseReason.PARAGRAPH, pause_s=2.0, speaker="Ann")
    after = editing.split_at(slotted, "s1", 12)
    first, second = after.chapters[0].segments[:2]
    assert (first.text, first.pause_reason, first.pause_s) == ("One is here.", PauseReason.SENTENCE, None)
    assert (second.text, second.pause_reason, second.pause_s) == ("Two is here.", PauseReason.PARAGRAPH, 2.0)
    assert (first.slot, second.slot, second.speaker) == (Slot(0.0, 5.0), Slot(5.0, 10.0), "Ann")
    assert editing.split_at(BOOK, "s2", 6).chapters[0].segments[1].pause_reason is PauseReason.CLAUSE


@pytest.mark.parametrize("place", [-1, 0, 16, 17, 99])
def test_a_split_leaves_something_to_say_on_both_sides(place: int) -> None:
    with pytest.raises(SplitOutside):
        editing.split_at(BOOK, "s2", place)


def test_merging_puts_a_blank_only_where_the_writing_has_any() -> None:
    assert texts(editing.merged_with_next(BOOK, "s1"))[0] == ["One is here. Two is here. Three, of course."]
    split = editing.split_at(BOOK, "s3", 3)
    assert texts(editing.merged_with_next(split, "s3")) == texts(BOOK)
    with pytest.raises(NothingToMerge):
        editing.merged_with_next(BOOK, "s2")


def test_segments_are_put_anywhere() -> None:
    assert texts(editing.moved(BOOK, "s4", "c1", "s1"))[0] == [
        "One is here. Two is here.",
        "Last.",
        "Three, of course.",
    ]
    assert texts(editing.moved(BOOK, "s2", "c1", ""))[0] == ["Three, of course.", "One is here. Two is here."]
    assert editing.moved(BOOK, "s2", "c1", "s2") is BOOK
    for segment, chapter, after in (("s9", "c1", ""), ("s1", "c2", "s2"), ("s1", "c2", "s1 ")):
        with pytest.raises(UnknownSegment):
            editing.moved(BOOK, segment, chapter, after)
    with pytest.raises(UnknownChapter):
        editing.moved(BOOK, "s1", "c9", "")


def test_values_are_set_and_reset() -> None:
    changes = SegmentChanges(
        speaker="Ann", delivery={"voice": "a/b", "speed": 1.5}, pause_s=1.0, seed=7, is_skipped=True
    )
    one = editing.with_changes(BOOK, ("s1", "s3"), changes).segments[2]
    assert (one.speaker, one.delivery, one.pause_s, one.seed, one.is_skipped) == (
        "Ann",
        Delivery(voice="a/b", speed=1.5),
        1.0,
        7,
        True,
    )
    back = SegmentChanges(delivery={"voice": None}, usual_pause=True, new_seeds=True, is_skipped=False).of(one)
    assert (back.delivery, back.pause_s, back.seed, back.is_skipped) == (Delivery(speed=1.5), None, None, False)
    for wrong in (SegmentChanges(delivery={"speed": 2.5}), SegmentChanges(pause_s=61.0), SegmentChanges(pause_s=-1.0)):
        with pytest.raises(InvalidValue):
            wrong.of(one)


@pytest.mark.parametrize(
    ("text", "kept"),
    [("a\ud800b", "a b"), ("tab\there\x07", "tab here"), ("two\r\nlines", "two\nlines"), ("\ufeffmark", "mark")],
)
def test_texts_are_kept_as_plain_characters(text: str, kept: str) -> None:
    assert editing.with_text(BOOK, "s1", text).segments[0].text == kept


def test_find_and_replace_takes_texts_as_they_are_written() -> None:
    assert found(BOOK, TextSearch("HERE")) == FoundPlaces(("s1",), 2)
    assert found(BOOK, TextSearch("HERE", match_case=True)) == FoundPlaces((), 0)
    assert found(BOOK, TextSearch("e", whole_words=True)) == FoundPlaces((), 0)
    assert found(BOOK, TextSearch("One", whole_words=True, chapter="c2")) == FoundPlaces((), 0)
    assert found(BOOK, TextSearch(".", chapter="c1")).places == 3
    after = replaced(BOOK, TextSearch("here."), r"\1 [there]?")
    assert after.segments[0].text == r"One is \1 [there]? Two is \1 [there]?"
    assert after.chapters[1] is BOOK.chapters[1]
    with pytest.raises(SearchEmpty):
        replaced(BOOK, TextSearch(""), "x")


def test_chapters_are_arranged() -> None:
    split = whole.chapter_split(BOOK, "s2", "  New\nchapter ")
    assert [chapter.title for chapter in split.chapters] == ["Chapter 1", "New chapter", "Chapter 2"]
    assert texts(whole.chapter_merged_with_next(split, "c1")) == texts(BOOK)
    assert whole.chapter_split(BOOK, "s1") is BOOK
    assert [one.id for one in whole.chapter_moved(BOOK, "c2", "").chapters] == ["c2", "c1"]
    assert [one.id for one in whole.chapter_moved(BOOK, "c1", "c2").chapters] == ["c2", "c1"]
    assert [one.id for one in whole.chapter_removed(BOOK, "c1").chapters] == ["c2"]
    more = whole.with_chapters_after(BOOK, BOOK.chapters)
    assert len({segment.id for segment in more.segments}) == 8


def test_a_cast_has_each_name_once() -> None:
    for cast in ([CastMember("A"), CastMember("A")], [CastMember("")], [CastMember("A", aliases=("B", "B"))]):
        with pytest.raises(InvalidRequest):
            whole.with_cast(BOOK, cast)
    with pytest.raises(InvalidRequest):
        whole.with_settings(BOOK, {"id": "other"})


def test_what_is_about_a_take_needs_one() -> None:
    for edit in (editing.with_chosen, editing.without_take, editing.accepted):
        with pytest.raises(UnknownSegmentTake):
            edit(BOOK, "s1", "t1")
    assert editing.with_chosen(BOOK, "s1", "") == BOOK
