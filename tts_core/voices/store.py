"""The library file: one JSON object, voice by id. Several processes may write; no writer loses another's voices.

Every change reads the file anew under a lock, and replaces it whole; the state before is kept as `.bak`. A file that
can't be parsed is copied aside before the last good state takes its place. Records that we don't change are written
back as they were read.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import re
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from tts_core.domain.errors import StudioError, UnknownVoice
from tts_core.platform.whole_files import copy_private, open_private, patiently, sync_folder
from tts_core.voices.faults import LibraryBusy, LibraryDamaged, LibraryUnwritable
from tts_core.voices.record import SavedVoice, from_json, now, to_json

logger = logging.getLogger(__name__)

_LOCK_TIMEOUT_S = 10.0
_HALF_CHARACTER = re.compile(rb"\\u[dD][89a-fA-F]|\xed[\xa0-\xbf]")
"""The bytes in a JSON file that may be half of a character, which can't be written as UTF-8."""
Signature = tuple[int, int, int]


@dataclass(frozen=True, slots=True)
class _Contents:
    voices: Mapping[str, SavedVoice] = field(default_factory=dict)
    records: Mapping[str, Any] = field(default_factory=dict)
    """The records as they stand in the file, including those that are not understood."""


_NOTHING = _Contents()
Change = Callable[[dict[str, SavedVoice]], None]
"""A function that changes the voices in place."""


class VoiceStore:
    """The voices in the library file; thread-safe. Reading is cheap: the file is parsed again only when it has
    changed."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._lock = threading.RLock()
        self._contents = _Contents()
        self._seen: Signature | None = None
        self._is_damaged = False
        """Whether the file could not be parsed when it was last read."""
        self._fault: StudioError | None = None
        self._sorted: tuple[_Contents, tuple[SavedVoice, ...]] = (_NOTHING, ())

    @property
    def fault(self) -> StudioError | None:
        """The problem of the file: LibraryDamaged if it could not be parsed since the start, LibraryUnwritable where it
        can't be read now; else None."""
        return self._fault

    def voices(self) -> tuple[SavedVoice, ...]:
        """The voices of the library, newest first, deleted ones included."""
        with self._lock:
            contents = self._readable()
            if contents is not self._sorted[0]:
                newest = sorted(contents.voices.values(), key=lambda voice: voice.created_at, reverse=True)
                self._sorted = (contents, tuple(newest))
            return self._sorted[1]

    def find(self, voice_id: str) -> SavedVoice | None:
        return self._readable().voices.get(voice_id)

    def voice(self, voice_id: str) -> SavedVoice:
        """The voice with that id. Raises UnknownVoice."""
        found = self.find(voice_id)
        if found is None:
            raise UnknownVoice(voice=voice_id)
        return found

    def recorded(self) -> frozenset[str] | None:
        """The ids of all records, including those that are not understood; None where there may be more, because the
        file is missing, can't be read, or was damaged once."""
        with self._lock:
            contents = self._readable()
            aside = next(self._file.parent.glob(f"{self._file.stem}.broken-*"), None)
            is_sure = self._seen is not None and self._fault is None and aside is None
            return frozenset(contents.records) if is_sure else None

    def put(self, voice: SavedVoice) -> SavedVoice:
        """Add a voice, or replace the one with its id; sets its times. Raises LibraryUnwritable, LibraryBusy."""
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
        """The contents that can be read now. If the file can't be read, only the saved voices are missing."""
        try:
            return self._current()
        except OSError as error:
            if not isinstance(self._fault, LibraryUnwritable):
                logger.warning("the voice library can't be read: %s", error)
            self._fault = self._refusal(error)
            return _Contents()

    def _current(self) -> _Contents:
        """The contents of the file. Raises OSError, so that a file that can't be read just now is never written
        over."""
        with self._lock:
            seen = _signature(self._file)
            if seen != self._seen:
                contents = _read(self._file, self._contents) if seen else _Contents()
                self._is_damaged = contents is None
                if contents is None:  # a damaged file is only looked past here; the next change moves it aside
                    contents = _read(_backup(self._file)) or _Contents()
                    self._fault = LibraryDamaged(file=self._file.name)
                    logger.error("the voice library can't be parsed; its last good state is shown")
                self._contents, self._seen = contents, seen
            if isinstance(self._fault, LibraryUnwritable):
                self._fault = None
            return self._contents

    def _change(self, change: Change) -> None:
        try:
            self._file.parent.mkdir(parents=True, exist_ok=True)
            with self._lock, FileLock(self._file.with_suffix(".lock"), timeout=_LOCK_TIMEOUT_S, mode=0o600):
                was_damaged = self._keep_if_damaged()
                contents = self._current()
                voices = dict(contents.voices)
                change(voices)
                self._write(_changed(contents, voices), keep_before=not was_damaged)
        except Timeout as error:
            raise LibraryBusy from error
        except OSError as error:
            raise self._refusal(error) from error

    def _refusal(self, error: OSError) -> LibraryUnwritable:
        return LibraryUnwritable(folder=self._file.parent, reason=error.strerror or type(error).__name__)

    def _keep_if_damaged(self) -> bool:
        """Copy a file that can't be parsed aside. It stays in its place until the change replaces it: wherever this is
        interrupted, the next reader finds it and the backup as before."""
        self._current()
        if not self._is_damaged:
            return False
        digest = hashlib.sha256(self._file.read_bytes()).hexdigest()[:12]  # the same damage is kept once
        aside = self._file.with_name(f"{self._file.stem}.broken-{digest}{self._file.suffix}")
        with _whole(aside) as part:
            copy_private(self._file, part)
        self._fault = LibraryDamaged(file=aside.name)
        logger.error("the voice library can't be parsed; it is kept as %s", aside.name)
        return True

    def _write(self, contents: _Contents, *, keep_before: bool) -> None:
        text = _dumped(contents.records)
        with _whole(self._file) as part:
            with open_private(part, "w") as stream:
                stream.write(text)
                stream.flush()
                os.fsync(stream.fileno())
            if keep_before and self._file.exists():
                with _whole(_backup(self._file)) as spare:
                    copy_private(self._file, spare)
        self._contents, self._seen, self._is_damaged = contents, _signature(self._file), False


def _changed(before: _Contents, voices: Mapping[str, SavedVoice]) -> _Contents:
    """The contents with these voices. A record that stays the same keeps its form."""
    kept = {key: record for key, record in before.records.items() if key in voices or key not in before.voices}
    changed = {key: to_json(voice) for key, voice in voices.items() if voice is not before.voices.get(key)}
    return _Contents(voices, {**kept, **changed})


def _dumped(records: Mapping[str, Any]) -> str:
    """The library as JSON, one line for each voice: Python writes indented JSON ten times slower."""
    encode = json.JSONEncoder(ensure_ascii=False).encode
    lines = (f"{encode(key)}: {encode(record)}" for key, record in records.items())
    return "{\n" + ",\n".join(lines) + "\n}\n"


def _backup(file: Path) -> Path:
    return file.with_name(file.name + ".bak")


def _signature(file: Path) -> Signature | None:
    try:
        found = file.stat()
    except FileNotFoundError:
        return None
    return found.st_mtime_ns, found.st_size, found.st_ino


def _read(file: Path, before: _Contents = _NOTHING) -> _Contents | None:
    """The contents of the file; None if it is no library. Raises OSError: a file that can't be read may be sound.

    Records that are unchanged since `before` are taken from there: making many voices anew takes long.
    """
    try:
        text = file.read_bytes()
        data = json.loads(text)
        if any(start in text for start in (b"\\ud", b"\\uD", b"\xed")) and _HALF_CHARACTER.search(text):
            data = _whole_characters(data)
    except FileNotFoundError:
        return None
    except (ValueError, RecursionError):
        return None
    if not isinstance(data, dict):
        return None
    voices: dict[str, SavedVoice] = {}
    for voice_id, fields in data.items():
        known = before.voices.get(voice_id)
        if known is not None and before.records.get(voice_id) == fields:
            voices[voice_id] = known
            continue
        try:
            voices[voice_id] = from_json(voice_id, fields)
        except (ValueError, TypeError):
            logger.warning("a record of the voice library is not understood; it is kept as it is")
    return _Contents(voices, data)


def _whole_characters(data: Any) -> Any:
    """The same data with a replacement mark in place of each half of a character."""
    if isinstance(data, str):
        return data.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    if isinstance(data, list):
        return [_whole_characters(item) for item in data]
    if isinstance(data, dict):
        return {_whole_characters(key): _whole_characters(value) for key, value in data.items()}
    return data


@contextmanager
def _whole(file: Path) -> Iterator[Path]:
    """A file to write that takes `file`'s place at the end of the block; if the block fails, nothing is left of it."""
    part = file.with_name(f".{file.name}.part")
    try:
        yield part
        patiently(lambda: part.replace(file))
        sync_folder(file.parent)
    except BaseException:
        part.unlink(missing_ok=True)
        raise
