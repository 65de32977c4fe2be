"""A recording is judged as an ear would, and mending it leaves the speech. The built-in voice speaks."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest

from tts_core.audio.editing import BEST_MAX_S, TARGET_DB, append_silence, best_part, cut, join, level, trim
from tts_core.audio.judging import LEAK, ClipReport, Fix, Severity, examine, leaked_start
from tts_core.audio.reading import Clip
from tts_core.domain.errors import InvalidValue
from tts_core.domain.events import AudioChunk, Samples
from tts_core.domain.values import SynthesisRequest
from tts_core.engines.espeak.engine import EspeakEngine
from tts_core.engines.espeak.library import SAMPLE_RATE

RATE = SAMPLE_RATE
LONG = "The quick brown fox jumps over the lazy dog, and then it goes home to sleep for a long while."


@cache
def say(text: str, voice: str = "builtin/ben") -> Samples:
    events = EspeakEngine().stream(SynthesisRequest(text, voice=voice, language="en-us"), cancelled=lambda: False)
    return np.concatenate([event.samples for event in events if isinstance(event, AudioChunk)])


def noise(seconds: float, level: float) -> Samples:
    random = np.random.default_rng(1)
    return (level * random.standard_normal(round(seconds * RATE))).astype(np.float32)


def silence(seconds: float) -> Samples:
    return np.zeros(round(seconds * RATE), np.float32)


def codes(samples: Samples) -> list[str]:
    return [finding.code for finding in examine(samples, RATE).findings]


@pytest.mark.parametrize("voice", ["builtin/ben", "builtin/clara"])
def test_a_good_recording_has_nothing_to_mend(voice: str) -> None:
    report = examine(say(LONG, voice), RATE)
    assert report.findings == ()
    assert report.is_good
    assert report.speech_s == pytest.approx(report.duration_s, rel=0.2)
    assert -30 < report.level_db < -12
    assert report.snr_db > 25


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("silence", ["no_speech"]),
        ("short", ["too_short"]),
        ("quiet", ["quiet"]),
        ("clipped", ["clipped", "loud"]),
        ("noisy", ["noisy"]),
        ("only noise", ["noisy"]),
        ("pauses", ["pauses"]),
        ("two people", ["several_speakers"]),
        ("long", ["long"]),
    ],
)
def test_each_fault_is_found_alone(name: str, expected: list[str]) -> None:
    voice = say(LONG)
    recordings = {
        "silence": silence(4),
        "short": voice[: round(0.9 * RATE)],
        "quiet": voice * np.float32(0.02),
        "clipped": np.clip(voice * 12, -1, 1),
        "noisy": voice + noise(len(voice) / RATE, 0.05)[: len(voice)],
        "only noise": noise(4, 0.1),
        "pauses": np.concatenate([silence(4), voice, silence(4)]),
        "two people": np.concatenate([voice, say(LONG, "builtin/clara")]),
        "long": np.concatenate([voice] * 7),
    }
    assert codes(recordings[name]) == expected


def test_findings_say_what_to_do_and_what_one_click_mends() -> None:
    report = examine(np.concatenate([silence(4), say(LONG) * np.float32(0.02), silence(4)]), RATE)
    assert {finding.code: finding.fix for finding in report.findings} == {"quiet": Fix.LEVEL, "pauses": Fix.TRIM}
    assert all(finding.severity is Severity.ADVICE and len(finding.message) > 20 for finding in report.findings)


def test_what_has_no_length_is_no_error() -> None:
    assert isinstance(examine(np.zeros(0, np.float32), RATE), ClipReport)
    assert codes(np.ones(10, np.float32)) == ["no_speech"]


def test_trim_takes_silence_and_leaves_speech() -> None:
    voice = say(LONG)
    trimmed = trim(np.concatenate([silence(3), voice, silence(2), voice, silence(3)]), RATE)
    report = examine(trimmed, RATE)
    assert report.duration_s < 2 * len(voice) / RATE + 1.2
    assert report.speech_s == pytest.approx(2 * examine(voice, RATE).speech_s, rel=0.15)
    assert trim(silence(2), RATE).size == silence(2).size


@pytest.mark.parametrize("gain", [0.01, 0.3, 3.0])
def test_level_brings_speech_to_one_loudness_without_cutting_peaks(gain: float) -> None:
    louder = level(say(LONG) * np.float32(gain), RATE)
    assert np.abs(louder).max() <= 0.9
    assert examine(louder, RATE).level_db == pytest.approx(TARGET_DB, abs=2)


def test_the_best_part_is_short_full_of_speech_and_cut_in_pauses() -> None:
    voice = say(LONG)
    part = best_part(np.concatenate([silence(12), voice, silence(1), voice, silence(20), voice]), RATE)
    report = examine(part, RATE)
    assert 2 * examine(voice, RATE).speech_s * 0.9 < report.speech_s
    assert report.duration_s <= BEST_MAX_S
    assert examine(part[: round(0.1 * RATE)], RATE).speech_s < 0.05


def test_cut_keeps_the_part_and_refuses_nothing() -> None:
    assert len(cut(silence(4), RATE, 1, 2.5)) == round(1.5 * RATE)
    assert len(cut(silence(4), RATE, 3, 9)) == RATE
    for start_s, end_s in ((2.0, 2.0), (3.0, 1.0), (5.0, 6.0), (-1.0, 2.0)):
        with pytest.raises(InvalidValue):
            cut(silence(4), RATE, start_s, end_s)


def test_joined_clips_have_one_rate_and_one_level() -> None:
    quiet, loud = say(LONG) * np.float32(0.05), say(LONG)
    joined = join([Clip(quiet, RATE), Clip(np.repeat(loud, 2), 2 * RATE)])
    half = len(joined.samples) // 2
    assert joined.sample_rate == 2 * RATE
    assert joined.duration_s == pytest.approx(2 * len(loud) / RATE + 0.3, abs=0.05)
    first, second = (examine(part, joined.sample_rate) for part in (joined.samples[:half], joined.samples[half:]))
    assert first.level_db == pytest.approx(second.level_db, abs=1)


def test_appended_silence_is_silence() -> None:
    longer = append_silence(say(LONG), RATE, 0.5)
    assert len(longer) == len(say(LONG)) + RATE // 2
    assert not longer[-RATE // 2 :].any()


@pytest.mark.parametrize("voice", ["builtin/ben", "builtin/clara"])
def test_a_leak_of_the_reference_is_told_from_a_clean_start(voice: str) -> None:
    reference, speech = say("The weather is fine and I walk to the market.", voice), say("Hello, how are you?", voice)
    tail = trim(reference, RATE)[-round(0.7 * RATE) :]
    assert leaked_start(speech, RATE, reference, RATE) < LEAK
    assert leaked_start(np.concatenate([tail * np.float32(0.6), speech]), RATE, reference, RATE) > LEAK
    assert leaked_start(silence(2), RATE, reference, RATE) < LEAK
    assert leaked_start(speech, RATE, silence(0), RATE) == 0
