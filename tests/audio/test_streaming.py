"""Sound encoded while it is made: length, level and pitch in every format, how soon bytes leave, another tempo."""

from __future__ import annotations

import io
import wave

import av
import numpy as np
import numpy.typing as npt
import pytest
import soundfile

from tests.fakes import SAMPLE_RATE, tone
from tts_core.audio.faults import UnsupportedFormat
from tts_core.audio.stream_formats import STREAM_FORMATS, STREAM_RATE
from tts_core.audio.streaming import StreamEncoder
from tts_core.domain.errors import InvalidValue
from tts_core.domain.events import Samples

CODEC_PADDING_S = 0.09
"""What a codec may put before and after the sound, since nothing can be corrected afterwards."""
FIRST_CHUNK = 1920
"""Samples of a model's first frame."""


def sine(seconds: float, rate: int, hertz: float = 200.0) -> Samples:
    return (0.25 * np.sin(2 * np.pi * hertz * np.arange(round(seconds * rate)) / rate)).astype(np.float32)


def encoded(name: str, samples: Samples, rate: int, *, tempo: float = 1.0, step: int = 1000) -> bytes:
    encoder = StreamEncoder(name, rate, tempo)
    pieces = [encoder.encode(samples[at : at + step]) for at in range(0, len(samples), step)]
    return b"".join([*pieces, encoder.finish()])


def decoded(name: str, data: bytes) -> tuple[npt.NDArray[np.float32], int]:
    """Mono samples and their rate, hertz."""
    if name == "pcm":
        return (np.frombuffer(data, dtype="<i2") / 32768).astype(np.float32), STREAM_RATE
    with av.open(io.BytesIO(data)) as container:
        rate = container.streams.audio[0].rate
        to_float = av.AudioResampler(format="flt", layout="mono", rate=rate)
        frames = [piece for frame in container.decode(audio=0) for piece in to_float.resample(frame)]
    return np.concatenate([frame.to_ndarray().reshape(-1) for frame in frames]).astype(np.float32), rate


def pitch(samples: npt.NDArray[np.float32], rate: int) -> float:
    """Hertz."""
    spectrum = np.abs(np.fft.rfft(samples * np.hanning(len(samples))))
    return float(np.argmax(spectrum)) * rate / len(samples)


@pytest.mark.parametrize("name", STREAM_FORMATS)
@pytest.mark.parametrize("rate", [22_050, 24_000])
def test_every_format_keeps_length_level_and_pitch(name: str, rate: int) -> None:
    samples, out_rate = decoded(name, encoded(name, sine(2, rate), rate))
    assert out_rate == (48_000 if name == "opus" else STREAM_RATE)
    assert len(samples) / out_rate == pytest.approx(2, abs=CODEC_PADDING_S)
    middle = samples[out_rate // 2 : -out_rate // 2]
    assert np.sqrt(np.mean(middle**2)) == pytest.approx(0.25 / np.sqrt(2), rel=0.03)
    assert pitch(middle, out_rate) == pytest.approx(200, abs=2)


@pytest.mark.parametrize("name", sorted(STREAM_FORMATS.keys() - {"flac"}))
def test_the_first_bytes_leave_with_the_first_frames(name: str) -> None:
    encoder = StreamEncoder(name, SAMPLE_RATE)
    first, second = (
        encoder.encode(sine(1, SAMPLE_RATE)[:FIRST_CHUNK]),
        encoder.encode(sine(1, SAMPLE_RATE)[:FIRST_CHUNK]),
    )
    assert first or name == "aac", "AAC holds one block back, which is not full after a model's first frame"
    assert second


@pytest.mark.parametrize("name", ["wav", "pcm", "flac"])
def test_lossless_formats_hold_exactly_the_samples(name: str) -> None:
    every_value = np.arange(-32768, 32768, dtype=np.int16)
    data = encoded(name, np.divide(every_value, 32768, dtype=np.float32), STREAM_RATE)
    samples, _ = decoded(name, data)
    np.testing.assert_array_equal(np.rint(samples * 32768).astype(np.int32), every_value.astype(np.int32))


@pytest.mark.parametrize("name", STREAM_FORMATS)
def test_sound_beyond_full_scale_clips_rather_than_wraps(name: str) -> None:
    samples, rate = decoded(name, encoded(name, 8 * sine(1, STREAM_RATE), STREAM_RATE))
    second = samples[rate // 4 : -rate // 4]
    at = np.arange(len(second)) / rate
    fundamental = 2 * np.abs(np.mean(second * np.exp(-2j * np.pi * 200 * at)))
    assert fundamental > 1.1, "a clipped sine is nearly a square wave; a wrapped one is noise"


def test_a_wav_file_without_an_end_is_read_to_its_end_by_those_who_are_strict() -> None:
    data = encoded("wav", sine(0.5, STREAM_RATE), STREAM_RATE)
    samples, rate = soundfile.read(io.BytesIO(data))
    assert (len(samples), rate) == (STREAM_RATE // 2, STREAM_RATE)
    with wave.open(io.BytesIO(data)) as file:
        assert (file.getnchannels(), file.getsampwidth(), file.getframerate()) == (1, 2, STREAM_RATE)


@pytest.mark.parametrize("tempo", [0.25, 0.5, 0.7, 1.5, 2.0, 3.0, 4.0])
def test_another_tempo_keeps_the_pitch(tempo: float) -> None:
    samples, rate = decoded("pcm", encoded("pcm", sine(4, 22_050), 22_050, tempo=tempo))
    assert len(samples) / rate == pytest.approx(4 / tempo, rel=0.03)
    middle = samples[len(samples) // 4 : -len(samples) // 4]
    assert pitch(middle, rate) == pytest.approx(200, abs=4)
    assert np.sqrt(np.mean(middle**2)) == pytest.approx(0.25 / np.sqrt(2), rel=0.1)


def test_how_a_sound_is_cut_changes_nothing() -> None:
    whole, pieces = (encoded("wav", sine(1, 22_050), 22_050, tempo=1.3, step=step) for step in (10**6, 77))
    assert whole == pieces


def test_it_counts_what_is_heard_and_not_what_was_put_in() -> None:
    encoder = StreamEncoder("mp3", STREAM_RATE, 2.0)
    encoder.encode(sine(2, STREAM_RATE))
    encoder.finish()
    assert encoder.duration_s == pytest.approx(1, abs=0.02)


@pytest.mark.parametrize("name", STREAM_FORMATS)
def test_a_sound_of_no_length_ends_well(name: str) -> None:
    encoder = StreamEncoder(name, 22_050)
    assert encoder.encode(np.zeros(0, np.float32)) == b"" or name == "wav"
    encoder.finish()
    assert encoder.duration_s == 0


def test_what_cannot_be_made_is_refused() -> None:
    with pytest.raises(UnsupportedFormat):
        StreamEncoder("midi", STREAM_RATE)
    for tempo in (0.2, 4.1, float("nan")):
        with pytest.raises(InvalidValue):
            StreamEncoder("mp3", STREAM_RATE, tempo)


def test_pieces_of_a_real_stream_join_without_a_seam() -> None:
    whole = np.concatenate([tone(chunk) for chunk in range(10)])
    samples, _ = decoded("pcm", encoded("pcm", whole, SAMPLE_RATE, step=2400))
    np.testing.assert_allclose(samples, whole, atol=1 / 32768)
