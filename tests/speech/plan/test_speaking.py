"""A long text is spoken segment by segment: first sound early, exact lengths, one seed, the same bytes again."""

from __future__ import annotations

import itertools
from collections.abc import Generator, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from threading import Event

import numpy as np
import pytest
import soundfile

from tests.fakes import SAMPLE_RATE, FakeEngine
from tts_core.domain.engine import CancelCheck
from tts_core.domain.events import (
    AudioChunk,
    EngineEvent,
    Finished,
    Loading,
    Restarted,
    SegmentRestarted,
    SegmentStarted,
    Started,
    TakeReady,
)
from tts_core.domain.values import (
    Capabilities,
    Decoding,
    PreparedVoice,
    Recording,
    SplitMode,
    StopReason,
    SynthesisRequest,
    Take,
)
from tts_core.platform.settings.studio import Limits
from tts_core.speech.faults import EmptyText, TextTooLong
from tts_core.speech.plan.lexicon import Lexicon, LexiconEntry
from tts_core.speech.plan.plan import plan
from tts_core.speech.plan.speaking import segment_seed
from tts_core.speech.queue import SpeechQueue
from tts_core.speech.synthesis import Synthesis, collect
from tts_core.speech.takes import Outputs

SENTENCES = "The rain fell on the long road to the sea all day. Nobody came to the door of the old house. "
LONG = (SENTENCES * 8).strip()


@dataclass
class SeededEngine(FakeEngine):
    """A faint noise that the seed decides, 10 ms a letter, in chunks of 16 letters."""

    failing: dict[str, int] = field(default_factory=dict)
    """How often a text that begins with the word goes wrong, halfway."""

    def _speak(self, request: SynthesisRequest, cancelled: CancelCheck) -> Iterator[EngineEvent]:
        noise = np.random.default_rng(request.seed)
        letters = len(request.text)
        fails = next((word for word in self.failing if request.text.startswith(word) and self.failing[word]), None)
        if fails:
            self.failing[fails] -= 1
        made_s = 0.0
        for done in range(0, letters, 16):
            if cancelled():
                yield Finished(StopReason.CANCELLED, request.seed)
                return
            if fails and made_s > letters * 0.005:
                yield Finished(StopReason.LOOP, request.seed)
                return
            if request.max_seconds is not None and made_s >= request.max_seconds:
                yield Finished(StopReason.MAX_LENGTH, request.seed)
                return
            chunk_s = 0.01 * min(16, letters - done)
            yield AudioChunk((0.2 * noise.uniform(-1, 1, round(chunk_s * SAMPLE_RATE))).astype(np.float32))
            made_s += chunk_s
        yield Finished(StopReason.COMPLETE, request.seed)


class Room:
    def __init__(self, folder: Path, engine: FakeEngine, *entries: LexiconEntry) -> None:
        limits = Limits()
        lexicon = Lexicon(entries)
        self.engine = engine
        self.synthesis = Synthesis([engine], SpeechQueue(1), Outputs(folder, limits), limits, lambda: lexicon)

    def take(self, text: str, seed: int = 7, **more: object) -> Take:
        return collect(self.synthesis.speak(SynthesisRequest(text, seed=seed, **more)))  # type: ignore[arg-type]

    def spoken(self) -> list[str]:
        return [request.text for request in self.engine.seen]


@pytest.fixture
def room(tmp_path: Path) -> Room:
    return Room(tmp_path, SeededEngine())


def seconds_of(texts: list[str]) -> float:
    return sum(0.01 * len(text) for text in texts)


def test_twenty_thousand_characters_sound_after_the_first_segment(room: Room) -> None:
    text = (SENTENCES * 300)[:19_999]
    events = room.synthesis.speak(SynthesisRequest(text, seed=7))
    seen = []
    for event in events:
        seen.append(event)
        if isinstance(event, AudioChunk):
            break
    assert [type(event) for event in seen] == [Started, SegmentStarted, AudioChunk]
    assert len(room.engine.seen) == 1
    rest = list(events)
    chunks = [event.samples for event in [*seen, *rest] if isinstance(event, AudioChunk)]
    last = rest[-1]
    assert isinstance(last, TakeReady)
    planned = plan(text)
    wanted_s = seconds_of(room.spoken()) + sum(one.pause_after_s for one in planned.segments)
    assert [one.spoken for one in planned.segments] == room.spoken()
    assert last.take.duration_s == pytest.approx(wanted_s, abs=0.01)
    assert last.take.seed == 7
    numbers = [event.number for event in [*seen, *rest] if isinstance(event, SegmentStarted)]
    assert numbers == list(range(1, len(planned.segments) + 1))
    samples, _ = soundfile.read(last.take.path, dtype="float32")
    np.testing.assert_allclose(samples, np.concatenate(chunks), atol=1 / 32768)


def test_the_same_seed_is_the_same_file(room: Room) -> None:
    first = room.take(LONG).path.read_bytes()
    assert room.take(LONG).path.read_bytes() == first
    assert room.take(LONG, seed=8).path.read_bytes() != first


def test_each_segment_has_a_seed_of_its_own_that_follows_from_the_first(room: Room) -> None:
    room.take(LONG)
    seeds = [request.seed for request in room.engine.seen]
    assert seeds == [segment_seed(7, number) for number in range(len(seeds))]
    assert (seeds[0], len(set(seeds))) == (7, len(seeds))
    assert len(seeds) > 2


def test_a_pause_adds_exactly_its_length_and_is_not_in_the_engines_input(room: Room) -> None:
    without = room.take("Hello there my friend. How are you?")
    paused = room.take("Hello there my friend. [pause 0.5s] How are you?")
    assert room.spoken() == ["Hello there my friend. How are you?", "Hello there my friend.", "How are you?"]
    assert paused.duration_s - seconds_of(room.spoken()[1:]) == pytest.approx(0.5, abs=0.005)
    samples, _ = soundfile.read(paused.path, dtype="float32")
    border = round(0.22 * SAMPLE_RATE)
    assert not samples[border : border + round(0.5 * SAMPLE_RATE)].any()
    assert room.take("[pause 1s] Hello there. [pause 2s]").duration_s == pytest.approx(3.12, abs=0.005)
    assert without.duration_s == pytest.approx(0.35)


def test_a_short_text_of_several_lines_is_one_call_as_it_stands(room: Room) -> None:
    room.take("Hello there.\n\nHow are you?")
    assert room.spoken() == ["Hello there.\n\nHow are you?"]


def test_never_gives_the_engine_the_text_as_a_whole(tmp_path: Path) -> None:
    room = Room(tmp_path, SeededEngine(), LexiconEntry("rain", "snow"))
    room.take(LONG, split=SplitMode.NEVER)
    room.take("Say [pause 1s] rain.", split=SplitMode.NEVER)
    room.take("Say [pause 1s] rain.", decoding=Decoding(verbatim=True))
    assert room.spoken() == [LONG, "Say [pause 1s] rain.", "Say [pause 1s] rain."]


def test_the_engine_speaks_the_readings(tmp_path: Path) -> None:
    room = Room(tmp_path, SeededEngine(), LexiconEntry("rain", "snow"))
    room.take("The rain in [[Spain|Spayn]].")
    room.take(LONG)
    assert room.spoken()[0] == "The snow in Spayn."
    assert "rain" not in "".join(room.spoken())


def test_the_first_segment_that_goes_wrong_starts_the_take_anew(tmp_path: Path) -> None:
    room = Room(tmp_path, SeededEngine(failing={"The rain": 1}))
    events = list(room.synthesis.speak(SynthesisRequest(LONG, seed=7)))
    assert sum(isinstance(event, Restarted) for event in events) == 1
    last = events[-1]
    assert isinstance(last, TakeReady)
    assert (last.take.seed, last.take.retried, last.take.stop_reason) == (8, True, StopReason.COMPLETE)
    assert room.take(LONG, seed=8).path.read_bytes() == last.take.path.read_bytes()


@pytest.mark.parametrize("times", [1, 2])
def test_a_later_segment_that_goes_wrong_is_made_once_more_by_itself(tmp_path: Path, times: int) -> None:
    text = f"{LONG}\n\nAnother line follows that is not as long as those before it."
    room = Room(tmp_path, SeededEngine(failing={"Another": times}))
    kept: list[AudioChunk] = []
    again = []
    for event in room.synthesis.speak(SynthesisRequest(text, seed=7)):
        if isinstance(event, SegmentRestarted):
            again.append(event)
            left = event.samples
            while left:
                left -= len(kept.pop().samples)
        elif isinstance(event, AudioChunk):
            kept.append(event)
    assert isinstance(event, TakeReady)
    assert [(one.reason, one.number) for one in again] == [(StopReason.LOOP, len(plan(text).segments))]
    samples, _ = soundfile.read(event.take.path, dtype="float32")
    np.testing.assert_allclose(samples, np.concatenate([chunk.samples for chunk in kept]), atol=1 / 32768)
    last = segment_seed(7, len(plan(text).segments) - 1) or 0
    assert [request.seed for request in room.engine.seen[-2:]] == [last, last + 1]
    assert event.take.stop_reason is (StopReason.LOOP if times == 2 else StopReason.COMPLETE)


def test_stopping_keeps_what_is_there(room: Room) -> None:
    stop = Event()
    chunks = []
    for event in room.synthesis.speak(SynthesisRequest(LONG, seed=7), cancelled=stop.is_set):
        if isinstance(event, AudioChunk):
            chunks.append(event.samples)
        if isinstance(event, SegmentStarted) and event.number == 3:
            stop.set()
    assert isinstance(event, TakeReady)
    assert event.take.stop_reason is StopReason.CANCELLED
    assert soundfile.info(event.take.path).frames == sum(map(len, chunks)) > SAMPLE_RATE


def test_the_longest_sound_holds_over_all_segments(room: Room) -> None:
    take = room.take(LONG, max_seconds=5.0)
    assert take.stop_reason is StopReason.MAX_LENGTH
    assert 4.8 <= take.duration_s <= 5.0
    enough = room.take("Hello there. [pause 1s] Bye now.", max_seconds=10.0)
    assert enough.stop_reason is StopReason.COMPLETE


def test_speed_goes_to_each_call_and_shortens_the_pauses_between_them(room: Room) -> None:
    take = room.take(LONG, speed=2.0)
    segments = plan(LONG).segments
    assert {request.speed for request in room.engine.seen} == {2.0}
    pauses = sum(one.pause_after_s for one in segments) / 2
    assert take.duration_s == pytest.approx(seconds_of(room.spoken()) + pauses, abs=0.01)


def test_a_long_request_has_one_place_in_the_queue(room: Room) -> None:
    first = room.synthesis.speak(SynthesisRequest(LONG, seed=7))
    next(first)
    second = room.synthesis.speak(SynthesisRequest("Hello.", seed=7))
    next(second)
    collect(first)
    assert collect(second).stop_reason is StopReason.COMPLETE
    assert room.spoken()[-1] == "Hello."


@dataclass
class ImitatingEngine(SeededEngine):
    """Takes in recordings."""

    prepared: list[Recording | PreparedVoice] = field(default_factory=list)

    def capabilities(self, voice: str | None = None) -> Capabilities:
        return replace(super().capabilities(voice), can_clone=True)

    def prepare(
        self, source: Recording | PreparedVoice, *, cancelled: CancelCheck
    ) -> Generator[Loading, None, PreparedVoice]:
        self.prepared.append(source)
        yield Loading("the model", 1, 2)
        return PreparedVoice(np.zeros(4, np.float32))


def test_a_recording_is_taken_in_once_for_all_segments(tmp_path: Path) -> None:
    engine = ImitatingEngine()
    room, source = Room(tmp_path, engine), Recording(tmp_path / "me.wav")
    room.take(LONG, source=source)
    assert engine.prepared == [source]
    assert {type(request.source) for request in engine.seen} == {PreparedVoice}
    room.take("Hello there.", source=source)
    assert (engine.prepared, engine.seen[-1].source) == ([source], source)


def test_the_preview_is_what_is_spoken(tmp_path: Path) -> None:
    room = Room(tmp_path, SeededEngine(), LexiconEntry("rain", "snow"))
    shown = room.synthesis.preview(SynthesisRequest(LONG))
    assert room.engine.seen == []
    room.take(LONG)
    assert [one.spoken for one in shown.segments] == room.spoken()
    assert shown.segments[0].text.startswith("The rain")
    assert len(room.synthesis.preview(SynthesisRequest(LONG, split=SplitMode.NEVER)).segments) == 1
    with pytest.raises(EmptyText):
        room.synthesis.preview(SynthesisRequest("[pause 1s]"))
    with pytest.raises(TextTooLong):
        room.synthesis.preview(SynthesisRequest("a" * 20_001))


def test_borders_of_a_spoken_text_have_no_steps(room: Room) -> None:
    take = room.take(LONG)
    samples, _ = soundfile.read(take.path, dtype="float32")
    silent = np.flatnonzero(np.abs(samples) == 0)
    starts = [int(run[0]) for run in np.split(silent, np.flatnonzero(np.diff(silent) > 1) + 1) if len(run) > 4_000]
    assert len(starts) == len(plan(LONG).segments) - 1
    edges = [abs(float(samples[place - offset])) for place, offset in itertools.product(starts, (1, 2))]
    assert max(edges) < 10 ** (-40 / 20)


def test_a_tempo_shortens_speech_and_the_pauses_between_it_but_not_those_of_the_text(room: Room) -> None:
    text = "Hello there my dear friend of old. [pause 2s] How are you today?"
    plain, fast = room.take(text), collect(room.synthesis.speak(SynthesisRequest(text, seed=7), tempo=2.0))
    assert fast.duration_s - 2.0 == pytest.approx((plain.duration_s - 2.0) / 2, abs=0.06)
    cut = collect(room.synthesis.speak(SynthesisRequest(LONG, seed=7, max_seconds=4.0), tempo=2.0))
    assert (cut.stop_reason, 1.7 <= cut.duration_s <= 2.0) == (StopReason.MAX_LENGTH, True)
