"""The recordings of saved voices: kept as they came, decoded for the model, found where other programs put them."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path

from tts_core.audio.files import AudioWriter
from tts_core.audio.reading import MAX_REFERENCE_S, Clip, read_recording
from tts_core.domain.errors import UnknownVoice
from tts_core.platform.whole_files import copy_private
from tts_core.voices.faults import LibraryUnwritable
from tts_core.voices.folders import VoiceFolders
from tts_core.voices.record import SavedVoice


class VoiceRecordings:
    def __init__(self, folders: VoiceFolders) -> None:
        self._folders = folders

    def exists(self, voice: SavedVoice) -> bool:
        """Whether the voice has a recording; whether it can be decoded is not checked."""
        try:
            return self._folders.recording(voice) is not None
        except UnknownVoice:  # another program's id that names no folder
            return False

    def reference(self, voice: SavedVoice) -> Path | None:
        """The recording as the model hears it, a WAV file; None where there is none.

        A recording that another program keeps is decoded into a file of ours, and stays as it is. Raises
        AudioUnreadable, RecordingTooLong, LibraryUnwritable.
        """
        found = self._folders.recording(voice)
        ours = self._folders.reference(voice.id)
        if found is None or (ours.is_file() and ours.samefile(found)):
            return found
        with disk_errors_typed(found.parent):
            digest = hashlib.sha256(found.read_bytes()).hexdigest()
        decoded = self._folders.decoded(voice.id, digest)
        if not decoded.is_file():
            _write_wav(decoded, read_recording(found, max_seconds=MAX_REFERENCE_S))
        return decoded

    def original(self, voice: SavedVoice) -> Path | None:
        """The newest recording as it was uploaded, or as another program put it into the voice's folder."""
        found = self._folders.newest_original(voice.id) or self._folders.recording(voice)
        return found if found is not None and found.parent == self._folders.folder(voice.id) else None

    @contextmanager
    def keeping(self, voice_id: str, upload: Path, clip: Clip) -> Iterator[None]:
        """Put upload and clip among the voice's files. If the block then fails, the files are as they were before.

        Raises LibraryUnwritable, OutputFailed.
        """
        reference = self._folders.reference(voice_id)
        before = reference.with_name(f".{reference.name}.before")
        folder, original = reference.parent, None
        is_new = not folder.exists()
        try:
            with disk_errors_typed(folder):
                if is_new:
                    self._folders.mark(voice_id)
                original = self._folders.keep_original(voice_id, upload)
                if reference.is_file():
                    copy_private(reference, before)
            _write_wav(reference, clip)
            yield
        except BaseException:
            with suppress(OSError):
                if original is not None:
                    original.unlink(missing_ok=True)
                    before.replace(reference) if before.is_file() else reference.unlink(missing_ok=True)
                if is_new:
                    self._folders.unmark(voice_id)
                    folder.rmdir()
            raise
        before.unlink(missing_ok=True)
        self._folders.unmark(voice_id)

    def copy(self, voice: SavedVoice, to: str) -> None:
        """Copy a voice's files for another one. Raises LibraryUnwritable; the copy is whole or not there."""
        with disk_errors_typed(self._folders.folder(to)):
            self._folders.copy(voice.id, to)
            target = self._folders.reference(to)
            source = self._folders.recording(voice)
            if source is not None and not target.is_file():
                decoded = self.reference(voice)
                if decoded is not None:
                    self._folders.mark(to)
                    copy_private(decoded, target)

    def with_paths(self, voice: SavedVoice) -> SavedVoice:
        """The voice with the address of the recording that lies in its folder."""
        path = self._folders.reference(voice.id)
        if not path.is_file():
            return replace(voice, ref_audio_path="", ref_audio_url="")
        return replace(voice, ref_audio_path=str(path), ref_audio_url=audio_url(voice.id))


def audio_url(voice_id: str) -> str:
    """The HTTP address of a voice's recording."""
    return f"/api/tts/qwen3/voices/{voice_id}/audio?kind=reference"


def _write_wav(path: Path, clip: Clip) -> None:
    with AudioWriter(path, "wav", clip.sample_rate) as writer:
        writer.write(clip.samples)


@contextmanager
def disk_errors_typed(folder: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise LibraryUnwritable(folder=folder, reason=error.strerror or type(error).__name__) from error
