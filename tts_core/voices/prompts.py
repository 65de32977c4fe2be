"""Saved voices as a model knows them: prepared once per model, kept beside the voice, made anew when inputs change."""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Generator, Iterable
from dataclasses import replace
from pathlib import Path

from tts_core.audio.faults import AudioUnreadable
from tts_core.domain.engine import CancelCheck, CloningEngine
from tts_core.domain.errors import CloneNotSupported, StudioError, VoicePromptInvalid
from tts_core.domain.events import Loading
from tts_core.domain.values import PreparedVoice, Recording
from tts_core.voices.faults import TranscriptMissing
from tts_core.voices.folders import VoiceFolders
from tts_core.voices.models import VoiceModels
from tts_core.voices.prompt_files import load_prompt, save_prompt
from tts_core.voices.record import SavedVoice
from tts_core.voices.recordings import VoiceRecordings, disk_errors_typed

logger = logging.getLogger(__name__)

_FORMAT = 1
_IMPORTED = "imported"


class VoicePrompts:
    def __init__(self, folders: VoiceFolders, recordings: VoiceRecordings, models: VoiceModels) -> None:
        self._folders = folders
        self._recordings = recordings
        self._models = models

    def is_prepared(self, voice: SavedVoice) -> bool:
        """Whether the prompt for the voice's model was made from the voice as it is now."""
        return self._path(voice).is_file()

    def is_timbre_only(self, voice: SavedVoice) -> bool:
        """Whether only the timbre is taken over, by the user's choice or because the voice's model takes no more: that
        needs no transcript."""
        return voice.x_vector_only_mode or self._models.model(voice.model_key).capabilities().timbre_only

    def kept(self, voice: SavedVoice) -> PreparedVoice | None:
        """The voice as it was prepared for its model; None where it has to be prepared, for the first time or again.

        Raises VoicePromptInvalid for a damaged one that was imported, for there is nothing to prepare it from.
        """
        path = self._path(voice)
        if not path.is_file():
            return None
        try:
            return replace(load_prompt(path), name=voice.name)
        except VoicePromptInvalid:
            if voice.meta.get("imported_prompt"):
                raise
            logger.warning("a prepared voice can't be read and is prepared again")
            return None

    def prepare(self, voice: SavedVoice, *, cancelled: CancelCheck) -> Generator[Loading, None, PreparedVoice]:
        """Have the voice's model check the kept prompt, or let it prepare the voice and keep the result.

        Yields Loading while the model is read. Raises ModelNotReady, CloneNotSupported, AudioUnreadable,
        TranscriptMissing, LibraryUnwritable, EngineFailed, Cancelled, and VoicePromptInvalid for an imported voice.
        """
        engine = self._models.ready(voice.model_key).engine
        if not isinstance(engine, CloningEngine):
            raise CloneNotSupported(voice=voice.model_key)
        kept = self.kept(voice)
        if kept is not None:
            try:
                return (yield from engine.prepare(kept, cancelled=cancelled))
            except VoicePromptInvalid:
                if voice.meta.get("imported_prompt"):
                    raise
                logger.warning("a prepared voice does not fit its model and is prepared again")
        prepared = yield from engine.prepare(self._recording(voice), cancelled=cancelled)
        path = self._path(voice)
        with disk_errors_typed(path.parent):
            save_prompt(prepared, path)
        return prepared

    def keep_imported(self, voice: SavedVoice, prepared: PreparedVoice) -> None:
        """Keep a prompt that another program prepared; the voice has no recording to prepare it from again. Raises
        OSError."""
        save_prompt(prepared, self._folders.prompt(voice.id, _IMPORTED))

    def _recording(self, voice: SavedVoice) -> Recording:
        path = self._recordings.reference(voice)
        if path is None:
            raise AudioUnreadable(path=voice.name, reason="the voice has no recording")
        if self.is_timbre_only(voice):
            return Recording(path)
        if not voice.ref_text.strip():
            raise TranscriptMissing
        return Recording(path, voice.ref_text, append_silence=voice.meta.get("append_silence", True))

    def _path(self, voice: SavedVoice) -> Path:
        if voice.meta.get("imported_prompt"):
            return self._folders.prompt(voice.id, _IMPORTED)
        return self._folders.prompt(voice.id, self._fingerprint(voice))

    def _fingerprint(self, voice: SavedVoice) -> str:
        """A fingerprint of everything that the prompt depends on: recording, transcript, mode, and the model's
        weights."""
        try:
            path = self._recordings.reference(voice)
            recording = "" if path is None else hashlib.sha256(path.read_bytes()).hexdigest()
        except (OSError, StudioError):
            recording = ""
        timbre_only = self.is_timbre_only(voice)
        inputs = {
            "format": _FORMAT,
            "recording": recording,
            "transcript": "" if timbre_only else voice.ref_text,
            "x_vector": timbre_only,
            "silence": voice.meta.get("append_silence", True),
            "model": _identity(self._models.model(voice.model_key).weights()),
        }
        return hashlib.sha256(json.dumps(inputs, sort_keys=True).encode()).hexdigest()[:24]


def _identity(files: Iterable[Path]) -> list[list[object]]:
    """The sizes and times of a model's weights, which differ for other weights; the files are not read."""
    return [[file.name, file.stat().st_size, file.stat().st_mtime_ns] for file in files]
