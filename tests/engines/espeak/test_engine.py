"""The built-in voice, for real: what it says, how loud, how fast, and when it stops."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise

import numpy as np
import pytest

from tts_core.domain.errors import UnknownLanguage, UnknownVoice
from tts_core.domain.events import AudioChunk, Finished, Samples
from tts_core.domain.values import StopReason, SynthesisRequest
from tts_core.engines.espeak.engine import EspeakEngine

ENGINE = EspeakEngine()
VOICES = [voice.id for voice in ENGINE.voices()]
LANGUAGES = [language.code for language in ENGINE.capabilities().languages if language.code != "auto"]
RATE = ENGINE.sample_rate("builtin/aria")


def speak(
    request: SynthesisRequest, *, cancelled: Callable[[], bool] = lambda: False
) -> tuple[list[Samples], Finished]:
    *chunks, finished = ENGINE.stream(request, cancelled=cancelled)
    assert isinstance(finished, Finished)
    return [chunk.samples for chunk in chunks if isinstance(chunk, AudioChunk)], finished


def sound(text: str, *, voice: str | None = None, language: str = "auto", speed: float = 1.0) -> Samples:
    chunks, finished = speak(SynthesisRequest(text, voice=voice, language=language, speed=speed))
    assert finished == Finished(StopReason.COMPLETE, seed=None)
    return np.concatenate(chunks)


def pitch_hz(samples: Samples) -> float:
    """Median fundamental of the loud frames, by autocorrelation."""
    found = []
    for start in range(0, len(samples) - 1024, 512):
        frame = samples[start : start + 1024] - samples[start : start + 1024].mean()
        if np.sqrt(np.mean(frame**2)) > 0.03:
            correlation = np.correlate(frame, frame, "full")[1023:]
            lags = correlation[RATE // 400 : RATE // 60]
            if lags.max() > 0.4 * correlation[0]:
                found.append(RATE / (RATE // 400 + int(lags.argmax())))
    return float(np.median(found))


def clips(samples: Samples) -> bool:
    """Whether neighbouring samples are cut off at full scale."""
    at_full_scale = np.abs(samples) > 0.9999
    return bool(np.any(at_full_scale[1:] & at_full_scale[:-1]))


def test_the_voices_are_two_women_and_two_men_and_say_plainly_what_they_are() -> None:
    pitches = {
        voice.name: pitch_hz(sound("The weather today is sunny and warm.", voice=voice.id)) for voice in ENGINE.voices()
    }
    assert [name for name, pitch in pitches.items() if 165 < pitch < 255] == ["Aria", "Clara"]
    assert [name for name, pitch in pitches.items() if 85 < pitch < 155] == ["Ben", "Henry"]
    assert all("Built-in voice (espeak-ng)" in voice.description for voice in ENGINE.voices())


@pytest.mark.parametrize("voice", VOICES)
@pytest.mark.parametrize("text", ["The weather today is sunny and warm.", "今天天气很好，我们一起去公园散步。"])
def test_every_voice_is_loud_enough_and_does_not_clip(voice: str, text: str) -> None:
    samples = sound(text, voice=voice)
    level_db = 20 * np.log10(np.sqrt(np.mean(samples**2)))
    assert -26 < level_db < -15
    assert np.abs(samples).max() > 0.3
    assert not clips(samples)


@pytest.mark.parametrize(
    ("short", "plain"),
    [
        ("We met at No. 5 today.", "We met at No 5 today."),
        ("Ask Prof. Green of St. Louis today.", "Ask Prof Green of St Louis today."),
        ("Buy fruit, e.g. The apple.", "Buy fruit, e.g The apple."),
    ],
)
def test_no_pause_is_made_inside_an_abbreviation(short: str, plain: str) -> None:
    assert len(sound(short)) == pytest.approx(len(sound(plain)), abs=RATE // 50)


def test_more_than_a_hundred_languages_have_their_own_code_and_a_name() -> None:
    languages = ENGINE.capabilities().languages
    assert languages[0].code == "auto"
    assert len(languages) > 130
    assert (
        len({language.code for language in languages})
        == len({language.name for language in languages})
        == len(languages)
    )
    assert all(
        language.code == language.code.lower() and language.name == language.name.strip() for language in languages
    )


def test_every_language_makes_sound_and_none_clips() -> None:
    sounds = {code: sound("Hello 123. Test.", language=code) for code in LANGUAGES}
    assert [code for code, samples in sounds.items() if np.abs(samples).max() < 0.1] == []
    assert [code for code, samples in sounds.items() if clips(samples)] == []


def test_what_japanese_cannot_read_is_said_in_its_name() -> None:
    names = {language.code: language.name for language in ENGINE.capabilities().languages}
    assert names["ja"] == "Japanese (kana only)"
    assert names["cmn"] == "Chinese (Mandarin)"


def test_auto_speaks_each_sentence_in_its_own_language() -> None:
    parts = [("Good morning, my friends.", "en-us"), ("今天天气很好。", "cmn"), ("Доброе утро.", "ru")]
    mixed = sound(" ".join(text for text, _ in parts))
    chosen = np.concatenate([sound(text, language=code) for text, code in parts])
    pauses_s = (len(mixed) - len(chosen)) / RATE
    assert 0.4 < pauses_s < 0.8
    assert len(sound("今天天气很好。", language="en-us")) > 2 * len(sound("今天天气很好。"))  # "Chinese letter" each


@pytest.mark.parametrize("speed", [0.5, 0.75, 1.5, 2.0])
@pytest.mark.parametrize("text", ["The quick brown fox jumps over the lazy dog.", "今天天气很好，我们一起去公园散步。"])
def test_speed_scales_the_duration(text: str, speed: float) -> None:
    assert len(sound(text)) / len(sound(text, speed=speed)) == pytest.approx(speed, rel=0.15)


def test_a_voice_and_its_speed_do_not_leak_into_the_next_request() -> None:
    before = sound("Hello there, my friends.", voice="builtin/ben", language="en-gb")
    sound("Привет", voice="builtin/clara", speed=2.0)
    after = sound("Hello there, my friends.", voice="builtin/ben", language="en-gb")
    # espeak-ng's flutter runs on from one request to the next, so two sounds are never sample for sample the same
    assert len(after) == pytest.approx(len(before), rel=0.03)
    assert pitch_hz(after) == pytest.approx(pitch_hz(before), rel=0.05)


def test_chunks_are_short_and_the_first_sentence_comes_before_the_rest_is_made() -> None:
    asked = 0

    def count() -> bool:
        nonlocal asked
        asked += 1
        return False

    events = ENGINE.stream(SynthesisRequest("One. " * 200), cancelled=count)
    first = next(events)
    assert isinstance(first, AudioChunk)
    assert asked < 20
    assert all(len(event.samples) <= 0.4 * RATE for event in events if isinstance(event, AudioChunk))


def test_speech_begins_at_once_and_ends_without_a_tail_of_silence() -> None:
    loud = np.flatnonzero(np.abs(sound("Hello there.")) > 0.01)
    assert loud[0] < 0.05 * RATE
    assert len(sound("Hello there.")) - loud[-1] < 0.2 * RATE


@pytest.mark.parametrize("speed", [0.5, 1.0, 2.0])
def test_paragraphs_are_further_apart_than_sentences_at_any_speed(speed: float) -> None:
    alone = len(sound("One", speed=speed)) + len(sound("Two", speed=speed))
    between_sentences_s = (len(sound("One. Two", speed=speed)) - alone) / RATE
    between_paragraphs_s = (len(sound("One.\n\nTwo", speed=speed)) - alone) / RATE
    assert between_sentences_s * speed == pytest.approx(0.3, abs=0.05)
    assert between_paragraphs_s * speed == pytest.approx(0.65, abs=0.05)


@pytest.mark.parametrize("voice", VOICES)
@pytest.mark.parametrize("speed", [0.5, 1.0, 2.0])
def test_joints_do_not_click(voice: str, speed: float) -> None:
    text = "One. Two. 三。\nFour, " + "five and " * 60
    chunks, _ = speak(SynthesisRequest(text, voice=voice, speed=speed))
    steps = [abs(float(after[0] - before[-1])) for before, after in pairwise(chunks)]
    silences = [index for index, chunk in enumerate(chunks) if not chunk.any()]
    assert len(silences) >= 4
    assert max(steps[index - 1] for index in silences) < 0.001
    assert max(steps[index] for index in silences) < 0.01


def test_levels_are_exactly_those_of_16_bit_samples() -> None:
    samples = sound("Hello.")
    assert samples.dtype == np.float32
    np.testing.assert_array_equal(samples * 32768, np.rint(samples * 32768))


@pytest.mark.parametrize("markup", ["[[h@'loU]]", "<voice name='de'>", "<break time='3s'/>", "&lt;"])
def test_markup_is_read_out_not_obeyed(markup: str) -> None:
    assert len(sound(f"{markup} word", language="en")) > 1.4 * len(sound("word", language="en"))


def test_a_length_limit_is_kept_to_the_sample() -> None:
    chunks, finished = speak(SynthesisRequest("This sentence is longer than half a second.", max_seconds=0.5))
    assert sum(map(len, chunks)) == RATE // 2
    assert finished.stop_reason is StopReason.MAX_LENGTH


def test_cancelling_between_chunks_ends_the_speech_there() -> None:
    stop = False
    heard = 0
    events = ENGINE.stream(SynthesisRequest("One two three four. " * 50), cancelled=lambda: stop)
    for event in events:
        heard += isinstance(event, AudioChunk)
        stop = heard == 3
        if isinstance(event, Finished):
            assert event.stop_reason is StopReason.CANCELLED
    assert heard == 3


def test_a_request_that_is_cancelled_already_makes_no_sound() -> None:
    assert speak(SynthesisRequest("One."), cancelled=lambda: True) == ([], Finished(StopReason.CANCELLED, seed=None))


def test_unknown_voices_and_languages_fail_at_the_call() -> None:
    with pytest.raises(UnknownVoice):
        ENGINE.stream(SynthesisRequest("a", voice="builtin/nobody"), cancelled=lambda: False)
    with pytest.raises(UnknownLanguage):
        ENGINE.stream(SynthesisRequest("a", language="elvish"), cancelled=lambda: False)


def test_requests_in_many_threads_do_not_disturb_each_other() -> None:
    jobs = [("One and two, " * (1 + index) + "three. And the end.", VOICES[index % 4]) for index in range(12)]
    alone = [sound(text, voice=voice) for text, voice in jobs]
    with ThreadPoolExecutor(6) as pool:
        together = list(pool.map(lambda job: sound(job[0], voice=job[1]), jobs))
    assert [len(samples) for samples in together] == pytest.approx([len(samples) for samples in alone], rel=0.03)
    assert list(map(pitch_hz, together)) == pytest.approx(list(map(pitch_hz, alone)), rel=0.06)
