"""Listening to speech while it is being made."""

from __future__ import annotations

from threading import Thread

import numpy as np
import pytest

from tests.fakes import CHUNK_SAMPLES, SAMPLE_RATE, tone
from tts_core.audio.files import to_int16
from tts_core.speech import live
from tts_core.speech.faults import UnknownTake
from tts_core.speech.live import LiveStreams


def test_a_listener_gets_each_piece_as_it_is_written_with_exact_levels() -> None:
    stream = LiveStreams().open(SAMPLE_RATE)
    listener = stream.read()
    for chunk in range(3):
        stream.write(tone(chunk))
        assert next(listener) == to_int16(tone(chunk)).tobytes()
    stream.close()
    assert list(listener) == []


def test_a_late_listener_starts_at_the_byte_it_asks_for() -> None:
    stream = LiveStreams().open(SAMPLE_RATE)
    stream.write(tone())
    stream.close()
    whole = b"".join(stream.read())
    assert len(whole) == 2 * CHUNK_SAMPLES
    assert b"".join(stream.read(1001)) == whole[1001:]
    assert list(stream.read(10**9)) == []


def test_listeners_in_other_threads_wait_for_sound_and_all_hear_the_same() -> None:
    stream = LiveStreams().open(SAMPLE_RATE)
    heard: list[bytes] = []
    threads = [Thread(target=lambda: heard.append(b"".join(stream.read()))) for _ in range(3)]
    for thread in threads:
        thread.start()
    for chunk in range(5):
        stream.write(tone(chunk))
    stream.close()
    for thread in threads:
        thread.join(60)
    expected = np.concatenate([to_int16(tone(chunk)) for chunk in range(5)]).tobytes()
    assert heard == [expected] * 3


def test_nothing_is_added_after_the_end() -> None:
    stream = LiveStreams().open(SAMPLE_RATE)
    stream.close()
    stream.write(tone())
    assert list(stream.read()) == []


def test_a_stream_is_found_by_its_id_and_others_are_unknown() -> None:
    streams = LiveStreams()
    stream = streams.open(SAMPLE_RATE)
    assert streams.get(stream.id) is stream
    with pytest.raises(UnknownTake):
        streams.get("0" * 32)


def test_ended_streams_make_room_for_new_ones_before_running_ones() -> None:
    streams = LiveStreams(max_streams=2)
    running, ended = streams.open(SAMPLE_RATE), streams.open(SAMPLE_RATE)
    ended.close()
    newest = streams.open(SAMPLE_RATE)
    assert streams.get(running.id) is running
    assert streams.get(newest.id) is newest
    with pytest.raises(UnknownTake):
        streams.get(ended.id)


def test_listeners_of_a_running_stream_that_had_to_go_are_not_left_waiting() -> None:
    streams = LiveStreams(max_streams=1)
    dropped = streams.open(SAMPLE_RATE)
    streams.open(SAMPLE_RATE)
    assert list(dropped.read()) == []


def test_one_stream_keeps_a_bounded_amount_of_sound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live, "MAX_STREAM_BYTES", 2 * CHUNK_SAMPLES)
    stream = LiveStreams().open(SAMPLE_RATE)
    stream.write(tone(0))
    stream.write(tone(1))
    stream.close()
    assert b"".join(stream.read()) == to_int16(tone(0)).tobytes()


def test_ended_streams_leave_by_size_and_the_newest_of_them_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tts_core.speech.live.MAX_ENDED_BYTES", 1000)
    streams = LiveStreams()
    ended = []
    for _ in range(3):
        stream = streams.open(24_000)
        stream.write(np.zeros(400, np.float32))
        stream.close()
        ended.append(stream.id)
    streams.open(24_000)
    with pytest.raises(UnknownTake):
        streams.get(ended[0])
    assert streams.get(ended[2]).size_bytes == 800
