"""The reader of people's recordings, whatever made them. Neither a file's name nor its header is trusted."""

from __future__ import annotations

import json
import logging
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from threading import Timer
from typing import IO, Any

import numpy as np
import soundfile

from tts_core.audio.faults import AudioUnreadable, RecordingTooLong, RecordingWithoutSound
from tts_core.audio.files import MAX_CHANNELS, MAX_RATE, MIN_RATE
from tts_core.audio.mixing import MEAN, Mixer, mended
from tts_core.domain.errors import memory_errors_typed
from tts_core.domain.events import Samples

logger = logging.getLogger(__name__)

MAX_REFERENCE_S = 60.0
"""The longest recording of a voice."""
MAX_RECORDING_S = 1800.0
"""The longest recording of any kind."""
FULL_RATE_S = MAX_REFERENCE_S
"""The longest recording that keeps its own rate."""
LONG_RATE = 24_000
"""The rate that longer recordings have at most, hertz, and the models' own: half an hour of it takes 173 MB."""
NO_SOUND = 3
"""The exit status of the decoder's process for a film without sound."""
_BLOCK_FRAMES = 1 << 16
_DECODING_TIMEOUT_S = 120.0
_PLAIN = ("PCM_U8", "PCM_16", "PCM_24", "PCM_32", "FLOAT", "DOUBLE")
"""The encodings of WAV files that are read without a decoder."""


@dataclass(frozen=True, slots=True)
class Clip:
    """A recording in memory."""

    samples: Samples
    """The mono samples in [-1, 1]."""
    sample_rate: int
    """The rate as recorded, hertz; of a recording longer than FULL_RATE_S the one that was asked for at most."""
    container: str = "wav"
    """The file's container: wav, flac, mp3, ogg, aiff, m4a, webm, aac, and others that FFmpeg knows."""
    channels: int = 1
    """The number of the file's channels, which are averaged."""
    lost_s: float = 0.0
    """The seconds that are broken in the file and left out."""

    @property
    def duration_s(self) -> float:
        return len(self.samples) / self.sample_rate


def read_recording(path: Path, *, max_seconds: float = MAX_REFERENCE_S, long_rate: int = LONG_RATE) -> Clip:
    """Decode a file from outside. Raises AudioUnreadable, RecordingWithoutSound, RecordingTooLong or OutOfMemory.

    Samples are counted while they are decoded: a header may lie about length and rate, and 25 MB of Opus hold
    nine hours. `long_rate` is the rate at most of a recording longer than FULL_RATE_S.
    """
    with memory_errors_typed():
        clip = _read_plain(path, max_seconds) or _read_decoded(path, max_seconds, long_rate)
        if not len(clip.samples):
            raise _refusal(path, "it holds no sound")
        if not np.isfinite((clip.samples.min(), clip.samples.max())).all():
            raise _refusal(path, "it holds values that are no numbers")
        mended(clip.samples)
    if clip.lost_s:
        logger.warning("a recording is damaged: %.1f s of it are left out", clip.lost_s)
    return clip


def _refusal(path: Path, reason: str) -> AudioUnreadable:
    return AudioUnreadable(path=path.name, reason=reason)


def _check_shape(path: Path, channels: int, rate: int) -> None:
    if not (0 < channels <= MAX_CHANNELS and MIN_RATE <= rate <= MAX_RATE):
        raise _refusal(path, f"{channels} channels at {rate} Hz")


def _read_plain(path: Path, max_seconds: float) -> Clip | None:
    """A short WAV file, such as those that are made here: no process has to start for it. None for all others."""
    try:
        with path.open("rb") as source:
            magic = source.read(12)
        if magic[:4] != b"RIFF" or magic[8:] != b"WAVE" or path.suffix.lower() == ".raw":
            return None  # from a name in .raw soundfile would expect no header
        with soundfile.SoundFile(path) as file:
            _check_shape(path, file.channels, file.samplerate)
            is_long = file.frames > FULL_RATE_S * file.samplerate
            if file.subtype not in _PLAIN or is_long or not file.frames:
                return None
            if file.frames > max_seconds * file.samplerate:
                raise RecordingTooLong(limit_s=round(max_seconds))
            return _mixed(file)
    except (soundfile.SoundFileError, ValueError):
        return None
    except OSError as error:
        raise _refusal(path, error.strerror or "it can't be opened") from error


def _mixed(file: soundfile.SoundFile) -> Clip | None:
    channel = MEAN
    while True:
        mixer = Mixer(channel)
        blocks = [mixer.mix(block.T) for block in file.blocks(_BLOCK_FRAMES, dtype="float32", always_2d=True)]
        samples = np.concatenate(blocks or [np.zeros(0, np.float32)])
        channel = mixer.cancelled_channel()
        if len(samples) != file.frames:
            return None
        if channel == MEAN:
            return Clip(samples, file.samplerate, "wav", file.channels)
        file.seek(0)


def _read_decoded(path: Path, max_seconds: float, long_rate: int) -> Clip:
    channel = MEAN
    while True:
        with _decoder(path, max_seconds, long_rate, channel) as process:
            clip, facts = _collected(path, process, max_seconds)
        channel = int(facts["channel"])
        if channel == MEAN:
            return clip


@contextmanager
def _decoder(path: Path, max_seconds: float, long_rate: int, channel: int) -> Iterator[subprocess.Popen[bytes]]:
    """The process that decodes the file; it ends with the block."""
    arguments = (str(max_seconds), str(long_rate), str(channel))
    command = [sys.executable, "-m", "tts_core.audio.decoder_process", *arguments]
    try:
        with path.open("rb") as source:
            process = subprocess.Popen(  # noqa: S603 - our own module; the name of the file is no part of it
                command, stdin=source, stdout=subprocess.PIPE, stderr=subprocess.PIPE, bufsize=0
            )
    except OSError as error:
        raise _refusal(path, error.strerror or "it can't be opened") from error
    clock = Timer(_DECODING_TIMEOUT_S, process.kill)
    clock.start()
    try:
        yield process
    finally:
        clock.cancel()
        process.kill()
        process.communicate()


def _collected(path: Path, process: subprocess.Popen[bytes], max_seconds: float) -> tuple[Clip, Mapping[str, Any]]:
    """The recording that the process sends, and what it says at the end."""
    out, err = process.stdout, process.stderr
    assert out is not None and err is not None  # noqa: S101, PT018 - both are pipes
    header = bytearray()
    while not header.endswith(b"\n") and (letter := out.read(1)):
        header += letter
    facts: Mapping[str, Any] = json.loads(header) if header.endswith(b"\n") else {}
    rate, channels, samples = int(facts.get("rate", 0)), int(facts.get("channels", 0)), np.zeros(0, np.float32)
    if facts:
        _check_shape(path, channels, rate)
        samples = _samples(out, round(max_seconds * rate))
        if len(samples) > max_seconds * rate:
            raise RecordingTooLong(limit_s=round(max_seconds))
    words, status = err.read(), process.wait()
    if status == NO_SOUND:
        raise RecordingWithoutSound(path=path.name)
    if status != 0:
        raise _refusal(path, "it is damaged or no sound file that is known here")
    if not facts:
        raise _refusal(path, "it holds no sound")
    ended: Mapping[str, Any] = json.loads(words)
    return Clip(samples, rate, str(facts["container"]), channels, float(ended["lost_s"])), ended


def _samples(source: IO[bytes], most: int) -> Samples:
    """The samples that the process sends; one more than `most` where there are too many."""
    # one array for all: what is never filled takes no memory
    samples = np.empty(most + 1, "<f4")
    room, length = samples.view(np.uint8).data, 0
    while length < len(room) and (count := source.readinto(room[length:])):  # type: ignore[attr-defined]
        length += count
    return samples[: length // 4].astype(np.float32, copy=False)
