"""The folders of saved voices' files: one folder per voice, below the uploads."""

from __future__ import annotations

import re
import secrets
import shutil
import time
from collections.abc import Collection, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path, PurePosixPath

from tts_core.domain.errors import StudioError, UnknownVoice
from tts_core.platform.whole_files import close_to_others, copy_private, make_private
from tts_core.voices.record import SavedVoice, VoiceKind

REFERENCE, PREVIEW, PROMPTS = "reference.wav", "preview.wav", "prompts"
UNRECORDED = ".unrecorded"
"""An empty file in a folder that no record names yet, or none is going to name any more."""
SOUND_SUFFIXES = (
    *(".wav", ".flac", ".mp3", ".ogg", ".opus", ".m4a", ".webm", ".aac", ".aiff", ".mp4", ".aif", ".oga", ".spx"),
    *(".caf", ".w64", ".au", ".wma", ".amr", ".3gp", ".mov", ".mkv", ".avi", ".ts", ".mpg", ".flv"),
    *(".ac3", ".ape", ".wv", ".tta", ".voc"),
)
"""The suffixes of recordings, the commonest first."""
_ID = re.compile(r"[A-Za-z0-9_-](?:[A-Za-z0-9_.-]{0,62}[A-Za-z0-9_-])?")
_OWN_ID = re.compile(r"[0-9a-f]{16}")
_DECODED, _PART = "decoded-", ".part"
_ABANDONED_S = 24 * 3600.0


def new_id() -> str:
    return secrets.token_hex(8)


class VoiceFolders:
    def __init__(self, root: Path, data_dir: Path) -> None:
        """`data_dir` is what relative paths in the library file start from."""
        self._root = root
        self._data_dir = data_dir

    def folder(self, voice_id: str) -> Path:
        """The voice's folder, which need not exist. Raises UnknownVoice for an id that could name another place."""
        if not _ID.fullmatch(voice_id):
            raise UnknownVoice(voice=voice_id)
        return self._root / voice_id

    def reference(self, voice_id: str) -> Path:
        """The path of the recording as the model hears it."""
        return self.folder(voice_id) / REFERENCE

    def decoded(self, voice_id: str, digest: str) -> Path:
        """The path of a decoded recording that another program keeps; `digest` is the recording's sha256."""
        return self.folder(voice_id) / f"{_DECODED}{digest[:16]}.wav"

    def recording(self, voice: SavedVoice) -> Path | None:
        """The recording that a record means: by its path, by the name in it where the folder has moved, by its
        address, else the only one in the voice's folder. None where there is none.
        """
        if voice.kind is VoiceKind.CUSTOM_ROLE:
            return None
        folder = self.folder(voice.id)
        for place in (*self._named(voice.ref_audio_path, folder), *self._named(voice.ref_audio_url, folder)):
            if _is_file(place):
                return place
        if (folder / REFERENCE).is_file():
            return folder / REFERENCE
        if not folder.is_dir():
            return None
        found = [path for path in folder.iterdir() if path.suffix.lower() in SOUND_SUFFIXES and path.is_file()]
        ours = (PREVIEW, _DECODED)
        others = [path for path in found if not path.name.startswith((".", *ours))]
        return others[0] if len(others) == 1 else None

    def preview(self, voice_id: str) -> Path:
        return self.folder(voice_id) / PREVIEW

    def keep_preview(self, voice_id: str, take: Path) -> Path:
        """Copy the take into the place of the last preview. Raises OSError."""
        return _copied(take, self.preview(voice_id))

    def prompt(self, voice_id: str, fingerprint: str) -> Path:
        return self.folder(voice_id) / PROMPTS / f"{fingerprint}.safetensors"

    def keep_original(self, voice_id: str, upload: Path) -> Path:
        """Copy an upload into the folder, beside earlier ones. Raises OSError."""
        suffix = upload.suffix.lower() if re.fullmatch(r"\.[a-z0-9]{1,5}", upload.suffix.lower()) else ".bin"
        folder = self.folder(voice_id)
        number = 1
        while any(folder.glob(f"original{_numbered(number)}.*")):
            number += 1
        return _copied(upload, folder / f"original{_numbered(number)}{suffix}")

    def newest_original(self, voice_id: str) -> Path | None:
        """The upload that came last."""
        found = [path for path in self.folder(voice_id).glob("original*") if path.suffix != _PART]
        return max(found, key=lambda path: (len(path.stem), path.stem), default=None)

    def copy(self, voice_id: str, to: str) -> None:
        """Copy the folder for another voice; the copy is whole or not there. Raises OSError."""
        source, target = self.folder(voice_id), self.folder(to)
        if source.is_dir():
            part = target.with_name(f".{target.name}{_PART}")
            try:
                make_private(part)
                (part / UNRECORDED).touch(0o600)
                shutil.copytree(
                    source, part, ignore=shutil.ignore_patterns(".*"), copy_function=copy_private, dirs_exist_ok=True
                )
                close_to_others([part])  # copied folders have the rights of those they were copied from
                part.replace(target)
            finally:
                shutil.rmtree(part, ignore_errors=True)

    def mark(self, voice_id: str) -> None:
        """Make the folder and mark it as one that no record names: a later sweep removes it. Raises OSError."""
        folder = self.folder(voice_id)
        make_private(folder)
        (folder / UNRECORDED).touch(0o600)

    def unmark(self, voice_id: str) -> None:
        """Take the mark away once a record names the folder. A mark that can't be removed does no harm as long as one
        does."""
        with suppress(OSError, UnknownVoice):
            (self.folder(voice_id) / UNRECORDED).unlink(missing_ok=True)

    @contextmanager
    def gaining_record(self, voice_id: str) -> Iterator[None]:
        """Put the record of files that lie in a marked folder inside this block; if the block fails, the files are
        removed."""
        try:
            yield
        except StudioError:
            self.remove(voice_id)
            raise
        self.unmark(voice_id)

    @contextmanager
    def losing_record(self, voice_id: str) -> Iterator[None]:
        """Take the record away inside this block, for a voice whose files are removed afterwards."""
        with suppress(OSError, UnknownVoice):  # a disk that is full is no reason to keep a voice
            if self.folder(voice_id).is_dir():
                self.mark(voice_id)
        try:
            yield
        except StudioError:
            self.unmark(voice_id)
            raise

    def remove(self, voice_id: str) -> tuple[str, ...]:
        """Delete the voice's folder; returns the names of the files that were in it."""
        folder = self.folder(voice_id)
        files = [path for path in folder.rglob("*") if path.is_file() and path.name != UNRECORDED]
        names = tuple(sorted(path.relative_to(folder).as_posix() for path in files))
        part = folder.with_name(f".{folder.name}{_PART}")
        with suppress(OSError):  # hidden at once; what a killed process leaves of it is removed by a sweep
            folder = folder.replace(part)
        shutil.rmtree(folder, ignore_errors=True)
        return names

    def sweep(self, recorded: Collection[str] | None) -> None:
        """Remove what was never finished because a process was killed: only folders that were made here, a day later.

        `recorded`: the ids that the library names; None where that is not known for sure, and then a whole folder
        stays. A folder without a record and without a mark stays, too: it may be kept on purpose, or be another
        program's.
        """
        if not self._root.is_dir():
            return
        oldest = time.time() - _ABANDONED_S
        for folder in self._root.iterdir():
            is_part = folder.name.startswith(".") and folder.name.endswith(_PART)
            voice_id = folder.name[1 : -len(_PART)] if is_part else folder.name
            if not _ID.fullmatch(voice_id) or folder.is_symlink() or not folder.is_dir():
                continue
            if recorded is not None and not is_part and voice_id in recorded:
                self.unmark(voice_id)
            elif folder.stat().st_mtime < oldest:
                if is_part or (recorded is not None and (folder / UNRECORDED).is_file()):
                    shutil.rmtree(folder, ignore_errors=True)
                elif recorded is not None and _OWN_ID.fullmatch(voice_id):
                    with suppress(OSError):  # not empty: it stays
                        folder.rmdir()

    def _named(self, text: str, folder: Path) -> tuple[Path, ...]:
        """The places that a path or an address in a record may mean. Relative ones don't leave the data folder."""
        if not text or text.startswith("\\\\") or "?" in text or "\0" in text:  # another machine's; our address
            return ()
        name = PurePosixPath(text.replace("\\", "/")).name
        inside = (self._data_dir / text.lstrip("/\\")).resolve()
        within = (inside,) if inside.is_relative_to(self._data_dir.resolve()) else ()
        there = (Path(text),) if Path(text).is_absolute() else ()
        return (*there, *within, *((folder / name,) if name not in ("", "..") else ()))


def _copied(source: Path, target: Path) -> Path:
    """Copy a file; the copy is whole or not there. Raises OSError."""
    make_private(target.parent)
    part = target.with_name(f".{target.name}{_PART}")
    try:
        copy_private(source, part)
        return part.replace(target)
    finally:
        part.unlink(missing_ok=True)


def _is_file(path: Path) -> bool:
    """Whether the path is a file; False for one that may not be looked at."""
    try:
        return path.is_file()
    except (OSError, ValueError):
        return False


def _numbered(number: int) -> str:
    return "" if number == 1 else f"-{number}"
