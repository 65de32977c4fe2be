"""The body of POST /v1/audio/speech, as OpenAI's clients send it and those of other Qwen3-TTS servers."""

from __future__ import annotations

import re
from io import BytesIO
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from tts_core.api.openai.names import openai_names, speaking_voice, speech_models, task_kind
from tts_core.api.schemas import READ_AS, ReadAsName
from tts_core.api.uploads import audio_in_base64
from tts_core.audio.stream_formats import STREAM_RATE
from tts_core.domain.errors import InvalidRequest
from tts_core.domain.text import plain_name
from tts_core.domain.values import AUTO_LANGUAGE, Decoding, Sampling
from tts_core.models.catalogue import ModelKind
from tts_core.services import Services

_WIDEST = 4096
"""The number of likeliest tokens that leaves nothing out."""
_LANGUAGE_LETTERS = {
    **{"a": "en-us", "b": "en-gb", "e": "es", "f": "fr", "h": "hi"},
    **{"i": "it", "j": "ja", "p": "pt-br", "z": "zh"},
}
"""The languages by the letters of Kokoro, whose clients send them as `lang_code`."""
_ADDRESS = re.compile(r"\s*(?!data:)[a-z][a-z0-9+.-]*:", re.IGNORECASE)


def lower_case(value: Any) -> Any:
    return value.lower() if isinstance(value, str) else value


class VoiceId(BaseModel):
    id: str


class SpeechReference(BaseModel):
    audio_path: str | None = None
    text: str | None = None


class SpeechBody(BaseModel):
    """Only `input` is needed. Fields that are not listed here are ignored, as clients send many."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {"model": "tts-1", "voice": "alloy", "input": "Hello from my own machine."},
                {"model": "custom_1_7b", "voice": "Ryan", "input": "Hello!", "instructions": "Cheerful.", "speed": 1.2},
            ]
        }
    )

    input: str
    model: str | None = Field(
        None,
        description="A model's key, repository or folder, or `qwen3-tts` for the best of them; a name of OpenAI's "
        "leaves it to the voice.",
    )
    voice: str | VoiceId | None = Field(
        None, description="Id or name of a voice, preset or saved; OpenAI's names (alloy, …) have stand-ins."
    )
    instructions: str | None = Field(
        None, description="How to speak. Ignored, as `X-Ignored` then says, where the voice follows no instructions."
    )
    response_format: Annotated[str | None, BeforeValidator(lower_case)] = Field(
        None, description="mp3 (if left out), opus, aac, flac, wav or pcm; mono."
    )
    speed: float | None = Field(None, description="Tempo, 0.25 to 4, for any voice.")
    stream_format: Annotated[Literal["audio", "sse"] | None, BeforeValidator(lower_case)] = None
    language: str | None = Field(
        None, description="An addition of ours: code or English name; if left out, it is detected."
    )
    seed: int | None = Field(
        None, description="An addition of ours: the same seed gives the same take; -1 draws a new one."
    )
    read_as: ReadAsName | None = Field(None, description=f"An addition of ours: {READ_AS}")
    sample_rate: int | None = Field(None, description="Hertz of the sound that is sent; 24000 if left out.")
    ref_audio: str | None = Field(
        None, description="A recording to imitate, as base64 or data: address. No other address is fetched."
    )
    ref_text: str | None = Field(None, description="The transcript of `ref_audio`, for a closer clone.")
    x_vector_only_mode: bool | None = Field(None, description="Take over only the timbre of `ref_audio`.")
    references: list[SpeechReference] | None = Field(None, description="One recording, another way to say `ref_audio`.")
    speaker_embedding: Any = Field(None, description="Refused: a voice is taken from a recording.")
    task_type: str | None = Field(None, description="CustomVoice, VoiceDesign or Base: the kind of model to speak.")
    speaker: str | None = Field(None, description="The same as `voice`.")
    instruct: str | None = Field(None, description="The same as `instructions`.")
    lang_code: str | None = Field(None, description="The same as `language`; Kokoro's letters are understood.")
    temperature: float | None = Field(None, description="0 always takes the likeliest token.")
    top_k: int | None = None
    top_p: float | None = None
    repetition_penalty: float | None = None
    max_new_tokens: int | None = Field(None, description="The most frames of 80 ms.")

    def how(self) -> str:
        """The way to speak; "" where nothing is said about it."""
        return self.instructions or self.instruct or ""

    def rate(self) -> int:
        return STREAM_RATE if self.sample_rate is None else self.sample_rate

    def spoken_language(self) -> str:
        letter = _LANGUAGE_LETTERS.get((self.lang_code or "").lower(), self.lang_code)
        return self.language or letter or AUTO_LANGUAGE

    def sampling(self) -> Sampling:
        """The way tokens are drawn. Raises InvalidValue."""
        given = {
            "temperature": self.temperature or None,
            "top_k": _WIDEST if self.top_k is not None and self.top_k < 1 else self.top_k,
            "top_p": self.top_p,
            "repetition_penalty": self.repetition_penalty,
        }
        return Sampling(**{name: value for name, value in given.items() if value is not None})  # type: ignore[arg-type]

    def decoding(self) -> Decoding:
        """Raises InvalidValue."""
        return Decoding(greedy=self.temperature == 0, max_frames=self.max_new_tokens)

    def reference(self) -> tuple[BytesIO, str | None] | None:
        """The recording to imitate and the text in it; None where there is none.

        Raises AudioUnreadable, and InvalidRequest for a voice that is given in any other way.
        """
        if self.speaker_embedding is not None:
            raise InvalidRequest(reason="send a recording as ref_audio instead.", field="speaker_embedding")
        audio, text, field = self.ref_audio, self.ref_text, "ref_audio"
        if self.references:
            if audio or len(self.references) > 1:
                raise InvalidRequest(reason="a voice is taken from one recording.", field="references")
            audio, text, field = self.references[0].audio_path, self.references[0].text, "references"
        if not audio:
            if text or self.references:
                raise InvalidRequest(reason="the recording that the text belongs to is missing.", field=field)
            return None
        if _ADDRESS.match(audio):
            reason = "nothing is fetched for a caller: send the recording itself, as base64."
            raise InvalidRequest(reason=reason, field=field)
        return audio_in_base64(audio, field), None if self.x_vector_only_mode else (text or None)

    def wanted_voice(self) -> str:
        """The name or id of the voice; "" for any. Raises InvalidRequest where two are named."""
        voice = self.voice.id if isinstance(self.voice, VoiceId) else (self.voice or "")
        if not self.speaker:
            return voice
        if not openai_names().is_voice(voice) and plain_name(voice) != plain_name(self.speaker):
            raise InvalidRequest(reason="voice and speaker name two voices.", field="speaker")
        return self.speaker


def speaking_as(body: SpeechBody, services: Services, *, is_imitation: bool) -> str | None:
    """The id of the voice that speaks the request. Raises what `speech_models` and `speaking_voice` raise."""
    kind = task_kind(body.task_type) if body.task_type else None
    if is_imitation:
        if kind not in (None, ModelKind.BASE):
            raise InvalidRequest(reason="only Base models clone a recording.", field="task_type")
        kind = ModelKind.BASE
    models = speech_models(services, body.model or "", kind)
    by_name = not is_imitation and kind is not ModelKind.VOICE_DESIGN
    return speaking_voice(services, models, body.wanted_voice() if by_name else "")
