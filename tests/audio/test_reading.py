"""Whatever people record with is read; whatever pretends to be a recording is refused, soon and with a clear error."""

from __future__ import annotations

import struct
import zipfile
from contextlib import suppress
from pathlib import Path
from random import Random

import av
import numpy as np
import pytest
import soundfile

from tts_core.audio import reading
from tts_core.audio.faults import AudioUnreadable, RecordingTooLong
from tts_core.audio.reading import read_recording

RATE = 48_000
TONE_HZ = 440.0


def tone(seconds: float, rate: int = RATE) -> np.ndarray:
    return (0.5 * np.sin(2 * np.pi * TONE_HZ * np.arange(round(seconds * rate)) / rate)).astype(np.float32)


def pitch(samples: np.ndarray, rate: int) -> float:
    spectrum = np.abs(np.fft.rfft(samples * np.hanning(len(samples))))
    return float(np.argmax(spectrum) * rate / len(samples))


def write_with_codec(path: Path, container: str, codec: str, seconds: float) -> Path:
    with av.open(str(path), "w", format=container) as out:
        stream = out.add_stream(codec, rate=RATE, layout="mono")
        frame = av.AudioFrame.from_ndarray(tone(seconds)[None], format="fltp", layout="mono")
        frame.sample_rate = RATE
        converted = av.AudioResampler(format=stream.format.name, layout="mono", rate=RATE).resample(frame)
        for piece in converted:
            for packet in stream.encode(piece):
                out.mux(packet)
        for packet in stream.encode(None):
            out.mux(packet)
    return path


@pytest.mark.parametrize(
    ("name", "container", "encoding"),
    [
        ("a.wav", "WAV", "PCM_16"),
        ("a.wav", "WAV", "FLOAT"),
        ("a.flac", "FLAC", "PCM_24"),
        ("a.mp3", "MP3", "MPEG_LAYER_III"),
        ("a.ogg", "OGG", "VORBIS"),
        ("a.ogg", "OGG", "OPUS"),
        ("a.aiff", "AIFF", "PCM_16"),
    ],
)
def test_what_libsndfile_knows(tmp_path: Path, name: str, container: str, encoding: str) -> None:
    path = tmp_path / name
    soundfile.write(path, tone(2), RATE, format=container, subtype=encoding)
    clip = read_recording(path)
    assert (clip.container, clip.sample_rate, clip.channels) == (path.suffix[1:], RATE, 1)
    assert clip.duration_s == pytest.approx(2, abs=0.1)
    assert pitch(clip.samples, RATE) == pytest.approx(TONE_HZ, abs=2)
    assert np.sqrt((clip.samples**2).mean()) == pytest.approx(0.5 / np.sqrt(2), abs=0.02)


@pytest.mark.parametrize(
    ("name", "container", "codec"),
    [("a.m4a", "mp4", "aac"), ("a.webm", "webm", "libopus"), ("a.aac", "adts", "aac")],
)
def test_what_phones_and_browsers_record(tmp_path: Path, name: str, container: str, codec: str) -> None:
    clip = read_recording(write_with_codec(tmp_path / name, container, codec, 2))
    assert (clip.container, clip.sample_rate) == (name[2:], RATE)
    assert clip.duration_s == pytest.approx(2, abs=0.1)
    assert pitch(clip.samples, RATE) == pytest.approx(TONE_HZ, abs=2)
    assert clip.samples.dtype == np.float32


def test_the_name_decides_nothing(tmp_path: Path) -> None:
    path = tmp_path / "a.mp3"
    soundfile.write(path, tone(1), RATE, format="FLAC")
    assert read_recording(path).container == "flac"


def test_channels_are_averaged(tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    soundfile.write(path, np.stack([tone(1), np.zeros_like(tone(1))], axis=1), RATE)
    clip = read_recording(path)
    assert (clip.channels, clip.samples.ndim) == (2, 1)
    assert np.abs(clip.samples).max() == pytest.approx(0.25, abs=0.01)


@pytest.mark.parametrize("name", ["a.wav", "a.m4a", "a.webm"])
def test_too_long_is_refused_while_decoding(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    if name == "a.wav":
        soundfile.write(path, tone(5), RATE)
    else:
        write_with_codec(path, {"a.m4a": "mp4", "a.webm": "webm"}[name], {"a.m4a": "aac", "a.webm": "libopus"}[name], 5)
    with pytest.raises(RecordingTooLong):
        read_recording(path, max_seconds=3)
    assert read_recording(path, max_seconds=5.5).duration_s == pytest.approx(5, abs=0.1)


def test_a_forged_rate_does_not_make_a_long_recording_short(tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    soundfile.write(path, tone(5), RATE)
    data = bytearray(path.read_bytes())
    data[24:28] = struct.pack("<I", 10_000_000)
    path.write_bytes(bytes(data))
    with pytest.raises(AudioUnreadable):
        read_recording(path, max_seconds=3)


def test_a_header_that_promises_hours_costs_nothing(tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    soundfile.write(path, tone(1), RATE)
    data = bytearray(path.read_bytes())
    data[40:44] = struct.pack("<I", 0x7FFFFFF0)
    path.write_bytes(bytes(data))
    assert read_recording(path).duration_s == pytest.approx(1, abs=0.1)


def hostile(tmp_path: Path) -> dict[str, bytes]:
    whole = write_with_codec(tmp_path / "whole.m4a", "mp4", "aac", 2).read_bytes()
    archive = tmp_path / "bomb.zip"
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as bomb:
        bomb.writestr("a.wav", bytes(10_000_000))
    return {
        "empty": b"",
        "playlist": b"#EXTM3U\n#EXTINF:10,\nhttp://127.0.0.1:1/secret.ts\n",
        "concat": b"ffconcat version 1.0\nfile '/etc/passwd'\n",
        "page": b"<html><body>log in</body></html>",
        "zip": archive.read_bytes(),
        "text": b"hello " * 100,
        "half of an m4a": whole[: len(whole) // 2],
        "only a box": whole[:40],
        "wav without sound": b"RIFF\x24\0\0\0WAVEfmt \x10\0\0\0\1\0\1\0\x80\xbb\0\0\0w\1\0\2\0\x10\0data\0\0\0\0",
        "broken wav": b"RIFF\xff\xff\xff\xffWAVE" + b"\xff" * 64,
        "broken matroska": b"\x1a\x45\xdf\xa3" + bytes(range(256)) * 8,
        "mpeg noise": b"\xff\xfb" + b"\x00\xff" * 500,
    }


KINDS = (
    "empty",
    "playlist",
    "concat",
    "page",
    "zip",
    "text",
    "half of an m4a",
    "only a box",
    "wav without sound",
    "broken wav",
    "broken matroska",
    "mpeg noise",
)


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_no_recording_is_refused(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "upload.wav"
    path.write_bytes(hostile(tmp_path)[kind])
    with pytest.raises(AudioUnreadable) as refused:
        read_recording(path)
    assert str(tmp_path) not in refused.value.message


def test_a_truncated_recording_is_read_as_far_as_it_goes(tmp_path: Path) -> None:
    path = tmp_path / "a.flac"
    soundfile.write(path, tone(4), RATE)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with suppress(AudioUnreadable):  # libsndfile may report the break instead of giving what came before
        assert 0 < read_recording(path).duration_s < 4


@pytest.mark.parametrize("name", ["a.flac", "a.mov"])
def test_a_high_rate_does_not_multiply_the_memory(tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Silence packs well: what counts is the number of samples, not of seconds."""
    monkeypatch.setattr(reading, "MAX_SAMPLES", 2 * 192_000)
    path, silence = tmp_path / name, np.zeros(3 * 192_000, np.int16)
    if name == "a.flac":
        soundfile.write(path, silence, 192_000)
    else:
        with av.open(str(path), "w", format="mov") as out:
            stream = out.add_stream("pcm_s16le", rate=192_000, layout="mono")
            frame = av.AudioFrame.from_ndarray(silence[None], format="s16", layout="mono")
            frame.sample_rate = 192_000
            out.mux([*stream.encode(frame), *stream.encode(None)])
    with pytest.raises(RecordingTooLong) as refused:
        read_recording(path, max_seconds=60)
    assert refused.value.params == {"limit_s": 2}


@pytest.mark.parametrize("name", ["a.raw", "a.m3u8", "a.txt", "a"])
def test_a_recording_may_be_called_anything(tmp_path: Path, name: str) -> None:
    for container in ("WAV", "MP3"):
        soundfile.write(tmp_path / name, tone(1), RATE, format=container)
        assert read_recording(tmp_path / name).container == container.lower()


@pytest.mark.parametrize("name", ["a.wav", "a.flac", "a.mp3", "a.ogg", "a.aiff"])
def test_whatever_is_damaged_is_refused_or_read(tmp_path: Path, name: str) -> None:
    path, random = tmp_path / name, Random(2)
    soundfile.write(path, tone(0.5), RATE)
    good, refused = path.read_bytes(), 0
    for number in range(60):
        damaged = bytearray(good)
        for _ in range(6):
            damaged[random.randrange(min(len(damaged), 400) if number % 2 else len(damaged))] = random.randrange(256)
        path.write_bytes(damaged if number % 5 else damaged[: random.randrange(len(damaged))])
        try:
            assert read_recording(path).duration_s <= 60
        except (AudioUnreadable, RecordingTooLong):
            refused += 1
    assert refused > 0


@pytest.mark.parametrize(("name", "container", "codec"), [("a.m4a", "mp4", "aac"), ("a.webm", "webm", "libopus")])
def test_what_the_container_claims_decides_nothing(tmp_path: Path, name: str, container: str, codec: str) -> None:
    path = write_with_codec(tmp_path / name, container, codec, 1)
    good = path.read_bytes()
    if container == "mp4":
        place, forged = good.index(b"mp4a") + 28, struct.pack(">I", (192_000 & 0xFFFF) << 16)
    else:
        place, forged = good.index(b"\xb5\x88") + 2, struct.pack(">d", 1e300)
    path.write_bytes(good[:place] + forged + good[place + len(forged) :])
    clip = read_recording(path)
    assert clip.sample_rate == RATE
    assert clip.duration_s == pytest.approx(1, abs=0.1)


def test_a_container_that_points_at_another_file_is_not_followed(tmp_path: Path) -> None:
    """The data reference says "elsewhere": what is in this file is read, or nothing."""
    path = write_with_codec(tmp_path / "a.m4a", "mp4", "aac", 1)
    data = bytearray(path.read_bytes())
    data[data.index(b"url ") + 7] = 0
    path.write_bytes(data)
    with suppress(AudioUnreadable):
        assert read_recording(path).duration_s == pytest.approx(1, abs=0.1)
