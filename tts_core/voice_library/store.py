"""The library file: one JSON object, voice by id. Several processes may write; no writer loses another's voices.

Every change reads the file anew under a lock, and replaces it whole; the state before is kept as `.bak`. A file that
can't be parsed is never overwritten: it is moved aside, and the last good state takes its place.
"""

from __future__ import annotations

import json
import logging
import os
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from tts_core.errors import UnknownVoice
from tts_core.voice_library.faults import LibraryBusy, LibraryUnwritable
from tts_core.voice_library.record import SavedVoice, from_json, now, to_json

logger = logging.getLogger(__name__)

_LOCK_TIMEOUT_S = 10.0
_REPLACE_TRIES = 20
Signature = tuple[int, int, int]


@dataclass(frozen=True, slots=True)
class _Contents:
    voices: Mapping[str, SavedVoice] = field(default_factory=dict)
    strange: Mapping[str, Any] = field(default_factory=dict)
    """Records that are not understood; they are written back as they are."""


Change = Callable[[dict[str, SavedVoice]], None]
"""Changes the voices in place."""


class VoiceStore:
    """Thread-safe. Reading is cheap: the file is parsed again only after somebody has changed it."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._lock = threading.RLock()
        self._contents = _Contents()
        self._seen: Signature | None = None
        self._set_aside: Path | None = None

    @property
    def set_aside(self) -> Path | None:
        """Where a library file went that could not be parsed, if that happened since start."""
        return self._set_aside

    def voices(self) -> tuple[SavedVoice, ...]:
        """All of them, deleted ones included, newest first."""
        return tuple(sorted(self._readable().voices.values(), key=lambda voice: voice.created_at, reverse=True))

    def find(self, voice_id: str) -> SavedVoice | None:
        return self._readable().voices.get(voice_id)

    def voice(self, voice_id: str) -> SavedVoice:
        """Raises UnknownVoice."""
        found = self.find(voice_id)
        if found is None:
            raise UnknownVoice(voice=voice_id)
        return found

    def put(self, voice: SavedVoice) -> SavedVoice:
        """Add it, or replace the one of that id; sets its times. Raises LibraryUnwritable, LibraryBusy."""
        written = replace(voice, created_at=voice.created_at or now(), updated_at=now())
        self._change(lambda voices: voices.update({written.id: written}))
        return written

    def update(self, voice_id: str, change: Callable[[SavedVoice], SavedVoice]) -> SavedVoice:
        """Change the newest state of one voice. Raises UnknownVoice, LibraryUnwritable, LibraryBusy."""
        results: list[SavedVoice] = []

        def apply(voices: dict[str, SavedVoice]) -> None:
            if voice_id not in voices:
                raise UnknownVoice(voice=voice_id)
            voices[voice_id] = replace(change(voices[voice_id]), id=voice_id, updated_at=now())
            results.append(voices[voice_id])

        self._change(apply)
        return results[0]

    def remove(self, voice_id: str) -> SavedVoice:
        """Take the record out. Raises UnknownVoice, LibraryUnwritable, LibraryBusy."""
        results: list[SavedVoice] = []

        def apply(voices: dict[str, SavedVoice]) -> None:
            if voice_id not in voices:
                raise UnknownVoice(voice=voice_id)
            results.append(voices.pop(voice_id))

        self._change(apply)
        return results[0]

    def _readable(self) -> _Contents:
        """What can be read now; a file that can't be, costs the saved voices and nothing else."""
        try:
            return self._current()
        except OSError as error:
            logger.warning("the voice library can't be read: %s", error)
            return _Contents()

    def _current(self) -> _Contents:
        """Raises OSError, so that nothing is written over what only can't be read now."""
        with self._lock:
            seen = _signature(self._file)
            if seen != self._seen:
                contents = _read(self._file) if seen else _Contents()
                if contents is None:  # a damaged file is only looked past here; the next change moves it aside
                    contents = _read(_backup(self._file)) or _Contents()
                    logger.error("the voice library can't be parsed; its last good state is shown")
                self._contents, self._seen = contents, seen
            return self._contents

    def _change(self, change: Change) -> None:
        try:
            self._file.parent.mkdir(parents=True, exist_ok=True)
            with self._lock, FileLock(self._file.with_suffix(".lock"), timeout=_LOCK_TIMEOUT_S):
                self._move_aside_if_damaged()
                contents = self._current()
                voices = dict(contents.voices)
                change(voices)
                self._write(replace(contents, voices=voices))
        except Timeout as error:
            raise LibraryBusy from error
        except OSError as error:
            raise LibraryUnwritable(folder=self._file.parent, reason=error.strerror or type(error).__name__) from error

    def _move_aside_if_damaged(self) -> None:
        if _signature(self._file) is None or _read(self._file) is not None:
            return
        aside = self._file.with_name(f"{self._file.stem}.broken-{time.time_ns()}{self._file.suffix}")
        contents = self._current()  # the backup's, read while the damaged file still stands
        self._file.replace(aside)
        self._set_aside = aside
        logger.error("the voice library can't be parsed; it is kept as %s", aside.name)
        self._contents, self._seen = contents, None

    def _write(self, contents: _Contents) -> None:
        data = {**contents.strange, **{key: to_json(voice) for key, voice in contents.voices.items()}}
        part = self._file.with_name(f".{self._file.name}.{os.getpid()}.part")
        with part.open("w", encoding="utf-8") as stream:
            json.dump(data, stream, ensure_ascii=False, indent=1)
            stream.flush()
            os.fsync(stream.fileno())
        if self._file.exists():
            spare = _backup(self._file)
            spare_part = spare.with_name(spare.name + ".part")
            spare_part.write_bytes(self._file.read_bytes())
            _replace(spare_part, spare)
        _replace(part, self._file)
        self._contents, self._seen = contents, _signature(self._file)


def _backup(file: Path) -> Path:
    return file.with_name(file.name + ".bak")


def _signature(file: Path) -> Signature | None:
    try:
        found = file.stat()
    except FileNotFoundError:
        return None
    return found.st_mtime_ns, found.st_size, found.st_ino


def _read(file: Path) -> _Contents | None:
    """None for what is not a library. Raises OSError, for what can't be read may be sound."""
    try:
        data = json.loads(file.read_bytes())
    except FileNotFoundError:
        return None
    except (ValueError, RecursionError):
        return None
    if not isinstance(data, dict):
        return None
    voices: dict[str, SavedVoice] = {}
    strange: dict[str, Any] = {}
    for voice_id, fields in data.items():
        try:
            voices[voice_id] = from_json(voice_id, fields)
        except (ValueError, TypeError):
            logger.warning("a record of the voice library is not understood; it is kept as it is")
            strange[voice_id] = fields
    return _Contents(voices, strange)


def _replace(part: Path, file: Path) -> None:
    """Windows refuses while another process reads the file, which never lasts long."""
    for _ in range(_REPLACE_TRIES - 1):
        try:
            part.replace(file)
        except PermissionError:
            time.sleep(0.05)
        else:
            return
    part.replace(file)
