"""Saved voices as what a model reads: prepared once per model, kept beside the voice, made anew when inputs change."""

from __future__ import annotations

import hashlib
import json
import logging
from pathlib import Path
from typing import TYPE_CHECKING

from tts_core.audio.editing import TAIL_SILENCE_S, append_silence
from tts_core.audio.reading import MAX_REFERENCE_S, read_recording
from tts_core.domain.errors import AudioUnreadable, ModelNotReady, StudioError, TranscriptMissing, VoicePromptInvalid
from tts_core.models.memory import ModelMemory
from tts_core.models.status import ModelStatuses
from tts_core.platform.whole_files import make_private
from tts_core.voices.folders import VoiceFolders
from tts_core.voices.official_prompt import OfficialPrompt
from tts_core.voices.record import SavedVoice
from tts_core.voices.recordings import VoiceRecordings, disk_errors_typed

if TYPE_CHECKING:
    from tts_core.engines.qwen.cloning.voice_prompt import ClonePrompt
    from tts_core.engines.qwen.speech_model import QwenModel

logger = logging.getLogger(__name__)

_FORMAT = 1
_IMPORTED = "imported"


class VoicePrompts:
    def __init__(
        self,
        folders: VoiceFolders,
        recordings: VoiceRecordings,
        models: ModelStatuses,
        cache: ModelMemory[QwenModel],
    ) -> None:
        self._folders = folders
        self._recordings = recordings
        self._models = models
        self._cache = cache

    def is_prepared(self, voice: SavedVoice) -> bool:
        """Its prompt for its model is made, of what it is now."""
        return self._path(voice).is_file()

    def prepare(self, voice: SavedVoice) -> ClonePrompt:
        """Read the prompt, or make it with the voice's model. Raises ModelNotReady, AudioUnreadable, EngineFailed."""
        if not self._models.status(voice.model_key).valid:
            raise ModelNotReady(name=self._models.entry(voice.model_key).display_name)
        with self._cache.lease(voice.model_key) as model:
            return self.prompt(voice, model)

    def prompt(self, voice: SavedVoice, model: QwenModel) -> ClonePrompt:
        """For a caller that holds the voice's model. Raises AudioUnreadable, TranscriptMissing, LibraryUnwritable,
        and VoicePromptInvalid for an imported prompt.
        """
        from tts_core.engines.qwen.cloning.voice_prompt import load_prompt, require_fit  # noqa: PLC0415 - torch

        path = self._path(voice)
        if path.is_file():
            try:
                prompt = load_prompt(path)
                require_fit(prompt, model.config.talker, voice.name)
            except VoicePromptInvalid:
                if voice.meta.get("imported_prompt"):
                    raise  # there is nothing to prepare it from
                logger.warning("a prepared voice can't be read and is prepared again")
            else:
                return prompt
        prompt = self._made(voice, model)
        with disk_errors_typed(path.parent):
            _keep(prompt, path)
        return prompt

    def _made(self, voice: SavedVoice, model: QwenModel) -> ClonePrompt:
        recording = self._recordings.reference(voice)
        if recording is None:
            raise AudioUnreadable(path=voice.name, reason="the voice has no recording")
        if not voice.x_vector_only_mode and not voice.ref_text.strip():
            raise TranscriptMissing
        clip = read_recording(recording, max_seconds=MAX_REFERENCE_S + TAIL_SILENCE_S)
        if voice.x_vector_only_mode:
            return model.prepare_voice(clip.samples, clip.sample_rate, None)
        samples = clip.samples
        if voice.meta.get("append_silence", True):
            samples = append_silence(samples, clip.sample_rate, TAIL_SILENCE_S)
        return model.prepare_voice(samples, clip.sample_rate, voice.ref_text)

    def keep_imported(self, voice: SavedVoice, prompt: OfficialPrompt) -> None:
        """Keep what another program prepared; the voice has no recording to prepare it from again. Raises OSError."""
        from tts_core.engines.qwen.cloning.voice_prompt import prompt_of  # noqa: PLC0415 - torch

        _keep(prompt_of(prompt.embedding, prompt.codes, prompt.transcript), self._folders.prompt(voice.id, _IMPORTED))

    def _path(self, voice: SavedVoice) -> Path:
        if voice.meta.get("imported_prompt"):
            return self._folders.prompt(voice.id, _IMPORTED)
        return self._folders.prompt(voice.id, self._fingerprint(voice))

    def _fingerprint(self, voice: SavedVoice) -> str:
        """Of everything that the prompt depends on: recording, transcript, mode, and the model's weights."""
        try:
            path = self._recordings.reference(voice)
            recording = "" if path is None else hashlib.sha256(path.read_bytes()).hexdigest()
        except (OSError, StudioError):
            recording = ""
        inputs = {
            "format": _FORMAT,
            "recording": recording,
            "transcript": "" if voice.x_vector_only_mode else voice.ref_text,
            "x_vector": voice.x_vector_only_mode,
            "silence": voice.meta.get("append_silence", True),
            "model": _identity(self._models.folder(voice.model_key)),
        }
        return hashlib.sha256(json.dumps(inputs, sort_keys=True).encode()).hexdigest()[:24]


def _keep(prompt: ClonePrompt, path: Path) -> None:
    """Both files, whole or not there. Raises OSError."""
    from tts_core.engines.qwen.cloning.voice_prompt import save_prompt  # noqa: PLC0415 - torch

    make_private(path.parent)
    part = path.with_name(f".{path.name}")
    try:
        save_prompt(prompt, part)
        part.with_suffix(".json").replace(path.with_suffix(".json"))
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)
        part.with_suffix(".json").unlink(missing_ok=True)


def _identity(folder: Path) -> list[list[object]]:
    """Of a model's weights, without reading them: other weights have another size or time."""
    files = sorted(folder.rglob("*.safetensors")) if folder.is_dir() else []
    return [[file.name, file.stat().st_size, file.stat().st_mtime_ns] for file in files]
