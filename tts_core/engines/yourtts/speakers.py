"""Speakers that programs registered: one file each, so that they survive restarts and no writer loses another's.

    {folder}/{hash of the id}.npz   samples int16 (n,), rate, vector float32 (m,), id

Programs register a speaker for every conversation, so the ones used longest ago make room.
"""

from __future__ import annotations

import contextlib
import hashlib
import logging
import os
import threading
import zipfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tts_core.audio.faults import OutputFailed
from tts_core.audio.files import FULL_SCALE, to_int16
from tts_core.domain.events import Samples
from tts_core.platform.whole_files import make_private, open_private, part_of

logger = logging.getLogger(__name__)

MAX_SPEAKERS = 500
_SUFFIX = ".npz"


@dataclass(frozen=True, slots=True)
class Speaker:
    id: str
    """The program's own name of the speaker."""
    samples: Samples
    """The speaker's recording, mono."""
    rate: int
    vector: Samples | None = None
    """The speaker's vector, where the program knows one."""

    @property
    def key(self) -> str:
        return key_of(self.id)


def key_of(speaker_id: str) -> str:
    """The speaker's id as a name that any disk and any voice id can hold."""
    return hashlib.sha256(speaker_id.encode("utf-8", "surrogatepass")).hexdigest()[:24]


class SpeakerStore:
    """The registered speakers on the disk. Thread-safe, and safe beside other processes: files are always whole."""

    def __init__(self, folder: Path, *, limit: int = MAX_SPEAKERS) -> None:
        self._folder = folder
        self._limit = limit
        self._lock = threading.Lock()
        self._names: dict[Path, tuple[int, str]] = {}
        """The time of the last change of each file, and the id in it."""

    def put(self, speaker: Speaker) -> int:
        """Keep a speaker instead of an earlier one of that id; answers how many there are then. Raises OutputFailed."""
        target = self._file(speaker.key)
        part = part_of(target)
        try:
            make_private(self._folder)
            with open_private(part, "wb") as stream:
                np.savez(
                    stream,
                    id=np.array(speaker.id),
                    samples=to_int16(speaker.samples),
                    rate=np.array(speaker.rate),
                    vector=np.zeros(0, np.float32) if speaker.vector is None else speaker.vector.astype(np.float32),
                )
            part.replace(target)
        except OSError as error:
            with contextlib.suppress(OSError):
                part.unlink(missing_ok=True)
            raise OutputFailed(folder=self._folder, reason=error.strerror or "it can't be written") from error
        self._make_room()
        return len(self._files())

    def find(self, speaker_id: str) -> Speaker | None:
        return self.by_key(key_of(speaker_id))

    def by_key(self, key: str) -> Speaker | None:
        """The speaker of that key; None where there is none or its file can't be read. Finding one counts as use."""
        file = self._file(key)
        try:
            with np.load(file, allow_pickle=False) as data:
                samples = data["samples"].astype(np.float32) / np.float32(FULL_SCALE)
                vector = data["vector"].astype(np.float32)
                speaker = Speaker(str(data["id"]), samples, int(data["rate"]), vector if len(vector) else None)
            os.utime(file)
        except FileNotFoundError:
            return None
        except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
            logger.warning("a registered speaker's file can't be read: %s", file.name)
            return None
        return speaker

    def names(self) -> dict[str, str]:
        """The id of every speaker by its key, the last used first."""
        found: dict[str, str] = {}
        with self._lock:
            files = self._files()
            self._names = {file: known for file, known in self._names.items() if file in files}
            for file, changed in sorted(files.items(), key=lambda item: -item[1]):
                known = self._names.get(file)
                if known is None or known[0] != changed:
                    try:
                        with np.load(file, allow_pickle=False) as data:
                            known = (changed, str(data["id"]))
                    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
                        continue
                    self._names[file] = known
                found[file.stem] = known[1]
        return found

    def count(self) -> int:
        return len(self._files())

    def remove(self, speaker_id: str) -> None:
        with contextlib.suppress(OSError):
            self._file(key_of(speaker_id)).unlink(missing_ok=True)

    def _file(self, key: str) -> Path:
        return self._folder / f"{key}{_SUFFIX}"

    def _files(self) -> dict[Path, int]:
        """The time of each file's last use, in ns."""
        found = {}
        with contextlib.suppress(OSError), os.scandir(self._folder) as entries:
            for entry in entries:
                if entry.name.endswith(_SUFFIX) and not entry.name.startswith("."):
                    with contextlib.suppress(OSError):
                        found[Path(entry.path)] = entry.stat().st_mtime_ns
        return found

    def _make_room(self) -> None:
        files = self._files()
        for file in sorted(files, key=lambda name: files[name])[: max(0, len(files) - self._limit)]:
            logger.info("the registered speaker used longest ago makes room (at most %d are kept)", self._limit)
            with contextlib.suppress(OSError):
                file.unlink(missing_ok=True)
