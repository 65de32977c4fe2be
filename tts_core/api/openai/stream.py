"""Speech that leaves while it is made: one thread makes the sound, another encodes as much as the client has taken."""

from __future__ import annotations

import asyncio
import base64
import logging
import math
from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import closing
from threading import Event
from typing import Any

import numpy as np
from anyio import fail_after
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from tts_core.api.errors import status_of
from tts_core.api.faults import StreamTooLong
from tts_core.api.openai.errors import openai_error
from tts_core.api.schemas import finish_reason
from tts_core.api.streams import SEND_TIMEOUT_S, data_event
from tts_core.api.work import Workers
from tts_core.audio.files import FULL_SCALE
from tts_core.audio.stream_formats import STREAM_RATE, stream_format
from tts_core.audio.streaming import StreamEncoder
from tts_core.domain.engine import CancelCheck
from tts_core.domain.errors import Cancelled, StudioError
from tts_core.domain.events import AudioChunk, Restarted, SegmentRestarted, SpeakEvent, Started, TakeReady
from tts_core.domain.values import StopReason
from tts_core.speech.live import LiveStream

TOKENS_PER_S = 12.5
"""The models' frames per second, which usage counts as output tokens."""
SSE = "text/event-stream"
Begin = Callable[[CancelCheck], Generator[SpeakEvent, None, None]]
"""A function that speaks until it is cancelled; it raises at the call what is wrong with the request."""

logger = logging.getLogger(__name__)


class StreamedSpeech:
    """A text as speech that leaves while it is made. `make` runs in one thread, `pieces` in others; a slow listener
    never holds up the engine."""

    def __init__(
        self,
        begin: Begin,
        format: str,  # noqa: A002 - the requests' word
        tempo: float,
        rate: int = STREAM_RATE,
    ) -> None:
        self.mime = stream_format(format, rate).mime
        self.duration_s = 0.0
        """The seconds of sound that were handed on."""
        self.stop_reason = StopReason.COMPLETE
        self._begin = begin
        self._format = format
        self._tempo = tempo
        self._rate = rate
        self._sound: LiveStream | None = None
        self._is_whole = False
        self._begun = Event()
        self._stop = Event()

    @property
    def has_ended(self) -> bool:
        """Whether all sound was made, so that `stop_reason` is known."""
        return self._is_whole

    def stop(self) -> None:
        """Tell `make` to end soon, for nobody listens any more."""
        self._stop.set()

    def make(self, gone: CancelCheck) -> None:
        """Speak to the end. Raises the errors of `Synthesis.speak`, and Cancelled also for a take that was stopped
        midway."""
        try:
            # closing drops a take that has not ended
            with closing(self._begin(lambda: gone() or self._stop.is_set())) as events:
                for event in events:
                    if self._is_last(event):
                        break
            self._is_whole = True
        finally:
            self._begun.set()
            if self._sound is not None:
                self._sound.close()

    def pieces(self) -> Iterator[bytes]:
        """The encoded sound as it comes, in pieces that are never empty. If the making fails, the sound has no proper
        end."""
        self._begun.wait()
        sound = self._sound
        if sound is None:
            return
        encoder = StreamEncoder(self._format, sound.sample_rate, self._tempo, self._rate)
        for data in sound.read():
            samples = np.frombuffer(data, dtype="<i2").astype(np.float32) / np.float32(FULL_SCALE)
            if piece := encoder.encode(samples):
                yield piece
        last = encoder.finish() if self._is_whole else b""
        self.duration_s = encoder.duration_s
        if last:
            yield last

    def _is_last(self, event: SpeakEvent) -> bool:
        match event:
            case Started() if self._sound is None:
                self._sound = LiveStream("", event.sample_rate)
            case AudioChunk() if self._sound is not None:
                if not self._sound.write(event.samples):
                    raise StreamTooLong
                self._begun.set()
            case Restarted() | SegmentRestarted():
                # Sound that was played can't be taken back: the answer ends where the model lost its way.
                logger.warning("streamed speech ends early: %s", event.reason.value)
                self.stop_reason = event.reason
                return True
            case TakeReady():
                event.take.path.unlink(missing_ok=True)  # the client has the sound already
                self.stop_reason = event.take.stop_reason
                if self.stop_reason is StopReason.CANCELLED:
                    raise Cancelled
                return True
        return False


class SpokenResponse(Response):
    """An answer with the sound as bytes, or as server-sent events. It begins with the first bytes of sound: an error
    before them is raised, and answered with the fitting status. A later error cuts the connection, or is sent as an
    event."""

    def __init__(
        self,
        speech: StreamedSpeech,
        workers: Workers,
        *,
        headers: Mapping[str, str],
        events_for: str | None = None,
        send_timeout_s: float = SEND_TIMEOUT_S,
    ) -> None:
        """`events_for` is the text to speak, where events are wanted."""
        kept = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}  # nginx would else hold the sound back
        mime = speech.mime if events_for is None else SSE
        super().__init__(headers={**headers, **kept, "Content-Type": mime})
        del self.headers["Content-Length"]
        self._speech = speech
        self._workers = workers
        self._events_for = events_for
        self._send_timeout_s = send_timeout_s

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        making = asyncio.create_task(self._workers.run(Request(scope, receive), self._speech.make))
        pieces = self._workers.stream(self._speech.pieces())
        try:
            first = await anext(pieces, b"")
            if not first:
                await making
            if self._speech.has_ended:  # a short take: what only its end tells can still be said ahead of it
                self.headers["X-Finish-Reason"] = finish_reason(self._speech.stop_reason)
            await self._put(
                send, {"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers}
            )
            await self._body(send, first)
            async for piece in pieces:
                await self._body(send, piece)
            await self._end(send, making)
        except TimeoutError:
            logger.info("a listener of streamed speech reads no more")
        finally:
            self._speech.stop()
            await asyncio.wait([making])
            if not making.cancelled():
                making.exception()  # read it, or asyncio warns of an error that was never retrieved

    async def _end(self, send: Send, making: asyncio.Task[None]) -> None:
        try:
            await making
        except StudioError as error:
            level = logging.INFO if isinstance(error, Cancelled) else logging.WARNING
            logger.log(level, "streamed speech broke off: %s", error.code)
            if self._events_for is None:
                return  # without the last chunk: the server cuts the connection, which tells the client
            failure = openai_error(error, status_of(type(error)))
            await self._put(send, _body(data_event(failure.model_dump()), more=False))
            return
        done = b"" if self._events_for is None else data_event(self._done(self._events_for))
        await self._put(send, _body(done, more=False))

    async def _body(self, send: Send, sound: bytes) -> None:
        if self._events_for is not None:
            sound = data_event({"type": "speech.audio.delta", "audio": base64.b64encode(sound).decode()})
        await self._put(send, _body(sound, more=True))

    async def _put(self, send: Send, message: dict[str, Any]) -> None:
        """Send a message. Raises TimeoutError for a client that reads nothing."""
        with fail_after(self._send_timeout_s):
            await send(message)

    def _done(self, text: str) -> dict[str, Any]:
        characters, frames = len(text), math.ceil(self._speech.duration_s * TOKENS_PER_S)
        reason = self._speech.stop_reason
        usage = {"input_tokens": characters, "output_tokens": frames, "total_tokens": characters + frames}
        return {
            "type": "speech.audio.done",
            "usage": usage,
            "stop_reason": reason.value,
            "finish_reason": finish_reason(reason),
        }


def _body(data: bytes, *, more: bool) -> dict[str, Any]:
    return {"type": "http.response.body", "body": data, "more_body": more}
