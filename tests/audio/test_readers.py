"""What is saved opens everywhere: every format, whole and streamed, by every reader that knows it, at its length."""

from __future__ import annotations

import wave
from collections.abc import Callable, Mapping
from pathlib import Path

import av
import librosa
import pytest
import soundfile

from tests.audio.recordings import SECONDS, tone
from tts_core.audio.files import FORMATS, AudioWriter
from tts_core.audio.reading import read_recording
from tts_core.audio.stream_formats import STREAM_FORMATS, STREAM_RATE
from tts_core.audio.streaming import StreamEncoder

PADDING_S = 0.07
"""What MP3 and AAC put around the sound where nothing can be filled in afterwards."""


def by_soundfile(path: Path) -> float:
    samples, rate = soundfile.read(path, dtype="float32")
    return len(samples) / int(rate)


def by_librosa(path: Path) -> float:
    samples, rate = librosa.load(path, sr=None)
    return len(samples) / int(rate)


def by_ffmpeg(path: Path) -> float:
    with av.open(str(path)) as container:
        return float(sum(frame.samples / frame.sample_rate for frame in container.decode(audio=0)))


def by_wave(path: Path) -> float:
    with wave.open(str(path)) as file:
        return float(len(file.readframes(file.getnframes())) / 2 / file.getframerate())


def by_ourselves(path: Path) -> float:
    return read_recording(path).duration_s


ALL = (by_soundfile, by_librosa, by_ffmpeg, by_ourselves)
STREAMED: Mapping[str, tuple[Callable[[Path], float], ...]] = {
    "mp3": ALL,
    "opus": ALL,
    "aac": (by_ffmpeg, by_ourselves),  # libsndfile knows no AAC
    "flac": ALL,
    "wav": (*ALL, by_wave),
}
"""The readers of each streamed format."""


@pytest.mark.parametrize("name", FORMATS)
def test_whole_files(tmp_path: Path, name: str) -> None:
    path = tmp_path / f"take{FORMATS[name].extension}"
    with AudioWriter(path, name, STREAM_RATE) as writer:
        writer.write(tone(SECONDS, STREAM_RATE))
    lengths = {read.__name__: read(path) for read in (*ALL, *((by_wave,) if name == "wav" else ()))}
    assert lengths == pytest.approx(dict.fromkeys(lengths, SECONDS), abs=0.02)
    assert soundfile.info(path).duration == pytest.approx(SECONDS, abs=0.01), "the header knows it"


@pytest.mark.parametrize("name", sorted(STREAM_FORMATS.keys() - {"pcm"}))
def test_streamed_files(tmp_path: Path, name: str) -> None:
    path = tmp_path / f"speech.{name}"
    encoder = StreamEncoder(name, STREAM_RATE)
    path.write_bytes(encoder.encode(tone(SECONDS, STREAM_RATE)) + encoder.finish())
    lengths = {read.__name__: read(path) for read in STREAMED[name]}
    exact = name in ("flac", "wav")
    assert lengths == pytest.approx(dict.fromkeys(lengths, SECONDS), abs=1e-6 if exact else PADDING_S)
