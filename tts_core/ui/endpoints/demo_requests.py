"""Requests of the official demo's calls, without Gradio. The demo has one model for each process; here the model is
found by what is asked for: its kind, its size, its speakers, and the size of a prepared voice."""

from __future__ import annotations

import secrets
from collections.abc import Generator
from dataclasses import dataclass, replace
from pathlib import Path

from tts_core.audio.faults import OutputFailed
from tts_core.domain.engine import CloningEngine, never
from tts_core.domain.errors import (
    CloneNotSupported,
    InvalidChoice,
    ModelNotReady,
    VoicePromptInvalid,
    memory_errors_typed,
)
from tts_core.domain.events import Loading
from tts_core.domain.languages import find_language
from tts_core.domain.values import AUTO_LANGUAGE, PreparedVoice, SynthesisRequest
from tts_core.engines.qwen.talker.config import read_model_config
from tts_core.models.catalogue import ModelKind
from tts_core.services import Services
from tts_core.speech.faults import InstructRequired
from tts_core.ui.clone.handler import CloneHandler
from tts_core.ui.widgets.forms import IN_CONTEXT, TIMBRE_ONLY, CloneForm
from tts_core.voices.exchange.official_prompt import read_official_prompt, write_official_prompt

SIZES = ("1.7B", "0.6B")
"""The sizes of the published models, best first."""
_KIND_NAMES = {
    ModelKind.CUSTOM_VOICE: "CustomVoice",
    ModelKind.VOICE_DESIGN: "VoiceDesign",
    ModelKind.BASE: "Base",
}


@dataclass(frozen=True, slots=True)
class DemoRecording:
    """A recording to imitate, as the demo asks for it."""

    file: str | None
    transcript: str | None
    use_xvec: bool | None
    """Whether the timbre alone is taken over."""


class DemoRequests:
    """Methods with a `size` take "0.6B", "1.7B", or "" for the best model that is ready. They raise ModelNotReady,
    InvalidChoice for another size, and what is wrong with the rest of the request."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._clone = CloneHandler(services)

    def preset(self, text: str | None, speaker: str | None, instruct: str | None, size: str = "") -> SynthesisRequest:
        """A text in the voice of a preset speaker. An instruction that the model can't follow is left out, as the
        published package does."""
        named = (speaker or "").strip().lower().replace(" ", "_")
        keys = self._ready(ModelKind.CUSTOM_VOICE, size)
        able = [key for key in keys if named in map(str.lower, self._services.models.capabilities(key).speakers)]
        key = able[0] if able else keys[0]
        can = self._services.models.capabilities(key)
        voice = self._services.finder.find(voice_id=f"{key}/{named}")
        wanted = (instruct or "").strip() if can.supports_instruct else ""
        return SynthesisRequest(text or "", voice=voice, instruct=wanted)

    def designed(self, text: str | None, description: str | None) -> SynthesisRequest:
        """A text in the voice that a description asks for."""
        key = self._ready(ModelKind.VOICE_DESIGN)[0]
        if not (description or "").strip():
            raise InstructRequired(voice=key)
        return SynthesisRequest(text or "", voice=f"{key}/design", instruct=(description or "").strip())

    def cloned(self, text: str | None, recording: DemoRecording, size: str = "") -> SynthesisRequest:
        """A text in the voice of a recording."""
        key = self._ready(ModelKind.BASE, size)[0]
        mode = TIMBRE_ONLY if recording.use_xvec else IN_CONTEXT
        form = CloneForm(recording.file, text or "", recording.transcript or "", model=key, mode=mode)
        return self._clone.spoken(form).to_request()

    def of_prompt(self, text: str | None, file: str | None) -> SynthesisRequest:
        """A text in the voice of a file that `save_prompt` or the published demo has written."""
        keys = self._ready(ModelKind.BASE)
        if not file:
            raise VoicePromptInvalid(path="", reason="no file was sent")
        prompts, name = read_official_prompt(Path(file)), Path(file).name
        if len(prompts) > 1:
            raise VoicePromptInvalid(path=name, reason="it holds several voices; the library imports them all")
        for key in keys:
            if self._vector_size(key) == len(prompts[0].vector):
                return SynthesisRequest(text or "", voice=f"{key}/clone", source=replace(prompts[0], name=name))
        raise VoicePromptInvalid(path=name, reason="it was made with a model of another size")

    def prompt_file(self, recording: DemoRecording) -> Path:
        """Prepare a recording's voice and write it to a new file, which Gradio removes after a day. Nothing comes into
        the library."""
        asked = self.cloned("", recording)
        key = (asked.voice or "").partition("/")[0]
        engine = self._services.voice_models.ready(key).engine
        if not isinstance(engine, CloningEngine) or asked.source is None:
            raise CloneNotSupported(voice=key)
        with memory_errors_typed():
            prepared = _last(engine.prepare(asked.source, cancelled=never))
        folder = self._services.settings.paths.page_cache_dir / secrets.token_hex(16)
        path = folder / f"voice_clone_prompt_{secrets.token_hex(4)}.pt"
        try:
            write_official_prompt(prepared, path)
        except OSError as error:
            raise OutputFailed(folder=folder, reason=error.strerror or type(error).__name__) from error
        return path

    def spoken_language(self, request: SynthesisRequest, wanted: str | None) -> str:
        """The language that the demo takes for a name: for one that it does not know, the text's own."""
        known = self._services.synthesis.capabilities(request.voice).languages
        return wanted if wanted and find_language(wanted, known) else AUTO_LANGUAGE

    def _ready(self, kind: ModelKind, size: str = "") -> list[str]:
        """The keys of the models of that kind that can speak now, best first; there is at least one."""
        if size and size not in SIZES:
            raise InvalidChoice(name="model_size", value=size, choices=", ".join(sorted(SIZES)))
        sizes = (size,) if size else (*SIZES, "")
        models = self._services.models
        entries = [entry for entry in map(models.entry, models.keys()) if entry.kind is kind and entry.size in sizes]
        entries.sort(key=lambda entry: sizes.index(entry.size))
        ready = [one.key for one in entries if self._services.voice_models.model(one.key).problem() is None]
        if not ready:
            raise ModelNotReady(name=" ".join(filter(None, ("Qwen3-TTS", size, _KIND_NAMES[kind]))))
        return ready

    def _vector_size(self, key: str) -> int:
        """The length of the speaker embeddings that the model reads."""
        return read_model_config(self._services.models.folder(key)).talker.transformer.hidden_size


def _last(steps: Generator[Loading, None, PreparedVoice]) -> PreparedVoice:
    while True:
        try:
            next(steps)
        except StopIteration as end:
            prepared: PreparedVoice = end.value
            return prepared
