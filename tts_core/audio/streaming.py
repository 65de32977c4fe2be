"""Sound encoded piece by piece, at another rate and tempo where that is asked for.

    encoder = StreamEncoder("mp3", source_rate=22_050, tempo=1.5)
    for samples in speech:
        send(encoder.encode(samples))
    send(encoder.finish())

Nothing that was handed on is corrected afterwards, so that every format can go through a pipe. FLAC states its length
first, and libsndfile reads no file whose length is wrong: it is handed on as a whole.
"""

from __future__ import annotations

import struct
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Protocol

import numpy as np

from tts_core.audio.files import disk_errors_typed, to_int16
from tts_core.audio.stream_formats import STREAM_RATE, StreamFormat, stream_format
from tts_core.domain.errors import InvalidValue
from tts_core.domain.events import Samples
from tts_core.platform.whole_files import PART_SUFFIX, make_private, open_private

if TYPE_CHECKING:
    from tts_core.audio.ffmpeg import Stretcher

MIN_TEMPO, MAX_TEMPO = 0.25, 4.0
M4A = "m4a"
"""The name of the one format that only FFmpeg writes as a file."""
_ENGINE_SPEEDS = (0.5, 2.0)
"""The slowest and the fastest speed of an engine that knows speeds."""
_UNKNOWN_SIZE = 0xFFFFFFFF
"""The size that a wav file without an end yet states in its header."""


class StreamEncoder:
    """An encoder of a sound as a growing file; for one thread at a time."""

    def __init__(
        self,
        format: str,  # noqa: A002 - the requests' word
        source_rate: int,
        tempo: float = 1.0,
        rate: int = STREAM_RATE,
    ) -> None:
        """`source_rate` is that of the samples, hertz, `rate` that of the file; `tempo` 2.0 is twice as fast at the
        same pitch.

        Raises UnsupportedFormat, InvalidValue, InvalidRequest for a rate that the format can't have.
        """
        kind = stream_format(format, rate)
        if not MIN_TEMPO <= tempo <= MAX_TEMPO:  # also refuses nan
            raise InvalidValue(name="speed", low=MIN_TEMPO, high=MAX_TEMPO)
        self._rate = rate
        self._stretcher = _stretcher(source_rate, tempo, rate)
        self._packer: _Packer = _packer(kind, format, rate)
        self._sent_samples = 0

    @property
    def duration_s(self) -> float:
        """The seconds of sound handed on so far."""
        return self._sent_samples / self._rate

    def encode(self, samples: Samples) -> bytes:
        """The bytes that mono float32 samples in [-1, 1] add; b"" while the codec waits for more."""
        pieces = [samples] if self._stretcher is None else self._stretcher.stretch(samples)
        return b"".join(self._pack(piece) for piece in pieces)

    def finish(self) -> bytes:
        """The last bytes; nothing can be encoded afterwards."""
        rest = b"" if self._stretcher is None else b"".join(self._pack(piece) for piece in self._stretcher.rest())
        return rest + self._packer.finish()

    def _pack(self, samples: Samples) -> bytes:
        self._sent_samples += len(samples)
        return self._packer.pack(samples)


class _Packer(Protocol):
    def pack(self, samples: Samples) -> bytes:
        """The bytes that mono samples at the file's rate add."""

    def finish(self) -> bytes: ...


class _Bare:
    """A packer that sends samples as they are, after a header."""

    def __init__(self, header: bytes) -> None:
        self._header = header

    def pack(self, samples: Samples) -> bytes:
        header, self._header = self._header, b""
        return header + to_int16(samples).astype("<i2").tobytes()

    def finish(self) -> bytes:
        header, self._header = self._header, b""
        return header


def _packer(kind: StreamFormat, name: str, rate: int) -> _Packer:
    if not kind.container:
        return _Bare(_wav_header(rate) if name == "wav" else b"")
    from tts_core.audio.ffmpeg import Compressor  # noqa: PLC0415 - see there

    return Compressor(kind, rate)


def split_speed(speed: float, *, is_known: bool) -> tuple[float, float]:
    """The speed for the engine, which knows speeds or not (`is_known`), and the tempo left to apply to its sound."""
    slowest, fastest = _ENGINE_SPEEDS if is_known else (1.0, 1.0)
    of_engine = min(max(speed, slowest), fastest)
    return of_engine, speed / of_engine


def stretched(samples: Samples, source_rate: int, tempo: float) -> tuple[Samples, int]:
    """A whole sound at another tempo (as for StreamEncoder) and the same pitch, and its rate, hertz."""
    stretcher = _stretcher(source_rate, tempo, STREAM_RATE)
    if stretcher is None:
        return samples, source_rate
    return np.concatenate([*stretcher.stretch(samples), *stretcher.rest(), samples[:0]]), STREAM_RATE


def _stretcher(source_rate: int, tempo: float, rate: int) -> Stretcher | None:
    if source_rate == rate and tempo == 1.0:
        return None
    from tts_core.audio.ffmpeg import Stretcher  # noqa: PLC0415 - see there

    return Stretcher(source_rate, tempo, rate)


def _wav_header(rate: int) -> bytes:
    """The header of a wav file that may be of any length."""
    width = 2
    form = struct.pack("<HHIIHH", 1, 1, rate, rate * width, width, 8 * width)
    return b"".join(
        (
            *(b"RIFF", struct.pack("<I", _UNKNOWN_SIZE), b"WAVE"),
            *(b"fmt ", struct.pack("<I", len(form)), form),
            *(b"data", struct.pack("<I", _UNKNOWN_SIZE)),
        )
    )


class M4aWriter:
    """Writes one mono M4A file piece by piece, as `files.AudioWriter` writes the other formats."""

    def __init__(self, path: Path, sample_rate: int) -> None:
        """`sample_rate` is that of the samples and of the file, hertz. Raises OutputFailed."""
        from tts_core.audio.ffmpeg import M4aFile  # noqa: PLC0415 - see there

        self.sample_rate = sample_rate
        self._path = path
        self._part = path.with_name(path.name + PART_SUFFIX)
        self._samples = 0
        with disk_errors_typed(path.parent):
            make_private(path.parent)
            open_private(self._part, "wb").close()
            self._file = M4aFile(self._part, sample_rate)

    @property
    def duration_s(self) -> float:
        """The seconds of sound written so far."""
        return self._samples / self.sample_rate

    def write(self, samples: Samples) -> None:
        """Append mono float32 samples in [-1, 1]."""
        self._samples += len(samples)
        with disk_errors_typed(self._path.parent):
            self._file.write(samples)

    def __enter__(self) -> M4aWriter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            with disk_errors_typed(self._path.parent):
                self._file.close()
                if error is None:
                    self._part.replace(self._path)
        finally:
            self._part.unlink(missing_ok=True)
