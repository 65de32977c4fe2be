"""The conversation with one client, event by event: a description, speech of a text or of its pieces, a transcript."""

from __future__ import annotations

import asyncio
import logging

from wyoming.asr import Transcribe, Transcript
from wyoming.audio import AudioChunk, AudioStart, AudioStop
from wyoming.error import Error
from wyoming.event import Event
from wyoming.info import Describe
from wyoming.ping import Ping, Pong
from wyoming.tts import (
    Synthesize,
    SynthesizeChunk,
    SynthesizeStart,
    SynthesizeStop,
    SynthesizeStopped,
    SynthesizeVoice,
)

from tts_core.api.listening import WantedTranscript, listen_as_job
from tts_core.api.openai.stream import StreamedSpeech
from tts_core.api.work import Workers
from tts_core.api.wyoming.info import describe, language_codes, plain_voices
from tts_core.api.wyoming.sound import IncomingSound
from tts_core.api.wyoming.wire import Connection
from tts_core.audio.stream_formats import STREAM_RATE
from tts_core.domain.errors import InvalidRequest, StudioError, UnknownLanguage
from tts_core.domain.languages import short_code
from tts_core.domain.sentences import split_sentences
from tts_core.domain.values import AUTO_LANGUAGE, Language, ReadAs, SynthesisRequest
from tts_core.services import Services
from tts_core.speech.faults import TextTooLong
from tts_core.speech.jobs import speak_as_job
from tts_core.speech.plan.plan import words_of

logger = logging.getLogger(__name__)

SUBJECT = "wyoming"
"""The subject of the jobs, where a recording has no name."""
_SOUND = {"rate": STREAM_RATE, "width": 2, "channels": 1}


class Conversation:
    """The state of one connection. Used on its event loop."""

    def __init__(self, services: Services, workers: Workers, connection: Connection) -> None:
        self._services = services
        self._workers = workers
        self._connection = connection
        self._transcribe = Transcribe()
        self._sound: IncomingSound | None = None
        self._voice: SynthesizeVoice | None = None
        self._text: str | None = None
        """The text of which no sound was made yet, while it comes in pieces."""
        self._is_sounding = False
        """Whether `audio-start` was sent and `audio-stop` was not."""

    async def run(self) -> None:
        """Answer until the client hangs up, or something fails: a client that waits for an end would wait for ever."""
        while (event := await self._connection.receive()) is not None:
            try:
                await self._answer(event)
            except StudioError as error:
                await self._fail(error)
                return
            except (KeyError, TypeError, AttributeError, ValueError):
                await self._fail(InvalidRequest(reason=f"the event {event.type[:40]!r} lacks something."))
                return

    async def _answer(self, event: Event) -> None:
        if Describe.is_type(event.type):
            await self._connection.send(await self._workers.decode(lambda: describe(self._services)))
        elif Ping.is_type(event.type):
            await self._connection.send(Pong(text=Ping.from_event(event).text))
        elif event.type.startswith("synthesize"):
            await self._answer_text(event)
        else:
            await self._answer_sound(event)

    async def _answer_text(self, event: Event) -> None:
        if SynthesizeStart.is_type(event.type):
            self._voice, self._text = SynthesizeStart.from_event(event).voice, ""
        elif SynthesizeChunk.is_type(event.type) and self._text is not None:
            await self._speak_sentences(SynthesizeChunk.from_event(event).text)
        elif SynthesizeStop.is_type(event.type) and self._text is not None:
            text, self._text = self._text, None
            if words_of(text, ReadAs.MARKDOWN):  # a pause at the end has nothing to speak
                await self._speak(text, self._voice)
            await self._end_sound()
            await self._connection.send(SynthesizeStopped())
        elif Synthesize.is_type(event.type) and self._text is None:
            # A client that sends a text in pieces sends it once more as a whole, for servers that know no pieces.
            wanted = Synthesize.from_event(event)
            await self._speak(wanted.text, wanted.voice)
            await self._end_sound()

    async def _answer_sound(self, event: Event) -> None:
        if Transcribe.is_type(event.type):
            self._transcribe = Transcribe.from_event(event)
        elif AudioStart.is_type(event.type):
            self._sound = IncomingSound()
        elif AudioChunk.is_type(event.type):
            self._sound = self._sound or IncomingSound()
            self._sound.add(AudioChunk.from_event(event))
        elif AudioStop.is_type(event.type) and self._sound is not None:
            sound, self._sound = self._sound, None
            await self._listen(sound)

    async def _speak_sentences(self, text: str) -> None:
        """Speak the sentences that are complete; the rest waits for more."""
        text = (self._text or "") + text
        limit = self._services.settings.limits.max_text_chars
        if len(text) > limit:
            raise TextTooLong(length=len(text), limit=limit)
        *complete, last = split_sentences(text, max_chars=limit) or [text]
        place = text.rfind(last) if complete else 0
        self._text = text[max(place, 0) :]
        if place > 0:
            await self._speak(text[:place], self._voice)

    async def _speak(self, text: str, wanted: SynthesizeVoice | None) -> None:
        request = await self._workers.decode(lambda: self._request(text, wanted))
        services = self._services
        speech = StreamedSpeech(
            lambda gone: speak_as_job(
                services.synthesis, services.jobs, request, cancelled=lambda: gone() or self._connection.is_gone()
            ),
            "pcm",
            tempo=1.0,
        )
        making = asyncio.create_task(self._workers.run_until(speech.make))
        try:
            async for piece in self._workers.stream(speech.pieces()):
                if not self._is_sounding:
                    await self._connection.send(AudioStart(**_SOUND))
                    self._is_sounding = True
                await self._connection.send(AudioChunk(**_SOUND, audio=piece))
            await making
        finally:
            speech.stop()
            await asyncio.wait([making])
            if not making.cancelled():
                making.exception()  # read it, or asyncio warns of an error that was never retrieved

    def _request(self, text: str, wanted: SynthesizeVoice | None) -> SynthesisRequest:
        """The request for the voice that a client means, by id or name, else by language."""
        if wanted is None or (wanted.name is None and wanted.language is None):
            return SynthesisRequest(text, voice=plain_voices(self._services)[0][0].id)
        if wanted.name is not None:
            return SynthesisRequest(text, voice=self._services.finder.find(name=wanted.speaker or wanted.name))
        language = str(wanted.language)
        short = short_code(Language(language, language))
        for voice, can in plain_voices(self._services):
            if short in language_codes(can):
                return SynthesisRequest(text, voice=voice.id, language=language)
        raise UnknownLanguage(language=language)

    async def _listen(self, sound: IncomingSound) -> None:
        asked = self._transcribe
        key = self._services.transcriber.choose(asked.name or "").key
        wanted = WantedTranscript(key, asked.language or AUTO_LANGUAGE)
        clip = sound.clip()

        def listen() -> Transcript:
            found = listen_as_job(self._services, clip, wanted, SUBJECT, self._connection.is_gone)
            return Transcript(text=found.text, language=found.language)

        await self._connection.send(await self._workers.run_until(lambda _gone: listen()))

    async def _end_sound(self) -> None:
        if self._is_sounding:
            self._is_sounding = False
            await self._connection.send(AudioStop())

    async def _fail(self, error: StudioError) -> None:
        logger.info("a Wyoming client's request failed: %s", error.code)
        await self._connection.send(Error(text=error.message, code=error.code))
