"""Fingerprints of voices: what was spoken by a voice stays valid as long as its fingerprint does, wherever its files
lie."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from threading import Lock

from tts_core.domain.errors import StudioError, UnknownVoice
from tts_core.speech.synthesis import Synthesis
from tts_core.voices.engine import NAME as LIBRARY
from tts_core.voices.folders import VoiceFolders
from tts_core.voices.models import VoiceModels
from tts_core.voices.record import SavedVoice, VoiceKind
from tts_core.voices.store import VoiceStore

_Seen = tuple[int, int]
_GONE = "gone"
"""The fingerprint of a saved voice that is there no more."""


class VoiceFingerprints:
    """Thread-safe; cheap to ask again."""

    def __init__(self, store: VoiceStore, folders: VoiceFolders, models: VoiceModels, synthesis: Synthesis) -> None:
        self._store = store
        self._folders = folders
        self._models = models
        self._synthesis = synthesis
        self._lock = Lock()
        self._digests: dict[Path, tuple[_Seen, str]] = {}
        self._speeds: dict[str, bool] = {}

    def fingerprint(self, voice: str) -> str:
        """A hash of whatever makes the voice sound as it does, without paths; "" where nothing but its id does."""
        if not voice.startswith(f"{LIBRARY}/"):
            return ""
        saved = self._store.find(voice.removeprefix(f"{LIBRARY}/"))
        return _GONE if saved is None else self._of(saved)

    def speaks_at_speeds(self, voice: str) -> bool:
        """Whether its engine itself speaks faster and slower; False for a voice that is not there now."""
        known = self._speeds.get(voice)
        if known is None:
            try:
                known = self._asked(voice)
            except StudioError:
                return False
            self._speeds[voice] = known
        return known

    def _asked(self, voice: str) -> bool:
        """Raises UnknownVoice, UnknownModelKey."""
        if not voice.startswith(f"{LIBRARY}/"):
            return self._synthesis.capabilities(voice).supports_speed
        saved = self._store.voice(voice.removeprefix(f"{LIBRARY}/"))  # its model may be loading or away
        return self._models.model(saved.model_key).capabilities().supports_speed

    def _of(self, saved: SavedVoice) -> str:
        facts = {
            "kind": saved.kind.value,
            "model": saved.model_key,
            "language": saved.language,
            "speaker": saved.speaker,
            "instruct": saved.instruct if saved.kind is VoiceKind.CUSTOM_ROLE else "",
            "transcript": "" if saved.x_vector_only_mode else saved.ref_text,
            "timbre": saved.x_vector_only_mode,
            "silence": saved.meta.get("append_silence", True),
            "imported": saved.meta.get("imported_prompt"),
            "recording": self._digest_of(saved),
        }
        return hashlib.sha256(json.dumps(facts, sort_keys=True, default=str).encode()).hexdigest()[:24]

    def _digest_of(self, saved: SavedVoice) -> str:
        """The hash of the recording's bytes; "" where there is none. A file that has not changed is not read again."""
        try:
            file = self._folders.recording(saved)
            if file is None:
                return ""
            found = file.stat()
            seen = (found.st_mtime_ns, found.st_size)
            with self._lock:
                known = self._digests.get(file)
            if known is None or known[0] != seen:
                known = (seen, hashlib.sha256(file.read_bytes()).hexdigest())
                with self._lock:
                    self._digests[file] = known
            return known[1]
        except (OSError, UnknownVoice):
            return ""
