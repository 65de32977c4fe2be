"""Speech while it is being made: one thread writes samples, any number of listeners read them from any byte on."""

from __future__ import annotations

import secrets
from collections import OrderedDict
from collections.abc import Iterator
from threading import Condition, Lock

from tts_core.audio.files import to_int16
from tts_core.domain.events import Samples
from tts_core.speech.faults import UnknownTake

MAX_STREAMS = 16
MAX_STREAM_BYTES = 256 * 1024 * 1024
"""The longest stream in bytes, about an hour and a half at 24 kHz; later sound is in the finished file only."""
MAX_ENDED_BYTES = 64 * 1024 * 1024
"""The most bytes of all streams that have ended; the newest of them always stays."""
READ_BYTES = 64 * 1024


class LiveStream:
    """Mono 16-bit little-endian samples that grow until closed."""

    def __init__(self, stream_id: str, sample_rate: int) -> None:
        self.id = stream_id
        self.sample_rate = sample_rate
        """Hertz."""
        self._data = bytearray()
        self._closed = False
        self._changed = Condition()

    @property
    def is_closed(self) -> bool:
        return self._closed

    @property
    def size_bytes(self) -> int:
        return len(self._data)

    def write(self, samples: Samples) -> bool:
        """Append float32 samples in [-1, 1]; False, and ignored, once closed or when the stream is full."""
        data = to_int16(samples).astype("<i2").tobytes()
        with self._changed:
            if self._closed or len(self._data) + len(data) > MAX_STREAM_BYTES:
                return False
            self._data += data
            self._changed.notify_all()
            return True

    def close(self) -> None:
        """Close the stream: readers end once they have read everything."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def read(self, start: int = 0) -> Iterator[bytes]:
        """Yield bytes from byte `start` on as they arrive; ends when the stream is closed and read to its end."""
        position = start
        while piece := self._next_piece(position):
            yield piece
            position += len(piece)

    def present(self, start: int) -> bytes:
        """The bytes from byte `start` on that are there, READ_BYTES at most; b"" if there are none yet."""
        return bytes(self._data[start : start + READ_BYTES])

    def _next_piece(self, position: int) -> bytes:
        with self._changed:
            self._changed.wait_for(lambda: self._closed or len(self._data) > position)
            return self.present(position)


class LiveStreams:
    """The streams that can be listened to. Keeps a bounded number; those that have ended leave first."""

    def __init__(self, max_streams: int = MAX_STREAMS) -> None:
        self._max_streams = max_streams
        self._streams: OrderedDict[str, LiveStream] = OrderedDict()  # oldest first
        self._lock = Lock()

    def open(self, sample_rate: int) -> LiveStream:
        """Start a stream of `sample_rate` hertz. Whoever opens it closes it."""
        stream = LiveStream(secrets.token_hex(16), sample_rate)
        with self._lock:
            self._make_room()
            self._streams[stream.id] = stream
        return stream

    def get(self, stream_id: str) -> LiveStream:
        """The stream of that id. Raises UnknownTake when it is no longer kept."""
        with self._lock:
            stream = self._streams.get(stream_id)
        if stream is None:
            raise UnknownTake(take_id=stream_id)
        return stream

    def _make_room(self) -> None:
        ended = [stream for stream in self._streams.values() if stream.is_closed]  # oldest first
        while len(ended) > 1 and sum(stream.size_bytes for stream in ended) > MAX_ENDED_BYTES:
            del self._streams[ended.pop(0).id]
        while len(self._streams) >= self._max_streams:
            dropped = self._streams.pop(ended.pop(0).id if ended else next(iter(self._streams)))
            dropped.close()  # its listeners end rather than wait for ever
