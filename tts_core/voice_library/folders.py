"""Where a saved voice's files lie: one folder per voice, below the uploads."""

from __future__ import annotations

import re
import secrets
import shutil
from pathlib import Path

from tts_core.errors import UnknownVoice

REFERENCE, PREVIEW, PROMPTS = "reference.wav", "preview.wav", "prompts"
_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")


def new_id() -> str:
    return secrets.token_hex(8)


class VoiceFolders:
    def __init__(self, root: Path) -> None:
        self._root = root

    def folder(self, voice_id: str) -> Path:
        """It need not exist. Raises UnknownVoice for an id that could name another place."""
        if not _ID.fullmatch(voice_id):
            raise UnknownVoice(voice=voice_id)
        return self._root / voice_id

    def reference(self, voice_id: str) -> Path:
        """The recording as the model hears it."""
        return self.folder(voice_id) / REFERENCE

    def preview(self, voice_id: str) -> Path:
        return self.folder(voice_id) / PREVIEW

    def prompt(self, voice_id: str, fingerprint: str) -> Path:
        return self.folder(voice_id) / PROMPTS / f"{fingerprint}.safetensors"

    def keep_original(self, voice_id: str, upload: Path) -> Path:
        """A copy of what was uploaded, beside earlier ones. Raises OSError."""
        suffix = upload.suffix.lower() if re.fullmatch(r"\.[a-z0-9]{1,5}", upload.suffix.lower()) else ".bin"
        folder = self.folder(voice_id)
        folder.mkdir(parents=True, exist_ok=True)
        number = 1
        while any(folder.glob(f"original{_numbered(number)}.*")):
            number += 1
        target = folder / f"original{_numbered(number)}{suffix}"
        part = target.with_name(target.name + ".part")
        shutil.copyfile(upload, part)
        part.replace(target)
        return target

    def newest_original(self, voice_id: str) -> Path | None:
        """The upload that came last."""
        found = [path for path in self.folder(voice_id).glob("original*") if path.suffix != ".part"]
        return max(found, key=lambda path: (len(path.stem), path.stem), default=None)

    def copy(self, voice_id: str, to: str) -> None:
        """Raises OSError; the copy is whole or not there."""
        source, target = self.folder(voice_id), self.folder(to)
        if source.is_dir():
            part = target.with_name(f".{target.name}.part")
            shutil.copytree(source, part)
            part.replace(target)

    def remove(self, voice_id: str) -> tuple[str, ...]:
        """Delete the voice's folder; the names of the files that were in it."""
        folder = self.folder(voice_id)
        names = tuple(sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()))
        shutil.rmtree(folder, ignore_errors=True)
        return names


def _numbered(number: int) -> str:
    return "" if number == 1 else f"-{number}"
