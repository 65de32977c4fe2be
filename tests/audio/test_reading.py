"""Whatever people record with is read; whatever pretends to be a recording is refused, soon and with a clear error."""

from __future__ import annotations

import json
import struct
import subprocess
import sys
import zipfile
from contextlib import suppress
from pathlib import Path
from random import Random

import numpy as np
import pytest
import soundfile

from tests import ROOT
from tests.audio.recordings import ACCIDENTS, RATE, TONE_HZ, broken, encoded, speex, tone
from tts_core.audio.faults import AudioUnreadable, RecordingTooLong, RecordingWithoutSound
from tts_core.audio.reading import LONG_RATE, read_recording


def write_with_codec(path: Path, container: str, codec: str, seconds: float) -> Path:
    path.write_bytes(encoded(container, codec, tone(seconds)))
    return path


def pitch(samples: np.ndarray, rate: int) -> float:
    spectrum = np.abs(np.fft.rfft(samples * np.hanning(len(samples))))
    return float(np.argmax(spectrum) * rate / len(samples))


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


@pytest.mark.parametrize("kind", ACCIDENTS)
def test_what_every_player_reads(tmp_path: Path, kind: str) -> None:
    container, seconds, make = ACCIDENTS[kind]
    path = tmp_path / "upload"
    path.write_bytes(make())
    clip = read_recording(path)
    assert clip.container == container
    assert clip.duration_s + clip.lost_s == pytest.approx(seconds, abs=0.35 if "aac" in kind else 0.11)
    assert pitch(clip.samples[: len(clip.samples) // 3], clip.sample_rate) == pytest.approx(TONE_HZ, abs=3)


def test_old_voice_memos_in_speex(tmp_path: Path) -> None:
    path = tmp_path / "upload"
    path.write_bytes(speex())
    clip = read_recording(path)
    assert (clip.container, clip.sample_rate, clip.duration_s) == ("ogg", 8000, 2.0)


@pytest.mark.parametrize(
    ("container", "codec", "lost_s"), [("ipod", "aac", 1024 / RATE), ("flac", "flac", 4608 / RATE)]
)
def test_what_is_broken_is_measured(tmp_path: Path, container: str, codec: str, lost_s: float) -> None:
    """The scratch touches one packet or two."""
    path, whole = tmp_path / "upload", encoded(container, codec, tone(3))
    path.write_bytes(whole)
    assert read_recording(path).lost_s == 0
    path.write_bytes(broken(whole))
    assert read_recording(path).lost_s / lost_s == pytest.approx(1.5, abs=0.6)


def test_a_film_without_sound_is_named_so(tmp_path: Path) -> None:
    path = tmp_path / "film.mp4"
    path.write_bytes(encoded("mp4", "", None, has_film=True))
    with pytest.raises(RecordingWithoutSound, match=r"film\.mp4 is a video without sound"):
        read_recording(path)


def test_a_long_recording_keeps_the_rate_that_models_need(tmp_path: Path) -> None:
    path = tmp_path / "a.flac"
    for seconds, rate in ((60, RATE), (61, LONG_RATE)):
        soundfile.write(path, tone(seconds), RATE)
        clip = read_recording(path, max_seconds=120)
        assert clip.sample_rate == rate
        assert clip.duration_s == pytest.approx(seconds, abs=0.001)
        assert pitch(clip.samples[-rate:], rate) == pytest.approx(TONE_HZ, abs=2)
    assert read_recording(path, max_seconds=120, long_rate=16_000).sample_rate == 16_000


MEASURE = """
import json, resource, sys
from pathlib import Path
from tts_core.audio.judging import examine
from tts_core.audio.reading import read_recording
from tts_core.audio.faults import RecordingTooLong
path, most = Path(sys.argv[1]), float(sys.argv[2])
base = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
try:
    clip = read_recording(path, max_seconds=most)
    found = [finding.code for finding in examine(clip.samples, clip.sample_rate).findings]
except RecordingTooLong:
    found = "too long"
decoder = resource.getrusage(resource.RUSAGE_CHILDREN)
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
print(json.dumps([found, (peak - base) / 1024, decoder.ru_maxrss / 1024, decoder.ru_utime]))
"""


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="the peak is counted in kilobytes there")
@pytest.mark.parametrize(
    ("rate", "most_s", "expected"),
    [(24_000, 1800, ["no_speech"]), (24_000, 60, "too long"), (192_000, 60, "too long")],
)
def test_half_an_hour_takes_little_memory(tmp_path: Path, rate: int, most_s: float, expected: object) -> None:
    """Silence packs well: 263 kB that took two gigabytes."""
    path, silence = tmp_path / "a.flac", np.zeros(60 * rate, np.int16)
    with soundfile.SoundFile(path, "w", rate, 1) as file:
        for _ in range(29 if rate == 24_000 else 2):
            file.write(silence)
    command = [sys.executable, "-c", MEASURE, str(path), str(most_s)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    found, more_mb, decoder_mb, processor_s = json.loads(done.stdout)
    assert found == expected
    assert max(more_mb, decoder_mb) < 200
    assert processor_s < 20 if most_s > 60 else processor_s < 6, "decoding ends at the limit"


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
    assert 1.5 < read_recording(path).duration_s < 2.5


@pytest.mark.parametrize("name", ["a.raw", "a.m3u8", "a.txt", "a"])
def test_a_recording_may_be_called_anything(tmp_path: Path, name: str) -> None:
    for container in ("WAV", "MP3"):
        soundfile.write(tmp_path / name, tone(1), RATE, format=container)
        assert read_recording(tmp_path / name).container == container.lower()


@pytest.mark.slow
@pytest.mark.parametrize("name", ["a.wav", "a.flac", "a.mp3", "a.ogg", "a.aiff"])
def test_whatever_is_damaged_is_refused_or_read(tmp_path: Path, name: str) -> None:
    path, random = tmp_path / name, Random(2)
    soundfile.write(path, tone(0.5), RATE)
    good, refused = path.read_bytes(), 0
    for number in range(60 if name == "a.wav" else 6):
        damaged = bytearray(good)
        for _ in range(6):
            damaged[random.randrange(min(len(damaged), 400) if number % 2 else len(damaged))] = random.randrange(256)
        path.write_bytes(damaged if number % 5 else damaged[: random.randrange(len(damaged))])
        try:
            assert read_recording(path).duration_s <= 60
        except (AudioUnreadable, RecordingTooLong):
            refused += 1
    assert refused > 0 or name != "a.wav"


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
