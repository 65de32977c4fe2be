"""The coach, mending and joining on real speech: what is wrong is named, and no word is lost by mending it."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile
import soxr

from tests.listening.conftest import HEART, PIPER, Studio
from tests.listening.ears import SENTENCES, Ears, Sound, difference, wrong
from tts_core.audio.ffmpeg import Compressor
from tts_core.audio.judging import ClipReport, Fix
from tts_core.audio.stream_formats import stream_format
from tts_core.ui.clone.handler import CloneHandler, Desk
from tts_core.ui.clone.view import coach
from tts_core.ui.transcribe.words import unlike
from tts_core.ui.words import load_words

RATE = 24_000
TEXT = " ".join(SENTENCES[13:16])

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def heart(studio: Studio) -> Sound:
    return studio.speak(TEXT, HEART)[0]


@pytest.fixture(scope="module")
def joe(studio: Studio) -> Sound:
    samples, rate = studio.speak(" ".join(SENTENCES[3:5]), PIPER)
    return np.asarray(soxr.resample(samples, rate, RATE))


@pytest.fixture(scope="module")
def minute(studio: Studio) -> Sound:
    return studio.speak(" ".join(SENTENCES), HEART)[0][: 60 * RATE]


@pytest.fixture
def handler(studio: Studio) -> CloneHandler:
    return CloneHandler(studio.services)


def taken_in(handler: CloneHandler, folder: Path, samples: Sound, rate: int = RATE) -> Desk:
    soundfile.write(folder / "me.wav", samples, rate, subtype="FLOAT")
    return handler.take_in(Desk(), folder / "me.wav")


def report_of(desk: Desk) -> ClipReport:
    assert desk.report is not None
    return desk.report


def findings(desk: Desk) -> set[str]:
    return {finding.code for finding in report_of(desk).findings}


def understood(ears: Ears, desk: Desk) -> str:
    assert desk.working is not None
    samples, rate = soundfile.read(desk.working, dtype="float32")
    return ears.hear(np.asarray(samples), rate)


def with_noise(samples: Sound, db: float) -> Sound:
    level = float(np.sqrt(np.mean(samples**2)))
    noise = np.random.default_rng(0).normal(0, level * 10 ** (-db / 20), len(samples))
    return np.asarray(samples + noise, np.float32)


def small_mp3(samples: Sound) -> bytes:
    """An MP3 file of 32 kbit/s."""
    small = dataclasses.replace(stream_format("mp3"), bits_per_second=32_000)
    compressor = Compressor(small, RATE)
    return compressor.pack(samples) + compressor.finish()


@pytest.mark.parametrize(
    ("spoil", "named"),
    [
        (lambda samples: samples, set()),
        (lambda samples: 0.05 * samples, {"quiet"}),
        (lambda samples: np.clip(8 * samples, -1, 1), {"clipped"}),
        (lambda samples: with_noise(samples, 30), set()),
        (lambda samples: with_noise(samples, 20), set()),
        (lambda samples: with_noise(samples, 8), {"noisy"}),
        (lambda samples: soxr.resample(soxr.resample(samples, RATE, 8_000), 8_000, RATE), {"narrow_band"}),
        (lambda samples: samples[RATE // 4 : RATE // 4 + RATE], {"too_short"}),
        (lambda samples: np.concatenate([samples, *[np.zeros(9 * RATE, np.float32)]]), {"pauses"}),
    ],
    ids=["clean", "quiet", "clipped", "noise-30", "noise-20", "noise-8", "8-khz", "one-second", "silence"],
)
def test_what_is_wrong_is_named_and_nothing_else(
    handler: CloneHandler, heart: Sound, tmp_path: Path, spoil: Callable[[Sound], Sound], named: set[str]
) -> None:
    desk = taken_in(handler, tmp_path, np.asarray(spoil(heart), np.float32))
    assert findings(desk) == named
    assert [text for text in (coach(load_words(language), desk) for language in ("en", "zh")) if not text] == []


def test_the_noise_is_measured_as_it_is(handler: CloneHandler, heart: Sound, tmp_path: Path) -> None:
    found = report_of(taken_in(handler, tmp_path, with_noise(heart, 20)))
    assert found.snr_db == pytest.approx(20, abs=3)  # the pauses of speech lie below its own level
    assert found.bandwidth_hz > 8_000


def test_two_voices_are_named_and_each_alone_is_one(
    handler: CloneHandler, heart: Sound, joe: Sound, tmp_path: Path
) -> None:
    assert "several_speakers" in findings(taken_in(handler, tmp_path, np.concatenate([heart, joe])))
    assert "several_speakers" not in findings(taken_in(handler, tmp_path, joe))


def test_a_small_mp3_is_as_good_as_it_sounds(handler: CloneHandler, ears: Ears, heart: Sound, tmp_path: Path) -> None:
    (tmp_path / "me.mp3").write_bytes(small_mp3(heart))
    desk = handler.take_in(Desk(), tmp_path / "me.mp3")
    assert findings(desk) == set()
    assert report_of(desk).bandwidth_hz < 10_000
    assert difference(TEXT, understood(ears, desk)).errors == 0


def test_mending_loses_no_word(handler: CloneHandler, ears: Ears, heart: Sound, tmp_path: Path) -> None:
    gap = np.zeros(4 * RATE, np.float32)
    desk = taken_in(handler, tmp_path, np.concatenate([gap, np.float32(0.05) * heart, gap]))
    assert findings(desk) == {"quiet", "pauses"}
    mended = handler.mend(handler.mend(desk, Fix.TRIM), Fix.LEVEL)
    assert findings(mended) == set()
    assert report_of(mended).level_db == pytest.approx(-20, abs=3)
    assert report_of(mended).duration_s < len(heart) / RATE + 0.5
    found = difference(TEXT, understood(ears, mended))
    assert found.errors == 0, wrong(found)


@pytest.mark.thorough
def test_the_best_part_of_a_minute_begins_and_ends_with_whole_words(
    handler: CloneHandler, ears: Ears, minute: Sound, tmp_path: Path
) -> None:
    desk = taken_in(handler, tmp_path, minute)
    assert findings(desk) == {"long"}
    best = handler.mend(desk, Fix.BEST_PART)
    assert findings(best) == set()
    assert 3 <= report_of(best).duration_s <= 15.5
    words = difference(" ".join(SENTENCES), understood(ears, best))
    assert words.transcribed in words.wanted, "words in a row of what is spoken, none of them half"


@pytest.mark.thorough
def test_joined_recordings_say_both_texts_at_one_level(
    handler: CloneHandler, ears: Ears, heart: Sound, joe: Sound, tmp_path: Path
) -> None:
    kept = handler.put_aside(taken_in(handler, tmp_path, 0.1 * heart))
    soundfile.write(tmp_path / "joe.wav", joe, RATE)
    joined = handler.take_in(kept, tmp_path / "joe.wav")
    found = difference(f"{TEXT} {' '.join(SENTENCES[3:5])}", understood(ears, joined))
    assert found.rate <= 0.05, wrong(found)
    assert joined.working is not None
    samples, rate = soundfile.read(joined.working, dtype="float32")
    middle = round(len(heart) / RATE * rate)
    levels = [20 * np.log10(np.sqrt(np.mean(part**2))) for part in (samples[:middle], samples[middle:])]
    assert abs(levels[0] - levels[1]) < 4


def test_another_language_than_the_recordings_is_noticed(
    handler: CloneHandler, ears: Ears, heart: Sound, tmp_path: Path
) -> None:
    desk = taken_in(handler, tmp_path, heart)
    text = understood(ears, desk)
    assert desk.working is not None
    desk = handler.note_language(desk, desk.working, "en")
    assert unlike("auto", desk.language, text) == ""
    assert unlike("zh", desk.language, text) == "zh"
    assert unlike("auto", desk.language, "今天天气很好。") == "zh"
