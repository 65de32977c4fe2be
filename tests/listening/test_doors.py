"""Every way in and every format makes one and the same sound, and all of it is understood."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path

import av
import librosa
import numpy as np
import pytest
import soundfile

from tests.api.openai_stage import heard as decoded
from tests.listening.conftest import BY_LANGUAGE, HEART, PIPER, Studio
from tests.listening.doors import (
    AT_ONE_SPEED,
    DOORS,
    Asked,
    OpenAiFormat,
    openai_events,
    openai_streamed,
    openai_whole,
    rest_file,
)
from tests.listening.ears import SENTENCES, Ears, Sound, difference, likeness, wrong
from tests.listening.test_voices import MAX_RATE
from tts_core.audio.files import FORMATS
from tts_core.audio.stream_formats import STREAM_FORMATS, STREAM_RATE

SHORT, SOME, WHOLE = (" ".join(SENTENCES[:count]) for count in (2, 5, len(SENTENCES)))
SAME, LOSSY = 0.999, 0.97
"""The least correlation with what was made: of the same sound at 16 bits, and after a lossy codec."""
PADDING_S = 0.1
"""Sound that a codec may add."""
LOSSLESS = ("wav", "flac", "pcm")

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("door", DOORS)
def test_every_way_in_is_understood(studio: Studio, ears: Ears, tmp_path: Path, door: str) -> None:
    samples, rate = checked(studio, Asked(SHORT, BY_LANGUAGE), door, tmp_path)
    found = difference(SHORT, ears.hear(samples, rate))
    assert found.errors == 0, wrong(found)


@pytest.mark.thorough
@pytest.mark.parametrize("door", DOORS)
@pytest.mark.parametrize(
    ("voice", "speed"),
    [(BY_LANGUAGE, 0.7), (BY_LANGUAGE, 1.4), (HEART, 1.0), (PIPER, 0.7), (PIPER, 1.0), (PIPER, 1.4)],
)
def test_every_way_in_has_every_voice_and_speed(
    studio: Studio, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, door: str, voice: str, speed: float
) -> None:
    monkeypatch.setenv("TTS_STUDIO_PIPER_DIR", str(studio.services.settings.piper_dir))  # for the command line
    if speed == 1.0 or door not in AT_ONE_SPEED:
        checked(studio, Asked(SOME, voice, speed), door, tmp_path)


def checked(studio: Studio, asked: Asked, door: str, folder: Path) -> tuple[Sound, int]:
    """What the way in makes, which has the length and the shape of what the use case makes."""
    reference, rate = studio.speak(asked.text, asked.voice, asked.speed)
    studio.start_over()
    samples, its_rate = DOORS[door](studio, asked, folder)
    assert len(samples) / its_rate == pytest.approx(len(reference) / rate, abs=0.01)
    assert likeness(reference, rate, samples, its_rate) > SAME
    return samples, its_rate


@pytest.mark.thorough
@pytest.mark.parametrize("door", DOORS)
def test_all_sentences_are_understood_through_every_way_in(
    studio: Studio, ears: Ears, tmp_path: Path, door: str
) -> None:
    samples, rate = DOORS[door](studio, Asked(WHOLE, BY_LANGUAGE), tmp_path)
    found = difference(WHOLE, ears.hear(samples, rate))
    assert found.rate <= MAX_RATE, wrong(found)
    assert found.stretches[-1].is_same, "the end is heard"


@pytest.mark.parametrize("name", STREAM_FORMATS)
@pytest.mark.parametrize("ask", [openai_whole, openai_streamed, openai_events])
def test_openais_formats_hold_all_of_the_sound(
    studio: Studio, ask: Callable[[Studio, Asked, OpenAiFormat], bytes], name: OpenAiFormat
) -> None:
    reference, rate = studio.speak(SHORT, BY_LANGUAGE, 1.4)
    samples = decoded(name, ask(studio, Asked(SHORT, BY_LANGUAGE, 1.4), name))
    allowed = 0.0 if name in LOSSLESS else PADDING_S
    assert 0 <= len(samples) / STREAM_RATE - len(reference) / rate <= allowed
    assert likeness(reference, rate, samples, STREAM_RATE) > (SAME if name in LOSSLESS else LOSSY)


@pytest.mark.parametrize("name", FORMATS)
def test_a_saved_file_is_the_same_to_every_reader(studio: Studio, tmp_path: Path, name: str) -> None:
    reference, rate = studio.speak(SHORT, BY_LANGUAGE, 0.7)
    data = rest_file(studio, Asked(SHORT, BY_LANGUAGE, 0.7), name)
    path = tmp_path / f"said{FORMATS[name].extension}"
    path.write_bytes(data)
    by_librosa, librosa_rate = librosa.load(path, sr=None, mono=True)
    by_soundfile, soundfile_rate = soundfile.read(io.BytesIO(data), dtype="float32")
    with av.open(io.BytesIO(data)) as container:
        stated_s = float(container.duration or 0) / av.time_base
    readings = {
        "librosa": (by_librosa, int(librosa_rate)),
        "soundfile": (np.asarray(by_soundfile), soundfile_rate),
        "ffmpeg": (decoded(name, data), STREAM_RATE),
    }
    for reader, (samples, its_rate) in readings.items():
        allowed = 0.001 if name in LOSSLESS else PADDING_S
        assert len(samples) / its_rate == pytest.approx(len(reference) / rate, abs=allowed), reader
        assert likeness(reference, rate, samples, its_rate) > (SAME if name in LOSSLESS else LOSSY), reader
    assert stated_s == pytest.approx(len(reference) / rate, abs=PADDING_S)
