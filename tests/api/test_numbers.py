"""Sound as millions of numbers in JSON: read in pieces, and refused before that where it is too much."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given, strategies
from starlette.applications import Starlette
from starlette.routing import Route
from starlette.testclient import TestClient

from tts_core.api.faults import BodyTooLarge
from tts_core.api.protection.request_guard import MAX_JSON_VALUES
from tts_core.api.services.numbers import MIN_CUT_BYTES, Numbers, NumbersResponse, parsed, written
from tts_core.api.services.sounds import clip_of
from tts_core.audio.faults import RecordingTooLong
from tts_core.domain.errors import InvalidRequest

LIMIT_BYTES = 1_000_000
MANY = MIN_CUT_BYTES  # of at least two bytes each


def test_long_lists_are_what_json_says_wherever_they_stand() -> None:
    sound = np.linspace(-1.0, 1.0, MANY)
    text = 'a "quoted" [1, 2 \\ ' + "[0," * 100
    value = {"audio": sound.tolist(), "text": text, "first": {"audio": sound.tolist(), "short": [1, 2.5]}, "none": None}
    for body in (json.dumps(value), json.dumps(value, indent=8)):
        found = parsed(body.encode(), LIMIT_BYTES)
        for numbers in (found.pop("audio"), found["first"].pop("audio")):
            assert isinstance(numbers, Numbers)
            assert len(numbers) == MANY
            assert np.array_equal(numbers.values(), sound)
        assert found == {"text": text, "first": {"short": [1, 2.5]}, "none": None}


@given(strategies.lists(strategies.floats() | strategies.integers(-(10**20), 10**20), max_size=50))
def test_every_number_is_read_as_json_reads_it(values: list[float]) -> None:
    assert np.array_equal(Numbers.of(values).values(), np.array(values, np.float64), equal_nan=True)


@pytest.mark.parametrize(
    "listed",
    [
        *(
            b"1," * MANY,
            b"1,,1," * MANY + b"1",
            b"1 2 " * MANY,
            b"-" * 2 * MANY,
            b"9" * 2 * MANY,
            b"1." + b"1" * 2 * MANY,
        ),
        *(b"01," * MANY + b"1", b"NaN1," * MANY + b"1", b"1" * 400 + b",1" * MANY),
    ],
    ids=["last comma", "two commas", "no commas", "signs", "long", "long fraction", "leading 0", "words", "huge"],
)
def test_what_looks_like_numbers_only_is_refused(listed: bytes) -> None:
    with pytest.raises(InvalidRequest):
        parsed(b'{"audio": [%s]}' % listed, LIMIT_BYTES)["audio"].values()


def test_what_stands_beside_the_numbers_is_as_bounded_as_any_json() -> None:
    with pytest.raises(BodyTooLarge):
        parsed(b'{"audio": [%s]}' % (b"[1" * LIMIT_BYTES), LIMIT_BYTES)
    with pytest.raises(BodyTooLarge):
        parsed(b'{"audio": "%s"}' % (b"0," * LIMIT_BYTES), LIMIT_BYTES)
    with pytest.raises(InvalidRequest):
        parsed(b'{"audio": [%s{}]}' % (b"{}," * MAX_JSON_VALUES), LIMIT_BYTES)


def test_a_recording_too_long_is_refused_before_its_numbers_are_read() -> None:
    unreadable = Numbers(b",".join([b"-"] * 16_000 * 61))
    with pytest.raises(RecordingTooLong):
        clip_of(unreadable, 16_000)


def test_what_is_written_in_pieces_is_one_answer() -> None:
    sound = np.linspace(-1.0, 1.0, 50_000, dtype=np.float32)
    app = Starlette(routes=[Route("/", lambda _request: NumbersResponse(written({"rate": 1}, "audio", sound)))])
    answer = TestClient(app).get("/")
    assert answer.headers["content-type"] == "application/json"
    assert int(answer.headers["content-length"]) == len(answer.content)
    assert answer.json() == {"audio": sound.tolist(), "rate": 1}
    assert json.loads(written({"rate": 1}, "audio", sound[:0])) == {"audio": [], "rate": 1}
