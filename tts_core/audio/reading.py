"""The reader of people's recordings, whatever made them. Neither a file's name nor its header is trusted."""

from __future__ import annotations

import io
import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile

from tts_core.audio.faults import AudioUnreadable, RecordingTooLong
from tts_core.audio.files import MAX_CHANNELS, MAX_RATE, MIN_RATE
from tts_core.domain.errors import memory_errors_typed
from tts_core.domain.events import Samples

MAX_REFERENCE_S = 60.0
"""The longest recording of a voice."""
MAX_RECORDING_S = 1800.0
"""The longest recording of any kind."""
MAX_SAMPLES = round(MAX_RECORDING_S * 48_000)
"""The most samples read, 350 MB. Higher rates get less time: a megabyte can hold half an hour of silence at
192 kHz."""
_BLOCK_FRAMES = 1 << 16
_FOREIGN_TIMEOUT_S = 120.0
_MAGIC_BYTES = 16


@dataclass(frozen=True, slots=True)
class Clip:
    """A recording in memory."""

    samples: Samples
    """The mono samples in [-1, 1]."""
    sample_rate: int
    """The rate as recorded, hertz."""
    container: str = "wav"
    """The file's container: wav, flac, mp3, ogg, aiff, m4a, webm, aac."""
    channels: int = 1
    """The number of the file's channels, which are averaged."""

    @property
    def duration_s(self) -> float:
        return len(self.samples) / self.sample_rate


_FOREIGN = {"m4a": "mov", "webm": "matroska", "aac": "aac"}
"""FFmpeg's demuxer for each container it reads; libsndfile reads all others."""


def read_recording(path: Path, *, max_seconds: float = MAX_REFERENCE_S) -> Clip:
    """Decode a file from outside. Raises AudioUnreadable, RecordingTooLong or OutOfMemory.

    Samples are counted while they are decoded: a header may lie about length and rate, and 25 MB of Opus hold
    nine hours.
    """
    container = _container(path)
    with memory_errors_typed():
        if container in _FOREIGN:
            clip = _read_foreign(path, container, max_seconds)
        else:
            clip = _read_native(path, container, max_seconds)
    if not len(clip.samples):
        raise _refusal(path, "it holds no sound")
    if not np.isfinite(clip.samples).all():
        raise _refusal(path, "it holds values that are no numbers")
    return clip


def _container(path: Path) -> str:
    """The file's container, recognised by its first bytes alone."""
    try:
        with path.open("rb") as stream:
            magic = stream.read(_MAGIC_BYTES)
    except OSError as error:
        raise AudioUnreadable(path=path.name, reason=error.strerror or "it can't be opened") from error
    if magic[:4] in (b"RIFF", b"RF64") and magic[8:12] == b"WAVE":
        return "wav"
    if magic[:4] == b"FORM" and magic[8:12] in (b"AIFF", b"AIFC"):
        return "aiff"
    for start, name in ((b"fLaC", "flac"), (b"OggS", "ogg"), (b"ID3", "mp3"), (b"\x1a\x45\xdf\xa3", "webm")):
        if magic.startswith(start):
            return name
    if magic[4:8] == b"ftyp":
        return "m4a"
    if len(magic) > 1 and magic[0] == 0xFF and magic[1] & 0xE0 == 0xE0:  # an MPEG frame's sync word
        return "aac" if magic[1] & 0xF6 == 0xF0 else "mp3"  # ADTS has layer 0
    raise _refusal(path, "it is no sound file that is known here")


def _refusal(path: Path, reason: str) -> AudioUnreadable:
    return AudioUnreadable(path=path.name, reason=reason)


def _read_native(path: Path, container: str, max_seconds: float) -> Clip:
    try:
        with soundfile.SoundFile(_nameless(path)) as file:
            if not (file.channels <= MAX_CHANNELS and MIN_RATE <= file.samplerate <= MAX_RATE):
                raise _refusal(path, f"{file.channels} channels at {file.samplerate} Hz")
            blocks = list(_blocks(file, max_seconds))
            return Clip(np.concatenate(blocks or [np.zeros(0, np.float32)]), file.samplerate, container, file.channels)
    except (soundfile.SoundFileError, OSError, ValueError) as error:
        raise AudioUnreadable(path=path.name, reason="it is damaged or not what it says") from error


def _nameless(path: Path) -> Path | io.BytesIO:
    """The file in a form that soundfile recognises by content; from a name that ends in .raw it expects no header."""
    return io.BytesIO(path.read_bytes()) if path.suffix.lower() == ".raw" else path


def _blocks(file: soundfile.SoundFile, max_seconds: float) -> Iterator[Samples]:
    """The file's mono blocks; raises RecordingTooLong as soon as they last longer than the limit."""
    limit_s = _limit_s(max_seconds, file.samplerate)
    room = round(limit_s * file.samplerate)
    while True:
        block = file.read(_BLOCK_FRAMES, dtype="float32", always_2d=True)
        if not len(block):
            return
        room -= len(block)
        if room < 0:
            raise RecordingTooLong(limit_s=round(limit_s))
        yield block.mean(axis=1)


def _limit_s(max_seconds: float, rate: int) -> float:
    return min(max_seconds, MAX_SAMPLES / rate)


def _read_foreign(path: Path, container: str, max_seconds: float) -> Clip:
    # One second, or one sample, more than is allowed shows that the recording is too long.
    limits = (str(max_seconds + 1), str(MAX_SAMPLES + 1))
    command = [sys.executable, "-m", "tts_core.audio.decoder_process", _FOREIGN[container], *limits]
    try:
        with path.open("rb") as source:
            done = subprocess.run(  # noqa: S603 - our own module; the name of the file is no part of it
                command,
                stdin=source,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                timeout=_FOREIGN_TIMEOUT_S,
                check=False,
            )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise AudioUnreadable(path=path.name, reason="it takes too long to decode") from error
    header, _, body = done.stdout.partition(b"\n")
    if done.returncode != 0 or not header:
        raise _refusal(path, "it is damaged or not what it says")
    facts = json.loads(header)
    rate, channels = int(facts["rate"]), int(facts["channels"])
    if not (channels <= MAX_CHANNELS and MIN_RATE <= rate <= MAX_RATE):
        raise _refusal(path, f"{channels} channels at {rate} Hz")
    samples = np.frombuffer(body[: len(body) // 4 * 4], "<f4").astype(np.float32)
    limit_s = _limit_s(max_seconds, rate)
    if len(samples) > limit_s * rate:
        raise RecordingTooLong(limit_s=round(limit_s))
    return Clip(samples, rate, container, channels)
