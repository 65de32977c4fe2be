"""Audio files: writing and resampling with soundfile and soxr. Knows nothing of speech."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType, TracebackType

import numpy as np
import numpy.typing as npt
import soundfile
import soxr

from tts_core.audio.faults import AudioUnreadable, OutputFailed, UnsupportedFormat
from tts_core.domain.events import Samples
from tts_core.platform.whole_files import PART_SUFFIX, make_private, open_private

FULL_SCALE = 32768.0
_BLOCK_FRAMES = 1 << 16
MAX_CHANNELS, MIN_RATE, MAX_RATE = 8, 4_000, 192_000
"""The limits of a sound file that is read; rates in hertz."""


@dataclass(frozen=True, slots=True)
class AudioFormat:
    extension: str
    """The file extension with its dot, e.g. ".wav"."""
    mime: str
    container: str
    """libsndfile's name of the file type."""
    encoding: str
    """libsndfile's name of the sample encoding."""
    sample_rate: int | None = None
    """The rate of every file, hertz; None keeps the rate of the sound."""


_KNOWN_FORMATS = {
    "wav": AudioFormat(".wav", "audio/wav", "WAV", "PCM_16"),
    "flac": AudioFormat(".flac", "audio/flac", "FLAC", "PCM_16"),
    "mp3": AudioFormat(".mp3", "audio/mpeg", "MP3", "MPEG_LAYER_III"),
    "ogg": AudioFormat(".ogg", "audio/ogg", "OGG", "VORBIS"),
    "opus": AudioFormat(".opus", "audio/ogg; codecs=opus", "OGG", "OPUS", sample_rate=48_000),
}


def _writable_formats() -> Mapping[str, AudioFormat]:
    containers = soundfile.available_formats()
    return MappingProxyType(
        {
            name: known
            for name, known in _KNOWN_FORMATS.items()
            if known.container in containers and known.encoding in soundfile.available_subtypes(known.container)
        }
    )


FORMATS = _writable_formats()
"""The formats that the installed libsndfile can write, by the name requests use."""


def audio_format(name: str) -> AudioFormat:
    """The format of that name; raises UnsupportedFormat naming those that work."""
    try:
        return FORMATS[name]
    except KeyError as error:
        raise UnsupportedFormat(format=name, choices=", ".join(FORMATS)) from error


def to_int16(samples: Samples) -> npt.NDArray[np.int16]:
    """The samples as 16 bits at the same level, so nothing downstream is tempted to normalise; louder ones clip."""
    clipped: npt.NDArray[np.int16] = np.clip(np.rint(samples * FULL_SCALE), -FULL_SCALE, FULL_SCALE - 1).astype(
        np.int16
    )
    return clipped


def resample(samples: Samples, from_rate: int, to_rate: int) -> Samples:
    """The same sound at another rate (hertz), ceil(length * to_rate / from_rate) samples of it.

    Computes what librosa 0.11 does by default, which the published Qwen3-TTS package resamples recordings with.
    """
    if from_rate == to_rate:
        return samples
    length = int(np.ceil(len(samples) * (to_rate / from_rate)))
    # soxr rounds the length its own way
    resampled: Samples = soxr.resample(samples, from_rate, to_rate, quality="HQ")[:length]
    return resampled if len(resampled) == length else np.pad(resampled, (0, length - len(resampled)))


class Resampler:
    """Changes the rate of a sound that comes in pieces, without a seam between them."""

    def __init__(self, from_rate: int, to_rate: int) -> None:
        """The rates are in hertz; where they are equal, the pieces stay as they are."""
        is_needed = from_rate != to_rate
        self._stream = soxr.ResampleStream(from_rate, to_rate, 1, dtype="float32") if is_needed else None

    def resample(self, samples: Samples, *, last: bool = False) -> Samples:
        """The next piece, [N] samples; it may be shorter than its share until the last one."""
        if self._stream is None:
            return samples
        resampled: Samples = self._stream.resample_chunk(samples, last=last)
        return resampled

    def end(self) -> Samples:
        """The rest of the sound, [N] samples."""
        return self.resample(np.zeros(0, np.float32), last=True)


class AudioWriter:
    """Writes one mono file piece by piece; the file has its name only once it is whole.

        with AudioWriter(path, "mp3", 24_000) as writer:
            writer.write(samples)

    Leaving the block by an exception removes what was written. Levels are kept as they are. Raises OutputFailed when
    the disk is full or the folder can't be written.
    """

    def __init__(self, path: Path, format: str, sample_rate: int, *, private: bool = True) -> None:  # noqa: A002 - the requests' word
        """`path` gets the file, of a `format` from FORMATS; `sample_rate` is that of the samples, hertz.

        A `private` file is for its owner only, and so is its folder where that is made.
        """
        kind = audio_format(format)
        self._path = path
        self._part = path.with_name(path.name + PART_SUFFIX)
        self._source_rate = sample_rate
        self._source_samples = 0
        self.sample_rate = kind.sample_rate or sample_rate
        """The rate of the file, hertz."""
        self._resampler = Resampler(sample_rate, self.sample_rate)
        self._file = self._open(kind, private=private)

    @property
    def duration_s(self) -> float:
        """The seconds of sound written so far."""
        return self._source_samples / self._source_rate

    def write(self, samples: Samples) -> None:
        """Append mono float32 samples in [-1, 1]."""
        self._source_samples += len(samples)
        self._append(samples, last=False)

    def __enter__(self) -> AudioWriter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is None:
            self._finish()
        else:
            self._discard()

    def _open(self, kind: AudioFormat, *, private: bool) -> soundfile.SoundFile:
        with disk_errors_typed(self._path.parent):
            if private:
                make_private(self._path.parent)
                open_private(self._part, "wb").close()  # it keeps its rights when it is opened again
            else:
                self._path.parent.mkdir(parents=True, exist_ok=True)
            try:
                return soundfile.SoundFile(
                    self._part, "w", self.sample_rate, channels=1, subtype=kind.encoding, format=kind.container
                )
            except soundfile.SoundFileError:
                self._part.unlink(missing_ok=True)
                raise

    def _append(self, samples: Samples, *, last: bool) -> None:
        samples = self._resampler.resample(samples, last=last)
        with disk_errors_typed(self._path.parent):
            # Samples beyond full scale are cut off here, so that every format sounds alike; 16 bits are rounded as for
            # the live sound.
            is_16_bit = self._file.subtype == "PCM_16"
            self._file.write(to_int16(samples) if is_16_bit else np.clip(samples, -1.0, 1.0 - 1.0 / FULL_SCALE))

    def _finish(self) -> None:
        try:
            self._append(np.zeros(0, dtype=np.float32), last=True)
            with disk_errors_typed(self._path.parent):
                self._file.close()
                self._part.replace(self._path)
        except BaseException:
            self._discard()
            raise

    def _discard(self) -> None:
        # the reason for leaving matters more than a close that fails on, say, a full disk
        with suppress(soundfile.SoundFileError, OSError):
            self._file.close()
        self._part.unlink(missing_ok=True)


def convert(path: Path, copy: Path, format: str) -> None:  # noqa: A002 - the requests' word
    """Write one of our files once more in another format, in blocks. Raises AudioUnreadable, OutputFailed."""
    try:
        source = soundfile.SoundFile(path)
    except (soundfile.SoundFileError, OSError) as error:
        raise AudioUnreadable(path=path.name, reason=str(error)) from error
    with source, AudioWriter(copy, format, source.samplerate) as writer:
        for block in source.blocks(_BLOCK_FRAMES, dtype="float32", always_2d=True):
            writer.write(block.mean(axis=1))


@contextmanager
def disk_errors_typed(folder: Path) -> Iterator[None]:
    """Raise OutputFailed for errors of the disk and of libsndfile."""
    try:
        yield
    except (soundfile.SoundFileError, OSError) as error:
        raise OutputFailed(folder=folder, reason=error) from error


def read_samples(path: Path) -> tuple[Samples, int]:
    """A file that the studio has written, as mono float32 samples, and its rate in hertz. Raises AudioUnreadable."""
    try:
        channels, rate = soundfile.read(path, dtype="float32", always_2d=True)
    except (soundfile.SoundFileError, OSError) as error:
        raise AudioUnreadable(path=path.name, reason="it is not the sound file that it was") from error
    samples: Samples = channels[:, 0] if channels.shape[1] == 1 else channels.mean(axis=1, dtype=np.float32)
    return samples, rate
