"""The use case: validation, order of events, the queue, cancelling, and the file that remains."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from threading import Event, Thread

import numpy as np
import pytest
import soundfile

from tests.fakes import CHUNK_SAMPLES, SAMPLE_RATE, FakeEngine, wait_for_pruning
from tts_core.audio.faults import UnsupportedFormat
from tts_core.domain.errors import Cancelled, EngineFailed, QueueFull, StudioError, UnknownLanguage, UnknownVoice
from tts_core.domain.events import AudioChunk, Queued, Restarted, SpeakEvent, Started, TakeReady
from tts_core.domain.values import StopReason, SynthesisRequest
from tts_core.platform.settings.studio import Limits
from tts_core.speech.faults import EmptyText, InstructNotSupported, TextTooLong
from tts_core.speech.queue import SpeechQueue
from tts_core.speech.synthesis import Synthesis, collect
from tts_core.speech.takes import Outputs

LIMITS = Limits(max_text_chars=50, max_waiting=1)


class Studio:
    """A synthesis over fake engines and a real folder."""

    def __init__(self, folder: Path, *engines: FakeEngine) -> None:
        self.engine = engines[0] if engines else FakeEngine()
        self.folder = folder
        self.outputs = Outputs(folder, LIMITS)
        self.synthesis = Synthesis(engines or (self.engine,), SpeechQueue(LIMITS.max_waiting), self.outputs, LIMITS)

    def files(self) -> list[str]:
        return sorted(path.name for path in self.folder.iterdir()) if self.folder.is_dir() else []


@pytest.fixture
def studio(tmp_path: Path) -> Studio:
    return Studio(tmp_path / "outputs")


def test_a_take_starts_streams_its_chunks_and_ends_with_the_file_that_holds_exactly_them(studio: Studio) -> None:
    events = list(studio.synthesis.speak(SynthesisRequest("abc", seed=7)))
    chunks = [event.samples for event in events if isinstance(event, AudioChunk)]
    assert [type(event) for event in events] == [Started, AudioChunk, AudioChunk, AudioChunk, TakeReady]
    assert events[0] == Started(SAMPLE_RATE)
    ready = events[-1]
    assert isinstance(ready, TakeReady)
    take = ready.take
    samples, rate = soundfile.read(take.path, dtype="float32")
    np.testing.assert_allclose(samples, np.concatenate(chunks), atol=1 / 32768)
    assert take.duration_s == pytest.approx(0.3)
    assert (rate, take.seed) == (SAMPLE_RATE, 7)
    assert (take.voice.id, take.language, take.stop_reason) == ("fake/tone", "auto", StopReason.COMPLETE)
    assert 0 < take.first_audio_s <= take.wall_s
    assert take.rtf == take.duration_s / take.wall_s
    assert studio.outputs.find(take.id) == take.path


def test_chunks_arrive_before_the_engine_has_made_the_rest(studio: Studio) -> None:
    events = studio.synthesis.speak(SynthesisRequest("abcdef"))
    next(events)
    first = next(events)
    assert isinstance(first, AudioChunk)
    assert studio.files()[0].endswith(".wav.part")
    _close(events)


def test_collecting_the_stream_gives_the_take(studio: Studio) -> None:
    take = collect(studio.synthesis.speak(SynthesisRequest("abc"), format="flac"))
    assert take.format == "flac"
    assert soundfile.info(take.path).format == "FLAC"


def test_opus_files_say_their_own_rate_and_the_same_seconds(studio: Studio) -> None:
    take = collect(studio.synthesis.speak(SynthesisRequest("abcdefghij"), format="opus"))
    assert take.sample_rate == 48_000
    assert take.duration_s == pytest.approx(1.0)


@pytest.mark.parametrize(
    ("request_", "format_name", "error"),
    [
        (SynthesisRequest(" \n"), "wav", EmptyText),
        (SynthesisRequest("?!…"), "wav", EmptyText),
        (SynthesisRequest("\x00\u200b"), "wav", EmptyText),
        (SynthesisRequest("a" * 51), "wav", TextTooLong),
        (SynthesisRequest("a", voice="fake/nobody"), "wav", UnknownVoice),
        (SynthesisRequest("a", language="Elvish"), "wav", UnknownLanguage),
        (SynthesisRequest("a", instruct="whisper"), "wav", InstructNotSupported),
        (SynthesisRequest("a"), "exe", UnsupportedFormat),
    ],
)
def test_a_bad_request_fails_at_the_call_and_leaves_no_trace(
    studio: Studio, request_: SynthesisRequest, format_name: str, error: type[StudioError]
) -> None:
    with pytest.raises(error):
        studio.synthesis.speak(request_, format=format_name)
    assert studio.engine.seen == []
    assert studio.files() == []


def test_the_engine_gets_clean_text_the_voice_and_the_language_code(studio: Studio) -> None:
    collect(studio.synthesis.speak(SynthesisRequest(" a\x07b\u200bc ", language="ENGLISH")))
    assert studio.engine.seen == [SynthesisRequest("a bc", voice="fake/tone", language="en")]


def test_an_instruction_goes_to_a_voice_that_follows_it(tmp_path: Path) -> None:
    studio = Studio(tmp_path, FakeEngine(supports_instruct=True))
    collect(studio.synthesis.speak(SynthesisRequest("a", instruct="whisper")))
    assert studio.engine.seen[0].instruct == "whisper"


def test_the_best_engine_that_has_a_voice_is_the_default_and_any_voice_can_be_named(tmp_path: Path) -> None:
    empty, best, plain = FakeEngine("empty", speakers=()), FakeEngine("best"), FakeEngine("plain")
    synthesis = Studio(tmp_path, empty, best, plain).synthesis
    assert [voice.id for voice in synthesis.voices()] == ["best/tone", "plain/tone"]
    assert collect(synthesis.speak(SynthesisRequest("a"))).voice.engine == "best"
    assert collect(synthesis.speak(SynthesisRequest("a", voice="plain/tone"))).voice.engine == "plain"
    assert synthesis.engine_of(None) is best
    assert synthesis.capabilities("plain/tone") == plain.capabilities()


def test_a_second_request_waits_until_the_first_is_done(studio: Studio) -> None:
    first = studio.synthesis.speak(SynthesisRequest("a"))
    next(first)
    second = studio.synthesis.speak(SynthesisRequest("b"))
    assert next(second) == Queued(1)
    collect(first)
    collect(second)
    assert [request.text for request in studio.engine.seen] == ["a", "b"]


def test_one_request_too_many_is_refused_at_the_call(studio: Studio) -> None:
    running, waiting = (studio.synthesis.speak(SynthesisRequest("a")) for _ in range(2))
    next(running)
    next(waiting)
    with pytest.raises(QueueFull):
        studio.synthesis.speak(SynthesisRequest("c"))
    _close(waiting)
    studio.synthesis.speak(SynthesisRequest("c"))


def test_an_iterator_that_is_never_started_takes_no_place_in_the_queue(studio: Studio) -> None:
    for _ in range(5):
        studio.synthesis.speak(SynthesisRequest("a"))
    collect(studio.synthesis.speak(SynthesisRequest("b")))


def test_closing_early_stops_the_engine_leaves_no_file_and_lets_the_next_one_speak(studio: Studio) -> None:
    events = studio.synthesis.speak(SynthesisRequest("abc"))
    assert isinstance([next(events), next(events)][1], AudioChunk)
    _close(events)
    assert studio.files() == []
    collect(studio.synthesis.speak(SynthesisRequest("next")))


def test_stopping_keeps_what_was_spoken_as_a_finished_file_marked_so(studio: Studio) -> None:
    stop = Event()
    events = studio.synthesis.speak(SynthesisRequest("abcdef"), cancelled=stop.is_set)
    assert isinstance([next(events), next(events), next(events)][2], AudioChunk)
    stop.set()
    take = collect(events)
    assert take.stop_reason is StopReason.CANCELLED
    assert soundfile.info(take.path).frames == 2 * CHUNK_SAMPLES


def test_stopping_before_there_is_sound_is_cancelled_and_leaves_no_file(studio: Studio) -> None:
    stop = Event()
    events = studio.synthesis.speak(SynthesisRequest("abc"), cancelled=stop.is_set)
    next(events)
    stop.set()
    with pytest.raises(Cancelled):
        collect(events)
    assert studio.files() == []


def test_stopping_while_waiting_gives_up_the_place(studio: Studio) -> None:
    running = studio.synthesis.speak(SynthesisRequest("a"))
    next(running)
    stop = Event()
    waiting = studio.synthesis.speak(SynthesisRequest("b"), cancelled=stop.is_set)
    next(waiting)
    stop.set()
    with pytest.raises(Cancelled):
        collect(waiting)
    collect(running)
    assert [request.text for request in studio.engine.seen] == ["a"]


def test_an_engine_that_breaks_leaves_no_file_and_lets_the_next_one_speak(tmp_path: Path) -> None:
    studio = Studio(tmp_path, FakeEngine(fail_at=2))
    with pytest.raises(EngineFailed):
        collect(studio.synthesis.speak(SynthesisRequest("abcd")))
    assert studio.files() == []
    assert collect(studio.synthesis.speak(SynthesisRequest("ab"))).stop_reason is StopReason.COMPLETE


def test_two_threads_at_once_each_get_their_own_whole_take(studio: Studio) -> None:
    studio.engine.go.clear()
    takes: list[float] = []
    threads = [
        Thread(
            target=lambda text=text: takes.append(collect(studio.synthesis.speak(SynthesisRequest(text))).duration_s)
        )
        for text in ("aa", "bbbb")
    ]
    for thread in threads:
        thread.start()
    studio.engine.go.set()
    for thread in threads:
        thread.join(60)
    assert sorted(takes) == [pytest.approx(0.2), pytest.approx(0.4)]


def test_old_takes_make_room_for_new_ones(tmp_path: Path) -> None:
    limits = Limits(max_output_bytes=12_000)  # a take of two characters has 9644 bytes
    synthesis = Synthesis([FakeEngine()], SpeechQueue(1), Outputs(tmp_path, limits), limits)
    first = collect(synthesis.speak(SynthesisRequest("aa")))
    second = collect(synthesis.speak(SynthesisRequest("bb")))
    wait_for_pruning()
    assert not first.path.exists()
    assert second.path.exists()


def test_closing_frees_every_engine(tmp_path: Path) -> None:
    engines = FakeEngine("one"), FakeEngine("two")
    Studio(tmp_path, *engines).synthesis.close()
    assert all(engine.is_closed for engine in engines)


def test_a_slow_engine_holds_up_no_other(tmp_path: Path) -> None:
    slow, quick = FakeEngine("piper"), FakeEngine("qwen", slots=32)
    studio = Studio(tmp_path, slow, quick)
    speaking = studio.synthesis.speak(SynthesisRequest("abc", voice="piper/tone"))
    assert isinstance(next(speaking), Started)  # and stays so
    waiting = studio.synthesis.speak(SynthesisRequest("abc", voice="piper/tone"))
    assert next(waiting) == Queued(1)
    with pytest.raises(QueueFull):
        studio.synthesis.speak(SynthesisRequest("a", voice="piper/tone"))
    takes = [studio.synthesis.speak(SynthesisRequest("ab", voice="qwen/tone", seed=seed)) for seed in range(32)]
    assert {type(next(events)) for events in takes} == {Started}
    assert [collect(events).seed for events in takes] == list(range(32))
    _close(waiting)
    collect(speaking)


class Book:
    """A take in the background, of which some is made."""

    def __init__(self, studio: Studio, made: int, stop: Event | None = None) -> None:
        cancelled = (stop or Event()).is_set
        self.events = studio.synthesis.speak(
            SynthesisRequest("abcdefgh", seed=7), cancelled=cancelled, background_s=0.8
        )
        assert isinstance(next(self.events), Started)
        for _ in range(made):
            assert isinstance(next(self.events), AudioChunk)


@pytest.mark.parametrize("made", [0, 1, 3])
def test_less_than_half_of_a_take_in_the_background_gives_way(studio: Studio, made: int) -> None:
    book = Book(studio, made)
    person = studio.synthesis.speak(SynthesisRequest("hi"))
    assert next(person) == Queued(1)
    assert next(book.events) == Restarted(StopReason.CANCELLED)
    assert studio.files() == []
    assert isinstance(next(person), Started)
    assert next(book.events) == Queued(1)
    assert collect(person).stop_reason is StopReason.COMPLETE
    take = collect(book.events)
    assert (take.seed, take.stop_reason) == (7, StopReason.COMPLETE)
    assert take.duration_s == pytest.approx(0.8)
    assert [request.seed for request in studio.engine.seen if len(request.text) > 2] == [7, 7]


def test_more_than_half_of_a_take_in_the_background_is_waited_for(studio: Studio) -> None:
    book = Book(studio, made=4)
    person = studio.synthesis.speak(SynthesisRequest("hi"))
    assert next(person) == Queued(1)
    assert collect(book.events).stop_reason is StopReason.COMPLETE
    collect(person)
    assert [request.text for request in studio.engine.seen] == ["abcdefgh", "hi"]


def test_nobody_waits_where_a_place_is_free_and_a_book_fills_no_queue(tmp_path: Path) -> None:
    studio = Studio(tmp_path, FakeEngine(slots=2))
    book = Book(studio, made=0)
    waiting = [studio.synthesis.speak(SynthesisRequest("abcdefgh"), background_s=0.8) for _ in range(20)]
    assert {type(next(events)) for events in waiting} == {Queued}
    assert isinstance(next(studio.synthesis.speak(SynthesisRequest("hi"))), Started)
    assert isinstance(next(book.events), AudioChunk)  # and goes on


def test_stopping_a_take_that_gave_way_ends_it(studio: Studio) -> None:
    stop = Event()
    book = Book(studio, made=1, stop=stop)
    person = studio.synthesis.speak(SynthesisRequest("hi"))
    assert next(person) == Queued(1)
    assert next(book.events) == Restarted(StopReason.CANCELLED)
    stop.set()
    with pytest.raises(Cancelled):
        collect(book.events)
    collect(person)
    assert studio.synthesis.at_once(None) == 1


def _close(events: Iterator[SpeakEvent]) -> None:
    events.close()  # type: ignore[attr-defined]


def test_an_engine_that_speaks_several_at_once_is_let(tmp_path: Path) -> None:
    studio = Studio(tmp_path, FakeEngine(slots=2))
    speaking = [studio.synthesis.speak(SynthesisRequest("abc", seed=seed)) for seed in (1, 2, 3)]
    assert [type(next(events)) for events in speaking] == [Started, Started, Queued]
    assert collect(speaking[1]).seed == 2
    assert isinstance(next(speaking[2]), Started)
    assert [collect(events).seed for events in (speaking[2], speaking[0])] == [3, 1]
