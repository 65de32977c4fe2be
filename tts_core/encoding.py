"""Sound that leaves while it is made: encoded piece by piece, at another rate and tempo where that is asked for.

    encoder = StreamEncoder("mp3", source_rate=22_050, tempo=1.5)
    for samples in speech:
        send(encoder.encode(samples))
    send(encoder.finish())

Nothing is ever sought or corrected afterwards, so that every format can go through a pipe. Files are `audio`'s.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Protocol, cast

import av
import av.error
import numpy as np
import numpy.typing as npt
from av.filter import Graph

from tts_core.audio import to_int16
from tts_core.errors import InvalidValue, UnsupportedFormat
from tts_core.events import Samples

STREAM_RATE = 24_000
"""Hertz of everything that is sent; mono."""
MIN_TEMPO, MAX_TEMPO = 0.25, 4.0
_UNKNOWN_SIZE = 0xFFFFFFFF
"""What a wav file that has no end yet says of its size."""
_FILTER_TEMPOS = (0.5, 2.0)
"""FFmpeg's atempo takes no less than the first; above the second it would skip sound instead of blending it."""


@dataclass(frozen=True, slots=True)
class StreamFormat:
    mime: str
    container: str = ""
    """FFmpeg's name; "" for bare samples."""
    codec: str = ""
    sample_format: str = ""
    """FFmpeg's name of what the codec takes."""
    bits_per_second: int | None = None
    """None where the codec decides."""
    container_options: Mapping[str, str] = field(default_factory=dict)
    codec_options: Mapping[str, str] = field(default_factory=dict)
    gain: float = 1.0
    """Makes up for what the codec does to the level."""


STREAM_FORMATS: Mapping[str, StreamFormat] = MappingProxyType(
    {
        # no table of contents: it would have to be filled in at the end
        "mp3": StreamFormat(
            *("audio/mpeg", "mp3", "libmp3lame", "fltp", 96_000),
            {"write_xing": "0", "id3v2_version": "0"},
            gain=1 / 0.95,  # LAME turns everything down, against clipping
        ),
        # a page for each 20 ms instead of each second
        "opus": StreamFormat(*("audio/ogg; codecs=opus", "ogg", "libopus", "flt", 64_000), {"page_duration": "20000"}),
        "aac": StreamFormat("audio/aac", "adts", "aac", "fltp", 96_000),
        "flac": StreamFormat("audio/flac", "flac", "flac", "s16", None, {}, {"frame_size": "1152"}),
        "wav": StreamFormat("audio/wav"),
        "pcm": StreamFormat("audio/pcm"),
    }
)
"""By the name that requests use. wav and pcm hold 16-bit samples, little-endian, at the level the engine made."""


def stream_format(name: str) -> StreamFormat:
    """Raises UnsupportedFormat naming those that work."""
    try:
        return STREAM_FORMATS[name]
    except KeyError as error:
        raise UnsupportedFormat(format=name, choices=", ".join(STREAM_FORMATS)) from error


class StreamEncoder:
    """One sound as a growing file. Used by one thread at a time."""

    def __init__(self, format: str, source_rate: int, tempo: float = 1.0) -> None:  # noqa: A002 - the requests' word
        """`source_rate` is that of the samples, hertz; `tempo` 2.0 is twice as fast at the same pitch.

        Raises UnsupportedFormat, InvalidValue.
        """
        kind = stream_format(format)
        if not MIN_TEMPO <= tempo <= MAX_TEMPO:  # also refuses nan
            raise InvalidValue(name="speed", low=MIN_TEMPO, high=MAX_TEMPO)
        self._is_plain = source_rate == STREAM_RATE and tempo == 1.0
        self._stretcher = None if self._is_plain else _Stretcher(source_rate, tempo)
        self._packer: _Packer = (
            _Compressor(kind) if kind.container else _Bare(_wav_header() if format == "wav" else b"")
        )
        self._sent_samples = 0

    @property
    def duration_s(self) -> float:
        """Seconds of sound handed on so far."""
        return self._sent_samples / STREAM_RATE

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
        """Mono samples at STREAM_RATE as bytes."""

    def finish(self) -> bytes: ...


class _Bare:
    """Samples as they are, after a header."""

    def __init__(self, header: bytes) -> None:
        self._header = header

    def pack(self, samples: Samples) -> bytes:
        header, self._header = self._header, b""
        return header + to_int16(samples).astype("<i2").tobytes()

    def finish(self) -> bytes:
        header, self._header = self._header, b""
        return header


class _Sink:
    """What a container writes to."""

    def __init__(self) -> None:
        self._written = bytearray()

    def write(self, data: bytes) -> int:
        self._written += data
        return len(data)

    def take(self) -> bytes:
        taken = bytes(self._written)
        self._written.clear()
        return taken


class _Compressor:
    def __init__(self, kind: StreamFormat) -> None:
        self._sink = _Sink()
        # what is written goes through at once
        options = {"flush_packets": "1", **kind.container_options}
        self._container = av.open(self._sink, "w", format=kind.container, options=options)
        stream = self._container.add_stream(kind.codec, rate=STREAM_RATE, options=dict(kind.codec_options))
        self._stream = cast("av.AudioStream", stream)  # any codec's, to the type checker
        self._stream.layout = "mono"
        self._stream.format = kind.sample_format
        if kind.bits_per_second is not None:
            self._stream.bit_rate = kind.bits_per_second
        self._gain = kind.gain
        self._is_integer = kind.sample_format == "s16"
        self._position = 0

    def pack(self, samples: Samples) -> bytes:
        if not len(samples):
            return b""
        data = to_int16(samples) if self._is_integer else (self._gain * np.clip(samples, -1.0, 1.0)).astype(np.float32)
        frame = _frame(data, STREAM_RATE, self._position)
        self._position += len(samples)
        return self._put(frame)

    def finish(self) -> bytes:
        if self._position:
            self._put(None, is_kept=True)
        self._container.close()
        return self._sink.take()

    def _put(self, frame: av.AudioFrame | None, *, is_kept: bool = False) -> bytes:
        for packet in self._stream.encode(frame):
            self._container.mux(packet)
        return b"" if is_kept else self._sink.take()


class _Stretcher:
    """Brings samples to STREAM_RATE and another tempo, as they come."""

    def __init__(self, source_rate: int, tempo: float) -> None:
        self._rate = source_rate
        self._position = 0
        self._graph = Graph()
        last = self._graph.add_abuffer(sample_rate=source_rate, format="flt", layout="mono")
        filters = [("aresample", str(STREAM_RATE)), *(("atempo", f"{part:.6f}") for part in _tempos(tempo))]
        for name, arguments in (*filters, ("aformat", "sample_fmts=flt:channel_layouts=mono"), ("abuffersink", None)):
            node = self._graph.add(name, arguments)
            last.link_to(node)
            last = node
        self._graph.configure()

    def stretch(self, samples: Samples) -> Iterator[Samples]:
        if len(samples):
            self._graph.push(_frame(samples.astype(np.float32), self._rate, self._position))
            self._position += len(samples)
        yield from self._ready()

    def rest(self) -> Iterator[Samples]:
        if self._position:
            self._graph.push(None)
            yield from self._ready()

    def _ready(self) -> Iterator[Samples]:
        while True:
            try:
                frame = self._graph.pull()
            except (av.error.BlockingIOError, av.error.EOFError):
                return
            if isinstance(frame, av.AudioFrame):
                yield frame.to_ndarray().reshape(-1).astype(np.float32, copy=False)


def _tempos(tempo: float) -> list[float]:
    """Factors within _FILTER_TEMPOS whose product is `tempo`."""
    if tempo == 1.0:
        return []
    low, high = _FILTER_TEMPOS
    count = math.ceil(max(math.log(tempo) / math.log(high), math.log(tempo) / math.log(low)) - 1e-9)
    return [tempo ** (1 / count)] * count


def _frame(samples: Samples | npt.NDArray[np.int16], rate: int, position: int) -> av.AudioFrame:
    kind = "s16" if samples.dtype == np.int16 else "flt"
    row: Any = samples[np.newaxis, :]
    frame = av.AudioFrame.from_ndarray(row, format=kind, layout="mono")
    frame.sample_rate = rate
    frame.pts = position
    return frame


def _wav_header() -> bytes:
    """Of a file that may be of any length."""
    width = 2
    form = struct.pack("<HHIIHH", 1, 1, STREAM_RATE, STREAM_RATE * width, width, 8 * width)
    return b"".join(
        (
            *(b"RIFF", struct.pack("<I", _UNKNOWN_SIZE), b"WAVE"),
            *(b"fmt ", struct.pack("<I", len(form)), form),
            *(b"data", struct.pack("<I", _UNKNOWN_SIZE)),
        )
    )
