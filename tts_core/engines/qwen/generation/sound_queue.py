"""Frames to sound while they are made: the take that runs out of sound first comes first, with others of its length."""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from threading import Lock

import numpy as np
import torch
from torch import Tensor

from tts_core.domain.events import AudioChunk
from tts_core.domain.values import StopReason
from tts_core.engines.qwen.codec.chunks import chunk_sizes
from tts_core.engines.qwen.codec.slots import MOST_TOGETHER, WIDTHS, CodecSlots
from tts_core.engines.qwen.generation.take import TakeInProgress
from tts_core.engines.qwen.generation.worker import Worker

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _Piece:
    """Frames that become one chunk."""

    codes: Tensor
    """The frames (T, 16), then what fills them up to a width that is recorded."""
    frames: int
    """The number of frames T."""
    end: StopReason | None = None
    """The reason why the take ends, if this is its last piece."""


@dataclass(slots=True, eq=False)
class Stream:
    """A take on its way through the sound queue."""

    speech: TakeInProgress
    slot: int
    sizes: Iterator[int]
    wanted: int
    """Frames of the next chunk."""
    frames: list[Tensor] = field(default_factory=list)
    """Frames of the next chunk that are there so far."""
    pieces: deque[_Piece] = field(default_factory=deque)
    """Pieces to be decoded, oldest first."""
    has_begun: bool = False


class SoundQueue:
    """Decodes streams: `open` one, `add` its frames, `end` it. A thread does it beside the caller, else it is done at
    once.
    """

    def __init__(self, codec: CodecSlots, slots: int, *, pads: bool) -> None:
        """pads: the codec records, so a take's last chunk gets a usual width."""
        self._codec = codec
        self._pads = pads
        self._free = list(reversed(range(slots)))
        self._streams: list[Stream] = []
        self._lock = Lock()
        self._worker: Worker | None = None
        self._on_free: Callable[[], None] | None = None
        self._warming: Iterator[None] = iter(())
        self.is_warm = True

    def use_thread(self, device: torch.device, on_free: Callable[[], None]) -> None:
        """Decode in a thread of its own from now on; `on_free` is called when a stream has ended."""
        self._worker = Worker("speech-codec", self._turn, device)
        self._on_free = on_free

    def warm_up(self) -> None:
        """Have everything usual recorded whenever there is nothing else to do."""
        self.is_warm = False
        self._warming = self._codec.warm_up()
        self._work()

    @property
    def has_room(self) -> bool:
        return bool(self._free)

    def open(self, speech: TakeInProgress) -> Stream:
        sizes = chunk_sizes(speech.chunk_frames)
        with self._lock:
            stream = Stream(speech, self._free.pop(), sizes, next(sizes))
            self._streams.append(stream)
        self._work()
        return stream

    def add(self, stream: Stream, codes: Tensor) -> None:
        """Add a frame (16,) to a stream."""
        stream.frames.append(codes)
        if len(stream.frames) >= stream.wanted:
            stream.wanted = next(stream.sizes)
            self._hand_over(stream, None)

    def end(self, stream: Stream, reason: StopReason) -> None:
        """Let the rest of a stream's frames become sound, then finish its take."""
        self._hand_over(stream, reason)

    def close(self) -> None:
        self._warming = iter(())
        if self._worker is not None:
            self._worker.close()

    def _hand_over(self, stream: Stream, end: StopReason | None) -> None:
        frames, stream.frames = stream.frames, []
        filling = 0
        if frames and end is not None and self._pads:
            filling = next((width for width in WIDTHS if width >= len(frames)), len(frames)) - len(frames)
        codes = torch.stack(frames + frames[-1:] * filling) if frames else torch.empty(0, 0)
        with self._lock:
            stream.pieces.append(_Piece(codes, len(frames), end))
        self._work()

    def _work(self) -> None:
        if self._worker is not None:
            self._worker.wake()
            return
        while self._turn():
            pass

    def _turn(self) -> bool:
        with self._lock:
            group = self._next_group()
        try:
            if not group:
                return self._warm_a_little()
            self._do(group)
        except Exception as error:
            logger.exception("the codec failed")
            for stream, _ in group:
                stream.speech.fail(error)
        for stream, piece in group:
            if piece is not None and piece.end is not None:
                self._finish(stream, piece.end)
        return True

    def _next_group(self) -> list[tuple[Stream, _Piece | None]]:
        """The most urgent piece with those that can be decoded beside it, or a stream that is to begin."""
        waiting = sorted(
            (stream for stream in self._streams if stream.pieces or not stream.has_begun),
            key=lambda stream: stream.speech.deadline,
        )
        if not waiting:
            return []
        if not waiting[0].has_begun:
            return [(waiting[0], None)]
        length = len(waiting[0].pieces[0].codes)
        alike = [stream for stream in waiting if stream.has_begun and len(stream.pieces[0].codes) == length]
        return [(stream, stream.pieces.popleft()) for stream in alike[:MOST_TOGETHER]]

    def _do(self, group: Sequence[tuple[Stream, _Piece | None]]) -> None:
        pieces = []
        for stream, piece in group:
            if piece is None:
                stream.has_begun = True
                self._codec.begin(stream.slot, stream.speech.reference)
            elif piece.frames and not stream.speech.is_cancelled():
                pieces.append((stream, piece))
        if not pieces:
            return
        codes = torch.stack([piece.codes for _, piece in pieces])
        sound = self._codec.decode([stream.slot for stream, _ in pieces], codes)
        frame = sound.shape[1] // codes.shape[1]
        for (stream, piece), samples in zip(pieces, sound.numpy(), strict=True):
            made = piece.codes[: piece.frames].numpy().astype(np.int64)
            stream.speech.send(AudioChunk(samples[: piece.frames * frame], codes=made), piece.frames)

    def _warm_a_little(self) -> bool:
        self.is_warm = next(self._warming, self) is self
        return not self.is_warm

    def _finish(self, stream: Stream, reason: StopReason) -> None:
        stream.speech.finish(reason)
        with self._lock:
            self._streams.remove(stream)
            self._free.append(stream.slot)
        if self._on_free is not None:
            self._on_free()
