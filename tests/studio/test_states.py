"""A segment's state, the take that counts and its key follow from the document alone."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tts_core.domain.values import Sampling
from tts_core.studio.model import (
    CastMember,
    Delivery,
    Project,
    SegmentState,
    SegmentTake,
    TakeCheck,
    TakeFailure,
    TakeFlag,
    TakeOrigin,
    TextSegment,
)
from tts_core.studio.states import Manner, keys_of, state_of, take_seed, take_that_counts

TEXT, MANNER = "Hello there.", Manner(voice="builtin/aria", fingerprint="", language="en")
KEYS = keys_of(TEXT, MANNER)
WRONG = TakeCheck(flags=(TakeFlag.WRONG_WORDS,), errors=3, units=4)


def take(number: int, key: str = KEYS.made, check: TakeCheck | None = None) -> SegmentTake:
    return SegmentTake(
        f"t{number}", f"t{number}.flac", number, key, duration_s=1.0, sample_rate=24000, check=check, made_at=""
    )


def segment(*takes: SegmentTake, **fields: object) -> TextSegment:
    return replace(TextSegment("s1", "Hello there.", all_takes=takes), **fields)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("one", "state"),
    [
        (segment(), SegmentState.WAITING),
        (segment(text="… !"), SegmentState.EMPTY),
        (segment(take(1), is_skipped=True), SegmentState.SKIPPED),
        (segment(take(1)), SegmentState.READY),
        (segment(take(1, "another")), SegmentState.STALE),
        (segment(take(1, check=WRONG)), SegmentState.FLAGGED),
        (segment(take(1, check=WRONG), accepted=("t1",)), SegmentState.READY),
        (segment(take(1), deleted=("t1",)), SegmentState.WAITING),
        (segment(failure=TakeFailure("engine_failed", KEYS.made)), SegmentState.FAILED),
        (segment(failure=TakeFailure("engine_failed", "another")), SegmentState.WAITING),
        (segment(take(1), failure=TakeFailure("engine_failed", KEYS.made)), SegmentState.READY),
    ],
)
def test_the_state_follows_from_text_takes_and_flags(one: TextSegment, state: SegmentState) -> None:
    assert state_of(one, KEYS) is state


def test_what_is_being_made_shows_so() -> None:
    assert state_of(segment(take(1)), KEYS, {"s1"}) is SegmentState.MAKING
    assert state_of(segment(take(1)), KEYS, {"s2"}) is SegmentState.READY


def test_a_retry_does_not_replace_a_better_take() -> None:
    better, worse = take(1, check=TakeCheck(WRONG.flags, 1, 10)), take(2, check=TakeCheck(WRONG.flags, 5, 10))
    assert take_that_counts(segment(better, worse), KEYS) == better
    assert take_that_counts(segment(take(1), take(2)), KEYS) == take(2)


def test_a_chosen_take_counts_as_long_as_it_fits() -> None:
    old, new = take(1, "another"), take(2)
    assert take_that_counts(segment(take(1), new, chosen="t1"), KEYS) == take(1)
    assert take_that_counts(segment(old, new, chosen="t1"), KEYS) == new
    assert take_that_counts(segment(old, take(2, "a third"), chosen="t1"), KEYS) == old


def test_a_recording_of_ones_own_outlives_a_change_of_the_voice_but_not_of_the_text() -> None:
    own = replace(take(1, KEYS.recorded), origin=TakeOrigin.RECORDED)
    assert state_of(segment(own), keys_of(TEXT, replace(MANNER, voice="builtin/bob"))) is SegmentState.READY
    assert state_of(segment(own), keys_of("Good bye.", MANNER)) is SegmentState.STALE


@pytest.mark.parametrize(
    "other",
    [
        replace(MANNER, voice="builtin/bob"),
        replace(MANNER, fingerprint="changed"),
        replace(MANNER, language="de"),
        replace(MANNER, style="whispering"),
        replace(MANNER, sampling=Sampling(temperature=0.5)),
        replace(MANNER, engine_speed=1.2),
    ],
)
def test_what_changes_the_sound_changes_the_key(other: Manner) -> None:
    assert keys_of(TEXT, other).made != KEYS.made
    assert keys_of(TEXT, other).recorded == KEYS.recorded
    assert keys_of(f"{TEXT}!", MANNER).made != KEYS.made
    assert keys_of(TEXT, MANNER, ("a",)).made != KEYS.made


def test_the_key_stays_over_releases() -> None:
    """Takes on people's disks are known by it: another hash would make all of them stale."""
    assert KEYS.made == "2df8580aa2a09d44f28012dd4fd00711"
    assert take_seed(7, "s1", 1) == 3422553372


def test_a_delivery_is_completed_by_the_cast_and_then_by_the_project() -> None:
    cast = (CastMember("Ann", Delivery(voice="builtin/ann", style="calm"), aliases=("Anna",)),)
    project = Project("p", "Book", cast=cast, defaults=Delivery(voice="builtin/bob", speed=1.2), language="en")
    assert project.delivery_of(segment(speaker="Anna", delivery=Delivery(style=""))) == Delivery(
        "builtin/ann", "", "en", 1.2
    )
    assert project.delivery_of(segment()) == Delivery("builtin/bob", "", "en", 1.2)
