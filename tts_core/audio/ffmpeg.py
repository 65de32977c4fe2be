"""Codecs, other rates and other tempos, through PyAV. Importing this module takes a fifth of a second."""

from __future__ import annotations

import math
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import Any, cast

import av
import av.error
import numpy as np
import numpy.typing as npt
from av.filter import Graph

from tts_core.audio.files import to_int16
from tts_core.audio.stream_formats import StreamFormat
from tts_core.domain.events import Samples

_FILTER_TEMPOS = (0.5, 2.0)
"""FFmpeg's atempo takes no less than the first; above the second it would skip sound instead of blending it."""


class _Sink:
    """The file object that a container writes to."""

    def __init__(self) -> None:
        self._written = bytearray()

    def write(self, data: bytes) -> int:
        self._written += data
        return len(data)

    def take(self) -> bytes:
        taken = bytes(self._written)
        self._written.clear()
        return taken


class Compressor:
    """Compresses a sound into a file that grows, or that is handed on at its end where its head states the length."""

    def __init__(self, kind: StreamFormat, rate: int) -> None:
        self._rate = rate
        self._whole = BytesIO() if kind.says_length else None
        self._sink = _Sink()
        # every packet leaves the container at once
        options = {"flush_packets": "1", **kind.container_options}
        self._container = av.open(self._whole or self._sink, "w", format=kind.container, options=options)
        stream = self._container.add_stream(kind.codec, rate=rate, options=dict(kind.codec_options))
        self._stream = cast("av.AudioStream", stream)  # to the type checker it is a stream of any kind
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
        frame = _frame(data, self._rate, self._position)
        self._position += len(samples)
        self._put(frame)
        return self._sink.take()

    def finish(self) -> bytes:
        if self._position:
            self._put(None)
        self._container.close()
        return self._sink.take() if self._whole is None else self._whole.getvalue()

    def _put(self, frame: av.AudioFrame | None) -> None:
        for packet in self._stream.encode(frame):
            self._container.mux(packet)


class Stretcher:
    """A filter that brings samples to another rate and tempo, piece by piece."""

    def __init__(self, source_rate: int, tempo: float, rate: int) -> None:
        self._rate = source_rate
        self._position = 0
        self._graph = Graph()
        last = self._graph.add_abuffer(sample_rate=source_rate, format="flt", layout="mono")
        filters = [("aresample", str(rate)), *(("atempo", f"{part:.6f}") for part in _tempos(tempo))]
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


class M4aFile:
    """An M4A file that is written piece by piece; its table of contents comes with `close`. Raises OSError."""

    _BITS_PER_SECOND = 96_000

    def __init__(self, path: Path, rate: int) -> None:
        self._rate = rate
        self._position = 0
        self._container = av.open(str(path), "w", format="mp4", options={"movflags": "faststart"})
        stream = self._container.add_stream("aac", rate=rate)
        self._stream = cast("av.AudioStream", stream)
        self._stream.layout, self._stream.format = "mono", "fltp"
        self._stream.bit_rate = self._BITS_PER_SECOND

    def write(self, samples: Samples) -> None:
        if len(samples):
            frame = _frame(np.clip(samples, -1.0, 1.0).astype(np.float32), self._rate, self._position)
            self._position += len(samples)
            self._container.mux(self._stream.encode(frame))

    def close(self) -> None:
        if self._position:
            self._container.mux(self._stream.encode(None))
        self._container.close()
