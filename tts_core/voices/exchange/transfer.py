"""Use case: voices to other machines and from other programs. An imported voice is always new; nothing is replaced."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from tts_core.audio.faults import AudioUnreadable, RecordingTooLong
from tts_core.audio.judging import require_speech
from tts_core.audio.reading import read_recording
from tts_core.domain.errors import CloneNotSupported, StudioError
from tts_core.domain.values import PreparedVoice
from tts_core.voices.exchange.archive import RECORD, names_in, read_archive, write_archive
from tts_core.voices.exchange.official_prompt import read_official_prompt
from tts_core.voices.exchange.pairs import find_pairs, read_transcript
from tts_core.voices.exchange.torch_file import is_torch_file
from tts_core.voices.faults import ConsentMissing, VoiceArchiveInvalid
from tts_core.voices.folders import VoiceFolders, new_id
from tts_core.voices.library import Consent, NewVoice, VoiceLibrary, consent_record
from tts_core.voices.models import VoiceModels
from tts_core.voices.prompts import VoicePrompts
from tts_core.voices.record import SavedVoice, VoiceKind, VoiceStatus
from tts_core.voices.recordings import VoiceRecordings, disk_errors_typed
from tts_core.voices.rules import MAX_NAME, MAX_TEXT, check_record
from tts_core.voices.store import VoiceStore

ARCHIVE_SUFFIX = ".voice.zip"
_MAX_FACTS, _LARGEST = 100, 1e15


@dataclass(frozen=True, slots=True)
class PairsImported:
    """The outcome of importing a folder of recordings with texts."""

    voices: tuple[SavedVoice, ...]
    refused: tuple[tuple[str, StudioError], ...]
    """Names of the recordings that could not be used, and why."""
    alone: tuple[str, ...] = ()
    """The names of files that were left out, as there is no recording or text of the same name."""


class VoiceTransfer:
    """Export and import of voices. Methods with a voice's id raise UnknownVoice; LibraryUnwritable where the disk
    refuses."""

    def __init__(
        self,
        voices: VoiceLibrary,
        models: VoiceModels,
        store: VoiceStore,
        folders: VoiceFolders,
        recordings: VoiceRecordings,
        prompts: VoicePrompts,
    ) -> None:
        self._voices = voices
        self._models = models
        self._store = store
        self._folders = folders
        self._recordings = recordings
        self._prompts = prompts

    def export(self, voice_id: str, target: Path) -> Path:
        """Write a zip with the record, recording, transcript, prompts, preview and checksums; `target` is replaced."""
        voice = self._store.voice(voice_id)
        with disk_errors_typed(target.parent):
            target.parent.mkdir(parents=True, exist_ok=True)
            write_archive(voice, self._folders.folder(voice.id), target, self._recordings.reference(voice))
        return target

    def import_file(self, source: Path, new: NewVoice, consent: Consent | None) -> tuple[SavedVoice, ...]:
        """Import an exported voice or the prompts of qwen-tts; the file's contents tell which.

        Raises the errors of `import_archive` and `import_official`.
        """
        try:
            names = names_in(source)
            is_prompt = is_torch_file(source, names)
        except OSError as error:
            raise VoiceArchiveInvalid(file=source.name, reason=error.strerror or "it can't be read") from error
        if RECORD in names:
            return (self.import_archive(source),)
        if not is_prompt:
            raise VoiceArchiveInvalid(file=source.name, reason="it is no voice that is known here")
        return self.import_official(source, new, consent)

    def import_archive(self, source: Path) -> SavedVoice:
        """Import a voice that was exported here or elsewhere. Raises VoiceArchiveInvalid, RecordingSilent, and the
        errors of `check_record`."""
        voice_id = new_id()
        with disk_errors_typed(self._folders.folder(voice_id)):
            read = read_archive(source, self._folders.folder(voice_id))
        was_ready = read.status is VoiceStatus.READY
        status = VoiceStatus.READY if was_ready else VoiceStatus.UPLOADED
        voice = replace(read, id=voice_id, created_at="", status=status, progress=100 if was_ready else 0)
        voice = replace(voice, meta=_plain(read.meta), others={})
        with self._folders.gaining_record(voice_id):
            check_record(voice, self._models)
            self._refuse_silence(voice)
            return self._store.put(self._recordings.with_paths(voice.with_meta({"deleted_at": None})))

    def _refuse_silence(self, voice: SavedVoice) -> None:
        """Check that the voice's recording holds speech; one that can't be read is found out when it is used."""
        with suppress(AudioUnreadable, RecordingTooLong):
            if (recording := self._recordings.reference(voice)) is not None:
                clip = read_recording(recording)
                require_speech(clip.samples, clip.sample_rate)

    def import_official(self, source: Path, new: NewVoice, consent: Consent | None) -> tuple[SavedVoice, ...]:
        """Import the `.pt` prompts of qwen-tts, one voice for each. Raises VoicePromptInvalid, ConsentMissing."""
        if consent is None:
            raise ConsentMissing
        self._voices.check(new)
        can = self._models.model(new.model_key).capabilities()
        if not can.can_clone or can.timbre_only:  # the demo's prompts are those of Base models
            raise CloneNotSupported(voice=new.model_key)
        prompts = read_official_prompt(source)
        return tuple(self._kept(prompt, new, consent, number) for number, prompt in enumerate(prompts, start=1))

    def import_pairs(self, folder: Path, new: NewVoice, consent: Consent | None) -> PairsImported:
        """Import each `name.wav` that has a `name.txt` as a clone; `new` holds the facts that they share."""
        if consent is None:
            raise ConsentMissing
        voices: list[SavedVoice] = []
        refused: list[tuple[str, StudioError]] = []
        found = find_pairs(folder)
        for pair in found.pairs:
            try:
                one = replace(new, name=pair.name, ref_text=read_transcript(pair.text))
                voices.append(self._voices.add_clone(pair.recording, one, consent))
            except StudioError as error:
                refused.append((pair.name, error))
        return PairsImported(tuple(voices), tuple(refused), found.alone)

    def _kept(self, prompt: PreparedVoice, new: NewVoice, consent: Consent, number: int) -> SavedVoice:
        voice = SavedVoice(
            id=new_id(),
            name=new.name if number == 1 else f"{new.name} {number}",
            kind=VoiceKind.CLONE,
            model_key=new.model_key,
            language=new.language,
            ref_text=prompt.transcript,
            x_vector_only_mode=prompt.codes is None,
            status=VoiceStatus.READY,
            progress=100,
            meta={"imported_prompt": True, "consent": consent_record(consent)},
        )
        try:
            with disk_errors_typed(self._folders.folder(voice.id)):
                self._folders.mark(voice.id)
                self._prompts.keep_imported(voice, prompt)
        except StudioError:
            self._folders.remove(voice.id)
            raise
        return self._voices.put_with_files(voice)


def _plain(meta: Mapping[str, Any], depth: int = 3) -> dict[str, Any]:
    """The facts of an imported record, without those that no view could show: deep nests, endless numbers, very long
    texts."""
    found = {key[:MAX_NAME]: _plain_value(value, depth) for key, value in list(meta.items())[:_MAX_FACTS]}
    return {key: value for key, value in found.items() if value is not None}


def _plain_value(value: object, depth: int) -> object:
    """The value as `_plain` keeps it; None for a value that is left out."""
    if isinstance(value, dict) and depth:
        return _plain(value, depth - 1)
    if isinstance(value, list) and depth:
        return [plain for item in value[:_MAX_FACTS] if (plain := _plain_value(item, depth - 1)) is not None]
    if isinstance(value, str):
        return value[:MAX_TEXT]
    if isinstance(value, int | float) and -_LARGEST < value < _LARGEST:
        return value
    return None


def archive_name(voice: SavedVoice) -> str:
    """A file name for an exported voice that every system takes."""
    name = "".join(letter if letter.isalnum() or letter in " -_" else "_" for letter in voice.name).strip()
    return f"{name[:60] or 'voice'}{ARCHIVE_SUFFIX}"
