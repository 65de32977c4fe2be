"""The Qwen3-TTS models as engines: the voices each has, and requests in the model's words. Models load on first use.

The model itself is in `speech_model`, imported only when one is loaded, for torch takes seconds.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from tts_core.audio.editing import TAIL_SILENCE_S, append_silence
from tts_core.audio.judging import require_speech
from tts_core.audio.reading import MAX_REFERENCE_S, read_recording
from tts_core.domain.engine import CancelCheck
from tts_core.domain.errors import Cancelled, EngineFailed, ReferenceRequired, UnknownLanguage, UnknownVoice
from tts_core.domain.events import EngineEvent, Finished, Loading
from tts_core.domain.languages import find_language
from tts_core.domain.values import (
    Capabilities,
    Language,
    PreparedVoice,
    Recording,
    StopReason,
    SynthesisRequest,
    Voice,
)
from tts_core.engines.qwen.talker.config import read_model_config
from tts_core.models.cached_model import Lease, LoadProgress
from tts_core.models.catalogue import WEIGHTS_SUFFIX, ModelKind
from tts_core.models.memory import ModelCache
from tts_core.models.status import ModelStatuses

if TYPE_CHECKING:
    from tts_core.engines.qwen.cloning.voice_prompt import ClonePrompt
    from tts_core.engines.qwen.speech_model import QwenModel, SpeechRequest
    from tts_core.engines.qwen.talker.prompt import VoicePrompt

SAMPLE_RATE = 24_000
QWEN = "qwen"
"""The kind of these models in memory."""
AUTO = "auto"
_BEST_FIRST = ("1.7B", "0.6B", "")
_MAX_SEED = 2**32
_OWN_VOICES = {ModelKind.VOICE_DESIGN: "Design", ModelKind.BASE: "Clone"}
"""The only voice of models without preset speakers."""


@dataclass(frozen=True, slots=True)
class SpeakingModel:
    """A model that can be loaded."""

    name: str
    """The model's name as people read it."""
    kind: ModelKind
    folder: Path
    capabilities: Capabilities


FindModel = Callable[[], SpeakingModel | None]
"""A function that answers the model; None while it is not ready."""


@dataclass(frozen=True, slots=True)
class ModelChoice:
    """The user's choice of how models compute; "auto" and None leave it to the engine."""

    device: str = AUTO
    precision: str = AUTO
    threads: int | None = None


class QwenEngine:
    """The engine of one Qwen3-TTS model. See `domain.engine.Engine`."""

    def __init__(self, name: str, find: FindModel, cache: ModelCache[QwenModel]) -> None:
        """`name` is the model's key, in memory as well."""
        self.name = name
        self._find = find
        self._cache = cache

    def voices(self) -> tuple[Voice, ...]:
        model = self._find()
        if model is None:
            return ()
        own = _OWN_VOICES.get(model.kind)
        names = [own] if own else [_spoken_name(speaker) for speaker in model.capabilities.speakers]
        return tuple(Voice(self._voice_id(name), name, self.name, model.name) for name in names)

    def capabilities(self, voice: str | None = None) -> Capabilities:
        model = self._find()
        return Capabilities(languages=()) if model is None else model.capabilities

    def sample_rate(self, voice: str) -> int:
        return SAMPLE_RATE

    def at_once(self, voice: str) -> int:
        model = self._cache.loaded(self.name)
        return 1 if model is None else model.slots  # one while it is not in memory

    def pool(self, voice: str) -> str:
        """Every one of these models needs the same device and its memory."""
        return QWEN

    def stream(self, request: SynthesisRequest, *, cancelled: CancelCheck) -> Iterator[EngineEvent]:
        model = self._required()
        language = find_language(request.language, model.capabilities.languages)
        if language is None:
            raise UnknownLanguage(language=request.language)
        if model.kind is ModelKind.BASE and request.source is None:
            raise ReferenceRequired(voice=self._voice_id(_OWN_VOICES[model.kind]))
        speaker = self._speaker(request.voice, model)
        return self._speak(request, model.name, language, speaker, cancelled)

    def prepare(
        self, source: Recording | PreparedVoice, *, cancelled: CancelCheck
    ) -> Generator[Loading, None, PreparedVoice]:
        """See `domain.engine.CloningEngine`."""
        from tts_core.engines.qwen.cloning.voice_prompt import prepared_voice  # noqa: PLC0415 - see load_model

        with self._cache.begin(self.name) as lease:
            for loading in _loading(lease, self._required().name):
                yield loading
                if cancelled():
                    raise Cancelled
            prompt = _imitation(source, lease.model())
            return source if isinstance(source, PreparedVoice) else prepared_voice(prompt)

    def close(self) -> None:
        """Do nothing: the memory holds the model and frees it."""

    def _required(self) -> SpeakingModel:
        model = self._find()
        if model is None:
            raise EngineFailed(engine=self.name, reason="its model is not complete on the disk any more")
        return model

    def _speak(
        self, request: SynthesisRequest, name: str, language: Language, speaker: str, cancelled: CancelCheck
    ) -> Iterator[EngineEvent]:
        """Load the model where it is not in memory (`name` is for people), then let it speak."""
        with self._cache.begin(self.name) as lease:
            for loading in _loading(lease, name):
                yield loading
                if cancelled():
                    yield Finished(StopReason.CANCELLED, None)
                    return
            model = lease.model()
            source = request.source
            voice = _own_voice(speaker) if source is None else _imitation(source, model)
            yield from model.stream(_speech_request(request, language, voice), cancelled=cancelled)

    def _voice_id(self, name: str) -> str:
        return f"{self.name}/{name.lower().replace(' ', '_')}"

    def _speaker(self, voice_id: str | None, model: SpeakingModel) -> str:
        """The checkpoint's name of a preset speaker; "" for the other kinds. Raises UnknownVoice."""
        if model.kind is not ModelKind.CUSTOM_VOICE:
            return ""
        for speaker in model.capabilities.speakers:
            if voice_id in (None, self._voice_id(speaker)):
                return speaker
        raise UnknownVoice(voice=voice_id or "")


def _loading(lease: Lease[QwenModel], name: str) -> Iterator[Loading]:
    for done_bytes, total_bytes in lease.progress():
        yield Loading(name, done_bytes, total_bytes)


def catalogue_engines(manager: ModelStatuses, cache: ModelCache[QwenModel], kind: ModelKind) -> tuple[QwenEngine, ...]:
    """An engine for each model of that kind, best first, ready or not."""
    entries = [entry for entry in map(manager.entry, manager.keys()) if entry.kind is kind]
    entries.sort(key=lambda entry: _BEST_FIRST.index(entry.size))
    return tuple(QwenEngine(entry.key, _finder(manager, entry.key), cache) for entry in entries)


def model_in(folder: Path) -> SpeakingModel:
    """The model in any folder, as its config.json describes it. Raises ModelFolderInvalid naming the file."""
    config = read_model_config(folder)
    kind = ModelKind(config.kind)
    capabilities = Capabilities(
        languages=tuple(Language(code, code.title()) for code in (AUTO, *config.languages)),
        speakers=tuple(config.talker.speaker_ids),
        supports_instruct=config.obeys_instruct,
        supports_sampling=True,
        can_clone=kind is ModelKind.BASE,
        can_design=kind is ModelKind.VOICE_DESIGN,
    )
    return SpeakingModel(folder.name, kind, folder, capabilities)


def load_model(folder: Path, choice: ModelChoice, progress: LoadProgress) -> QwenModel:
    """Read a model's folder; seconds. Raises what `QwenModel.load` raises."""
    from tts_core.engines.qwen.speech_model import QwenModel  # noqa: PLC0415 - torch: seconds and hundreds of megabytes

    return QwenModel.load(
        folder, device=choice.device, precision=choice.precision, threads=choice.threads, progress=progress
    )


def weights_bytes(folder: Path) -> int:
    """The memory that the model takes, about: the size of its weights on the disk."""
    return sum(file.stat().st_size for file in folder.rglob(f"*{WEIGHTS_SUFFIX}"))


def _finder(manager: ModelStatuses, key: str) -> FindModel:
    def find() -> SpeakingModel | None:
        status = manager.status(key)
        if not status.valid:
            return None
        return SpeakingModel(status.entry.display_name, status.entry.kind, status.path, manager.capabilities(key))

    return find


def _spoken_name(speaker: str) -> str:
    """The speaker's name as people read it: "uncle_fu" becomes "Uncle Fu"."""
    return speaker.replace("_", " ").title()


def _speech_request(request: SynthesisRequest, language: Language, voice: VoicePrompt) -> SpeechRequest:
    """The request in the words of the model."""
    from tts_core.engines.qwen.speech_model import SpeechRequest  # noqa: PLC0415
    from tts_core.engines.qwen.talker.prompt import PromptRequest  # noqa: PLC0415 - see load_model

    decoding = request.decoding
    prompt = PromptRequest(
        text=request.text,
        voice=voice,
        language=language.code,
        instruct=request.instruct.strip(),
        text_mode=decoding.text_mode,
    )
    return SpeechRequest(
        prompt,
        seed=secrets.randbelow(_MAX_SEED) if request.seed is None else request.seed,
        sampling=request.sampling,
        greedy=decoding.greedy,
        max_frames=decoding.max_frames,
        max_seconds=request.max_seconds,
        chunk_frames=decoding.chunk_frames,
    )


def _own_voice(speaker: str) -> VoicePrompt:
    """A speaker that a custom voice model was trained with; "" leaves it to the instruction."""
    from tts_core.engines.qwen.talker.prompt import DesignedVoice, PresetSpeaker  # noqa: PLC0415 - see load_model

    return PresetSpeaker(speaker) if speaker else DesignedVoice()


def _imitation(source: Recording | PreparedVoice, model: QwenModel) -> ClonePrompt:
    """The voice to imitate, in the words of the model. Raises VoicePromptInvalid for a voice of another model."""
    from tts_core.engines.qwen.cloning.voice_prompt import clone_prompt  # noqa: PLC0415 - see load_model

    if isinstance(source, PreparedVoice):
        return clone_prompt(source, model.config.talker)
    clip = read_recording(source.path, max_seconds=MAX_REFERENCE_S + TAIL_SILENCE_S)
    samples = clip.samples
    require_speech(samples, clip.sample_rate)
    if source.append_silence and source.transcript is not None:
        samples = append_silence(samples, clip.sample_rate, TAIL_SILENCE_S)
    return model.prepare_voice(samples, clip.sample_rate, source.transcript)
