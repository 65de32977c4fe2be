"""Use case: the service that voice-translation programs know as YourTTS: register a speaker, speak as that speaker.

YourTTS itself serves it where it is installed; else Qwen3-TTS does, with a Base model's voice cloning. `/health`
says which of them it is. What can be asked for is the same, but for the languages: YourTTS speaks three, Qwen3-TTS ten,
Chinese among them, which these programs ask for first of all.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import numpy as np

from tts_core.audio.files import AudioWriter
from tts_core.audio.judging import require_speech
from tts_core.audio.reading import Clip
from tts_core.audio.streaming import MAX_TEMPO, MIN_TEMPO, split_speed, stretched
from tts_core.domain.engine import CancelCheck
from tts_core.domain.errors import Cancelled, InvalidValue, ReferenceRequired, UnknownLanguage
from tts_core.domain.events import AudioChunk, Restarted, Samples, SegmentRestarted, TakeReady
from tts_core.domain.languages import find_language
from tts_core.domain.text import find_name
from tts_core.domain.values import AUTO_LANGUAGE, Language, PreparedVoice, Recording, StopReason, SynthesisRequest
from tts_core.engines.qwen.talker.config import read_model_config
from tts_core.engines.yourtts.engine import CLONE_VOICE, LANGUAGES, NAME, YourTts, language_of
from tts_core.engines.yourtts.faults import LanguageNotServed, SpeakerServiceUnavailable, SpeakerVectorMisfit
from tts_core.engines.yourtts.speakers import Speaker
from tts_core.models.catalogue import ModelKind
from tts_core.models.of_kind import ModelsOfKind
from tts_core.models.status import ModelStatus, ModelStatuses
from tts_core.speech.synthesis import Synthesis

EngineName = Literal["yourtts", "qwen3"]

NORMAL_RATE, CHINESE_RATE = 12.0, 5.0
"""Characters a second of normal speech, in Chinese and elsewhere, as the clients of YourTTS measure it."""
RATE_TEMPOS = (0.4, 2.5)
"""The slowest and the fastest tempo that such a rate may lead to: it may have been measured over pauses."""
MAX_RATE = 1000.0


@dataclass(frozen=True, slots=True)
class SpeakerRequest:
    """A text, spoken by the first of these that there is: the registered speaker, the recording, the vector, the
    preset speaker, the engine's first voice."""

    text: str
    speaker_id: str = ""
    reference: Clip | None = None
    vector: Samples | None = None
    speaker: str = ""
    language: str = AUTO_LANGUAGE
    speech_rate: float = 1.0
    """Up to MAX_TEMPO the tempo itself, 2 is twice as fast; above it characters a second."""


@dataclass(frozen=True, slots=True)
class ImitatedSpeech:
    samples: Samples
    sample_rate: int
    used_reference: bool
    """Whether a recording or a vector was imitated."""
    speaker_applied: bool
    """Whether the speaker that was asked for speaks: False where only the engine's first voice was left."""
    engine: EngineName
    stop_reason: StopReason


@dataclass(frozen=True, slots=True)
class ServiceState:
    engine: EngineName | None
    """The engine that would serve now; None if none could."""
    model_loaded: bool
    device: str
    cached_speakers: int


class SpeakerService:
    """The service itself, whichever engine serves. Thread-safe."""

    def __init__(self, yourtts: YourTts, synthesis: Synthesis, models: ModelStatuses, scratch_dir: Path) -> None:
        self._yourtts = yourtts
        self._synthesis = synthesis
        self._models = models
        self._scratch_dir = scratch_dir

    def engine(self) -> EngineName | None:
        if self._yourtts.known() is not None:
            return "yourtts"
        return "qwen3" if self._ready(ModelKind.BASE) else None

    def registered(self) -> int:
        return self._yourtts.speakers.count()

    def register(self, speaker_id: str, clip: Clip, vector: Samples | None) -> int:
        """Remember a speaker, restarts included; answers how many are known then. Raises OutputFailed,
        RecordingSilent."""
        require_speech(clip.samples, clip.sample_rate)
        return self._yourtts.speakers.put(Speaker(speaker_id, clip.samples, clip.sample_rate, vector))

    def speak(self, request: SpeakerRequest, cancelled: CancelCheck) -> ImitatedSpeech:
        """Make the whole sound of a request.

        Raises LanguageNotServed, SpeakerVectorMisfit, SpeakerServiceUnavailable, ReferenceRequired, InvalidValue, and
        what `Synthesis.speak` raises.
        """
        if not MIN_TEMPO <= request.speech_rate <= MAX_RATE:  # also refuses nan
            raise InvalidValue(name="speech_rate", low=MIN_TEMPO, high=MAX_RATE)
        engine = self.engine()
        if engine is None:
            raise SpeakerServiceUnavailable
        language = _language(request.language, request.text, self._languages(engine))
        with self._with_speaker(engine, request) as (plain, used_reference, applied):
            can = self._synthesis.capabilities(plain.voice)
            speed, rest = split_speed(_tempo(request.speech_rate, language), is_known=can.supports_speed)
            samples, rate, reason = self._sound(replace(plain, language=language.code, speed=speed), cancelled)
        if rest != 1.0:
            samples, rate = stretched(samples, rate, rest)
        return ImitatedSpeech(samples, rate, used_reference, applied, engine, reason)

    @contextmanager
    def _with_speaker(
        self, engine: EngineName, request: SpeakerRequest
    ) -> Iterator[tuple[SynthesisRequest, bool, bool]]:
        """The request with its speaker, whether a speaker is imitated, and whether it is a particular one."""
        plain = SynthesisRequest(request.text)
        known = self._yourtts.speakers.find(request.speaker_id) if request.speaker_id else None
        if known is not None and engine == NAME:
            yield replace(plain, voice=f"{NAME}/{known.key}"), True, True
            return
        clip = Clip(known.samples, known.rate) if known is not None else request.reference
        if clip is not None:
            with self._kept(clip) as file:
                yield replace(plain, voice=self._clone_voice(engine), source=Recording(file)), True, True
        elif request.vector is not None:
            self._check_vector(engine, len(request.vector))
            prepared = PreparedVoice(request.vector, name="speaker_vector")
            yield replace(plain, voice=self._clone_voice(engine), source=prepared), True, True
        else:
            voice, is_wanted = self._preset(engine, request.speaker)
            yield replace(plain, voice=voice), False, is_wanted

    def _clone_voice(self, engine: EngineName) -> str:
        return CLONE_VOICE if engine == NAME else f"{self._ready(ModelKind.BASE)[0].key}/clone"

    def _languages(self, engine: EngineName) -> tuple[Language, ...]:
        if engine == NAME:
            return LANGUAGES
        known = self._models.capabilities(self._ready(ModelKind.BASE)[0].key).languages
        return tuple(language for language in known if language.code != AUTO_LANGUAGE)

    def _preset(self, engine: EngineName, speaker: str) -> tuple[str, bool]:
        """The voice id of a preset speaker, and whether it is the wanted one.

        For an unknown one the first speaks: programs send the names of other engines' voices, too. Raises
        ReferenceRequired where there is none.
        """
        of_engine: str
        if engine == NAME:
            known = self._yourtts.known()
            of_engine, names = NAME, known.speakers if known else ()
        else:
            ready = self._ready(ModelKind.CUSTOM_VOICE)
            of_engine = ready[0].key if ready else ""
            names = self._models.capabilities(of_engine).speakers if ready else ()
        if not names:
            raise ReferenceRequired(voice=engine)
        wanted = find_name(speaker, names) if speaker else None
        found = wanted or names[0]
        return f"{of_engine}/{found if engine == NAME else found.lower().replace(' ', '_')}", wanted is not None

    def _check_vector(self, engine: EngineName, length: int) -> None:
        """Check the length of a vector for Qwen3-TTS; YourTTS's process, which knows its own, checks that itself.

        Raises SpeakerVectorMisfit.
        """
        if engine != NAME:
            model = self._ready(ModelKind.BASE)[0]
            wanted = read_model_config(model.path).talker.transformer.hidden_size
            if length != wanted:
                raise SpeakerVectorMisfit(length=length, engine=model.entry.display_name, wanted=wanted)

    def _ready(self, kind: ModelKind) -> list[ModelStatus]:
        """The ready models of a kind, the smallest first: this service is asked for answers in a conversation."""
        return ModelsOfKind(self._models, kind).ready()

    def _sound(self, wanted: SynthesisRequest, cancelled: CancelCheck) -> tuple[Samples, int, StopReason]:
        """The sound as it is played, its rate and why it ended; the take's file is 16-bit and is deleted."""
        chunks: list[Samples] = []
        for event in self._synthesis.speak(wanted, cancelled=cancelled):
            if isinstance(event, AudioChunk):
                chunks.append(event.samples)
            elif isinstance(event, Restarted):
                chunks.clear()
            elif isinstance(event, SegmentRestarted):
                chunks = [np.concatenate(chunks)[: -event.samples or None]]
            elif isinstance(event, TakeReady):
                event.take.path.unlink(missing_ok=True)
                if event.take.stop_reason is StopReason.CANCELLED:
                    raise Cancelled
                return np.concatenate(chunks), event.take.sample_rate, event.take.stop_reason
        raise AssertionError("a stream of speech ends with TakeReady")

    @contextmanager
    def _kept(self, clip: Clip) -> Iterator[Path]:
        """The recording as a file, for as long as the context lasts."""
        file = self._scratch_dir / f"{secrets.token_hex(16)}.wav"
        try:
            with AudioWriter(file, "wav", clip.sample_rate) as writer:
                writer.write(clip.samples)
            yield file
        finally:
            file.unlink(missing_ok=True)


def _tempo(speech_rate: float, language: Language) -> float:
    """The tempo of a rate, 2 is twice as fast."""
    if speech_rate <= MAX_TEMPO:
        return speech_rate
    normal = CHINESE_RATE if find_language("zh", [language]) else NORMAL_RATE
    slowest, fastest = RATE_TEMPOS
    return min(max(speech_rate / normal, slowest), fastest)


def _language(wanted: str, text: str, languages: tuple[Language, ...]) -> Language:
    """The language to speak. Raises LanguageNotServed."""
    try:
        return language_of(wanted, text, languages)
    except UnknownLanguage as error:
        known = ", ".join(language.code for language in languages)
        raise LanguageNotServed(known=known, language=error.params["language"]) from error
