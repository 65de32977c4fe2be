"""Files written piece by piece: levels, lengths, rates and what a failure leaves behind."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile

from tests.fakes import CHUNK_SAMPLES, SAMPLE_RATE, tone
from tts_core.audio.faults import OutputFailed, UnsupportedFormat
from tts_core.audio.files import FORMATS, AudioWriter, to_int16


class Broken(BaseException):
    """What no handler expects."""


def test_the_installed_library_writes_all_formats_the_studio_offers() -> None:
    assert list(FORMATS) == ["wav", "flac", "mp3", "ogg", "opus"]


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize("sample_rate", [22_050, 24_000])
def test_every_format_keeps_length_level_and_pitch(name: str, sample_rate: int, tmp_path: Path) -> None:
    path = tmp_path / f"tone{FORMATS[name].extension}"
    with AudioWriter(path, name, sample_rate) as writer:
        for chunk in range(20):
            writer.write(tone(chunk))
    samples, rate = soundfile.read(path, dtype="float32")
    seconds = 20 * CHUNK_SAMPLES / sample_rate
    assert writer.duration_s == pytest.approx(seconds)
    assert rate == writer.sample_rate == (48_000 if name == "opus" else sample_rate)
    assert len(samples) / rate == pytest.approx(seconds, abs=0.06)
    middle = samples[rate // 4 : rate]
    assert np.sqrt(np.mean(middle**2)) == pytest.approx(0.25 / np.sqrt(2), rel=0.03)
    spectrum = np.abs(np.fft.rfft(middle * np.hanning(len(middle))))
    expected_hz = 200 * sample_rate / SAMPLE_RATE
    assert np.argmax(spectrum) * rate / len(middle) == pytest.approx(expected_hz, abs=2)


@pytest.mark.parametrize("name", ["wav", "flac"])
def test_lossless_formats_hold_exactly_the_samples_that_were_written(name: str, tmp_path: Path) -> None:
    every_value = np.arange(-32768, 32768, dtype=np.int16)
    with AudioWriter(tmp_path / "all", name, SAMPLE_RATE) as writer:
        writer.write(np.divide(every_value, 32768, dtype=np.float32))
    samples, _ = soundfile.read(tmp_path / "all", dtype="int16")
    np.testing.assert_array_equal(samples, every_value)


@pytest.mark.parametrize("name", FORMATS)
def test_sound_beyond_full_scale_clips_rather_than_wraps(name: str, tmp_path: Path) -> None:
    path = tmp_path / "loud"
    with AudioWriter(path, name, SAMPLE_RATE) as writer:
        for chunk in range(10):
            writer.write(np.multiply(tone(chunk), 8, dtype=np.float32))
    samples, rate = soundfile.read(path, dtype="float32")
    second = samples[:rate]
    fundamental = 2 * np.abs(np.mean(second * np.exp(-2j * np.pi * 200 * np.arange(len(second)) / rate)))
    assert fundamental == pytest.approx(1.22, abs=0.1)  # of a sine of level 2 cut off at 1; wrapped it has 0.5


def test_16_bit_samples_keep_the_level_and_clip_beyond_full_scale() -> None:
    samples = np.array([-2.0, -1.0, 0.0, 0.5, 1.0, 2.0], dtype=np.float32)
    assert to_int16(samples).tolist() == [-32768, -32768, 0, 16384, 32767, 32767]


def test_the_file_appears_only_when_it_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "take.wav"
    with AudioWriter(path, "wav", SAMPLE_RATE) as writer:
        writer.write(tone())
        assert not path.exists()
    assert [file.name for file in tmp_path.iterdir()] == ["take.wav"]


def test_a_failure_while_writing_leaves_nothing_behind(tmp_path: Path) -> None:
    with pytest.raises(Broken):
        _write_and_break(tmp_path / "x.mp3", "mp3")
    assert list(tmp_path.iterdir()) == []


def test_a_failure_keeps_the_file_that_was_there_before(tmp_path: Path) -> None:
    path = tmp_path / "x.wav"
    path.write_bytes(b"before")
    with pytest.raises(Broken):
        _write_and_break(path, "wav")
    assert path.read_bytes() == b"before"


def test_an_unknown_format_is_refused_by_name_with_the_choices(tmp_path: Path) -> None:
    with pytest.raises(UnsupportedFormat, match=r"'wma'.*wav, flac"):
        AudioWriter(tmp_path / "x", "wma", SAMPLE_RATE)


def test_a_folder_that_cannot_be_made_is_a_typed_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(OutputFailed, match="can't be written"):
        AudioWriter(tmp_path / "file" / "take.wav", "wav", SAMPLE_RATE)


@pytest.mark.skipif(not Path("/dev/full").is_char_device(), reason="only Linux has a device that is always full")
@pytest.mark.parametrize("name", ["wav", "mp3"])
def test_a_full_disk_is_a_typed_error_and_leaves_nothing(name: str, tmp_path: Path) -> None:
    (tmp_path / "take.part").symlink_to("/dev/full")
    with pytest.raises(OutputFailed):
        _write_and_break(tmp_path / "take", name)
    assert list(tmp_path.iterdir()) == []


def _write_and_break(path: Path, name: str) -> None:
    with AudioWriter(path, name, SAMPLE_RATE) as writer:
        for chunk in range(50):
            writer.write(tone(chunk))
        raise Broken
