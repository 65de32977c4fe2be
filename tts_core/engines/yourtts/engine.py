"""YourTTS as an engine: its preset and registered speakers speak, and the speaker of a recording is imitated.

The model runs in a process of its own, which lives as long as it is used and a while longer.
"""

from __future__ import annotations

import hashlib
import logging
from collections import OrderedDict
from collections.abc import Generator, Iterator
from dataclasses import dataclass
from pathlib import Path
from threading import Event, Lock

import numpy as np

from tts_core.audio.files import resample
from tts_core.audio.judging import require_speech
from tts_core.audio.reading import MAX_REFERENCE_S, read_recording
from tts_core.domain.engine import CancelCheck, Engine
from tts_core.domain.errors import (
    Cancelled,
    EngineFailed,
    ReferenceRequired,
    StudioError,
    UnknownLanguage,
    UnknownVoice,
    VoicePromptInvalid,
)
from tts_core.domain.events import AudioChunk, EngineEvent, Finished, Loading, Samples
from tts_core.domain.languages import find_language
from tts_core.domain.text import detect_language
from tts_core.domain.values import (
    AUTO_LANGUAGE,
    Capabilities,
    Language,
    PreparedVoice,
    Recording,
    StopReason,
    SynthesisRequest,
    Voice,
)
from tts_core.engines.yourtts.environment import Environment
from tts_core.engines.yourtts.faults import SpeakerVectorMisfit, YourTtsMissing
from tts_core.engines.yourtts.finder import ModelFinder, Search
from tts_core.engines.yourtts.model_folder import ModelFolder
from tts_core.engines.yourtts.process import NAME as PEOPLE_CALL_IT, ServiceFacts, YourTtsProcess, weights_bytes
from tts_core.engines.yourtts.speakers import Speaker, SpeakerStore
from tts_core.models.cached_model import CachedModel, LoadProgress, ModelLoader
from tts_core.models.memory import ModelCache, ModelMemory
from tts_core.platform.settings.studio import Settings

NAME, CLONER = "yourtts", "yourtts_clone"
"""The engine's name, and the key of the model that imitates: saved voices that it speaks are recorded under it."""
CLONE_VOICE = f"{CLONER}/clone"
"""The voice that imitates. Programs and pickers tell it apart from the speakers by the name before the slash."""
LANGUAGES = (
    Language("en", "English"),
    Language("fr-fr", "French"),
    Language("pt-br", "Portuguese (Brazil)"),
)
"""The languages that the published model was trained with."""
AUTO = Language(AUTO_LANGUAGE, "Auto")
DEFAULT_RATE = 16_000
_KEPT_VECTORS = 64
_LEAST_S = 0.5
"""Least seconds of a recording: the speaker encoder finds nothing in less."""

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _Known:
    """The facts about a model that its folder gives without loading it."""

    languages: tuple[Language, ...]
    speakers: tuple[str, ...]
    sample_rate: int


class YourTts:
    """The installed YourTTS, for all that speak with it. Thread-safe; asking it costs some look-ups on the disk."""

    def __init__(
        self,
        environment: Environment,
        finder: ModelFinder,
        speakers: SpeakerStore,
        cache: ModelCache[YourTtsProcess],
    ) -> None:
        """A process is kept in memory, under the engine's name."""
        self.environment = environment
        self.speakers = speakers
        self._finder = finder
        self._cache = cache
        self._known: tuple[object, _Known] | None = None
        self._vectors: OrderedDict[str, Samples] = OrderedDict()
        self._lock = Lock()

    def model(self) -> ModelFolder | None:
        """The model that can speak now; None where it or its environment is missing."""
        return self.search().model if self.environment.is_installed else None

    def search(self) -> Search:
        """The places where the model was looked for, whether the environment is there or not."""
        return self._finder.find()

    def known(self) -> _Known | None:
        """The facts about the model; None while it can't speak."""
        model = self.model()
        if model is None:
            return None
        mark = (model.folder, *(file.stat().st_mtime_ns for file in model.files.values() if file.exists()))
        with self._lock:
            if self._known is None or self._known[0] != mark:
                self._known = mark, _look_into(model)
            return self._known[1]

    def weights(self) -> tuple[Path, ...]:
        """The files that decide what a recording becomes; () while YourTTS can't speak."""
        model = self.model()
        return () if model is None else (model.checkpoint, model.files["speaker_encoder_model_path"])

    def loaded(self) -> CachedModel | None:
        return self._cache.newest()

    def speak(
        self, request: SynthesisRequest, language: str, speaker: str | Speaker, cancelled: CancelCheck
    ) -> Iterator[EngineEvent]:
        """Yield Loading…, chunks, Finished. `speaker`: a preset speaker's name, or a speaker to imitate."""
        with self._cache.begin(NAME) as lease:
            for done_bytes, total_bytes in lease.progress():
                yield Loading(PEOPLE_CALL_IT, done_bytes, total_bytes)
                if cancelled():
                    yield Finished(StopReason.CANCELLED, request.seed)
                    return
            process = lease.model()
            facts = process.load()
            vector = np.zeros(0, np.float32) if isinstance(speaker, str) else self._vector(speaker, process, facts)
            wanted = {
                "text": request.text,
                "language": language,
                "speaker": speaker if isinstance(speaker, str) else "",
                "speed": request.speed,
                "seed": request.seed,
            }
            rate = self.sample_rate
            room = None if request.max_seconds is None else round(request.max_seconds * rate)
            for samples in process.speak(wanted, vector, cancelled):
                chunk = resample(samples, facts.sample_rate, rate)[:room]
                yield AudioChunk(chunk)
                room = None if room is None else room - len(chunk)
                if room == 0:
                    yield Finished(StopReason.MAX_LENGTH, request.seed)
                    return
        yield Finished(StopReason.CANCELLED if cancelled() else StopReason.COMPLETE, request.seed)

    def prepare(
        self, source: Recording | PreparedVoice, cancelled: CancelCheck
    ) -> Generator[Loading, None, PreparedVoice]:
        """Yield Loading…, then return the speaker's vector. Raises what `CloningEngine.prepare` raises."""
        with self._cache.begin(NAME) as lease:
            for done_bytes, total_bytes in lease.progress():
                yield Loading(PEOPLE_CALL_IT, done_bytes, total_bytes)
                if cancelled():
                    raise Cancelled
            process = lease.model()
            facts = process.load()
            if isinstance(source, Recording):
                return PreparedVoice(self._vector(_speaker_in(source), process, facts))
            if source.codes is not None or len(source.vector) != facts.vector_size:
                raise VoicePromptInvalid(path=source.name, reason="it was made with another model")
            return source

    def warm_up(self, until: Event) -> None:
        """Load it, let it say a word that is thrown away, and hold it: a first sentence takes long. Never raises."""
        wanted = {"text": "Ready.", "language": LANGUAGES[0].code, "speaker": "", "speed": 1.0, "seed": None}
        try:
            with self._cache.lease(NAME) as process:
                for _ in process.speak(wanted, np.zeros(0, np.float32), until.is_set):
                    pass
                until.wait()
        except StudioError as error:
            logger.warning("%s", error.message)

    @property
    def sample_rate(self) -> int:
        known = self.known()
        return DEFAULT_RATE if known is None else known.sample_rate

    def _vector(self, speaker: Speaker, process: YourTtsProcess, facts: ServiceFacts) -> Samples:
        """The speaker's vector: the one that was sent where it fits this model, else one made of the recording.

        Raises SpeakerVectorMisfit where there is no recording.
        """
        sent = speaker.vector
        if sent is not None and len(sent) == facts.vector_size:
            return sent
        if sent is not None and not len(speaker.samples):
            raise SpeakerVectorMisfit(length=len(sent), engine=PEOPLE_CALL_IT, wanted=facts.vector_size)
        key = hashlib.sha256(speaker.samples.tobytes() + str(speaker.rate).encode()).hexdigest()
        with self._lock:
            found = self._vectors.get(key)
        if found is None:
            found = process.vector(speaker.samples, speaker.rate)
        with self._lock:
            self._vectors[key] = found
            self._vectors.move_to_end(key)
            while len(self._vectors) > _KEPT_VECTORS:
                self._vectors.popitem(last=False)
        return found


class YourTtsEngine:
    """The engine of preset and registered speakers, and of a recording's speaker. See `domain.engine.Engine`."""

    name = NAME

    def __init__(self, yourtts: YourTts) -> None:
        self._yourtts = yourtts

    def voices(self) -> tuple[Voice, ...]:
        known = self._yourtts.known()
        if known is None:
            return ()
        presets = [Voice(f"{NAME}/{name}", name, NAME, PEOPLE_CALL_IT) for name in known.speakers]
        registered = self._yourtts.speakers.names().items()
        return (
            *presets,
            *(Voice(f"{NAME}/{key}", name, NAME, PEOPLE_CALL_IT) for key, name in registered),
            Voice(CLONE_VOICE, "Clone", CLONER, PEOPLE_CALL_IT),
        )

    def capabilities(self, voice: str | None = None) -> Capabilities:
        known = self._yourtts.known()
        if known is None:
            return Capabilities(languages=())
        clones = voice == CLONE_VOICE
        speakers = () if clones else known.speakers
        return Capabilities(
            (AUTO, *known.languages),
            speakers=speakers,
            supports_speed=True,
            can_clone=clones,
            timbre_only=clones,
        )

    def sample_rate(self, voice: str) -> int:
        return self._yourtts.sample_rate

    def at_once(self, voice: str) -> int:
        return 1

    def stream(self, request: SynthesisRequest, *, cancelled: CancelCheck) -> Iterator[EngineEvent]:
        known = self._yourtts.known()
        if known is None:
            reason = "its environment or its model is not on this machine any more"
            raise EngineFailed(engine=PEOPLE_CALL_IT, reason=reason)
        language = language_of(request.language, request.text, known.languages)
        speaker = _imitated(request) if request.voice == CLONE_VOICE else self._speaker(request.voice or "", known)
        return self._yourtts.speak(request, language.code, speaker, cancelled)

    def prepare(
        self, source: Recording | PreparedVoice, *, cancelled: CancelCheck
    ) -> Generator[Loading, None, PreparedVoice]:
        """See `domain.engine.CloningEngine`."""
        return self._yourtts.prepare(source, cancelled)

    def close(self) -> None:
        """Nothing of its own to free: the memory holds the process and ends it."""

    def _speaker(self, voice: str, known: _Known) -> str | Speaker:
        """A preset speaker's name, or a registered speaker. Raises UnknownVoice."""
        name = voice.removeprefix(f"{NAME}/")
        found: str | Speaker | None = name if name in known.speakers else self._yourtts.speakers.by_key(name)
        if found is None:
            raise UnknownVoice(voice=voice)
        return found


@dataclass(frozen=True, slots=True)
class YourTtsModel:
    """The model that imitates, as saved voices see it. See `domain.engine.VoiceModel`."""

    yourtts: YourTts
    engine: Engine
    key = CLONER
    name = PEOPLE_CALL_IT

    def problem(self) -> StudioError | None:
        return YourTtsMissing() if self.yourtts.known() is None else None

    def capabilities(self) -> Capabilities:
        if self.yourtts.known() is not None:
            return self.engine.capabilities(CLONE_VOICE)
        return Capabilities((AUTO, *LANGUAGES), supports_speed=True, can_clone=True, timbre_only=True)

    def weights(self) -> tuple[Path, ...]:
        return self.yourtts.weights()


def language_of(wanted: str, text: str, languages: tuple[Language, ...]) -> Language:
    """The language to speak, never another's sound: "auto" is what the text is written in. Raises UnknownLanguage."""
    found = find_language(wanted, (AUTO, *languages))
    if found is not None and found.code == AUTO_LANGUAGE:
        wanted = detect_language(text)
        found = find_language(wanted, languages)
    if found is None:
        raise UnknownLanguage(language=wanted)
    return found


def build_yourtts(settings: Settings, memory: ModelMemory) -> YourTts:
    """Build YourTTS without loading anything; whether it is installed is looked up when it is asked for."""
    paths = settings.paths
    environment = Environment(paths.yourtts_dir / "environment")
    finder = ModelFinder(paths.models_dir, settings.yourtts)

    def folder(_key: str) -> Path:
        model = finder.find().model
        if model is None:
            raise EngineFailed(engine=PEOPLE_CALL_IT, reason="its model is not on this machine any more")
        return model.folder

    def start(model: Path, _progress: LoadProgress) -> YourTtsProcess:
        process = YourTtsProcess(environment.python, model, gpu=settings.device != "cpu")
        process.load()
        return process

    loader = ModelLoader(NAME, start, folder, size_of=weights_bytes, name_of=lambda _key: PEOPLE_CALL_IT)
    return YourTts(environment, finder, SpeakerStore(paths.registered_speakers_dir), ModelCache(memory, loader))


def _imitated(request: SynthesisRequest) -> Speaker:
    """The speaker to imitate: the one of the request's recording or vector. Raises ReferenceRequired."""
    if request.source is None:
        raise ReferenceRequired(voice=CLONE_VOICE)
    if isinstance(request.source, PreparedVoice):
        return Speaker("", np.zeros(0, np.float32), DEFAULT_RATE, request.source.vector)
    return _speaker_in(request.source)


def _speaker_in(recording: Recording) -> Speaker:
    """The speaker of a recording. Raises AudioUnreadable, RecordingTooLong."""
    clip = read_recording(recording.path, max_seconds=MAX_REFERENCE_S)
    require_speech(clip.samples, clip.sample_rate)
    samples = np.pad(clip.samples, (0, max(0, round(_LEAST_S * clip.sample_rate) - len(clip.samples))))
    return Speaker("", samples, clip.sample_rate)


def _look_into(model: ModelFolder) -> _Known:
    """The facts about a model. Never raises: what can't be read is taken from the published model."""
    try:
        codes = model.languages()
        speakers = tuple(sorted({name.strip() for name in model.speakers()} - {""}))
        audio = model.config().get("audio")
        rate = int(audio["sample_rate"]) if isinstance(audio, dict) and "sample_rate" in audio else DEFAULT_RATE
    except (OSError, ValueError, TypeError):
        logger.warning("the files beside %s can't be read", model.checkpoint)
        return _Known(LANGUAGES, (), DEFAULT_RATE)
    named = {language.code: language for language in LANGUAGES}
    return _Known(tuple(named.get(code, Language(code, code)) for code in codes), speakers, rate)
