"""The changes of one project, each in a file that is written before the files it changes: what was recorded has
happened, wherever the process ends. Undo and redo are changes as well.
"""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from tts_core.platform.whole_files import write_text
from tts_core.studio.disk.changes import Side
from tts_core.studio.faults import NothingToRedo, NothingToUndo
from tts_core.studio.model import FORMAT

logger = logging.getLogger(__name__)

_NAME = re.compile(r"(\d{8})\.json")
_UNDO, _REDO = "undo", "redo"


@dataclass(frozen=True, slots=True)
class ChangeEntry:
    """A change as the list of changes knows it; its two sides stay on the disk."""

    revision: int
    label: str
    """A word for what was done: "edit_text", "split", … or "undo" and "redo"."""
    chapters: tuple[str, ...]
    """The chapters whose files it changed."""
    of: int | None = None
    """The change that it takes back or repeats."""
    at: str = ""


@dataclass(frozen=True, slots=True)
class ReadChange:
    entry: ChangeEntry
    before: Side
    after: Side


def now() -> str:
    return datetime.now(timezone.utc).isoformat(timespec="milliseconds")


class ChangeLog:
    """Not thread-safe: the project's lock guards it."""

    def __init__(self, folder: Path, kept: int) -> None:
        """`kept` is the number of changes that can be taken back."""
        self._folder = folder
        self._kept = kept
        self._entries: list[ChangeEntry] = []

    @property
    def newest(self) -> int:
        """The revision of the newest change; 0 where there is none."""
        return self._entries[-1].revision if self._entries else 0

    def load(self) -> tuple[ReadChange, ...]:
        """Read all changes in order. Files that can't be read are passed over and stay."""
        found = []
        names = (file.name for file in self._folder.iterdir()) if self._folder.is_dir() else ()
        for revision in sorted(int(match[1]) for name in names if (match := _NAME.fullmatch(name))):
            try:
                found.append(self.read(revision))
            except (OSError, ValueError):
                logger.warning("a change of a project can't be read; it can't be taken back")
        self._entries = [one.entry for one in found]
        return tuple(found)

    def read(self, revision: int) -> ReadChange:
        """Raises OSError, ValueError."""
        data = json.loads(self._file(revision).read_bytes())
        if not isinstance(data, dict) or not isinstance(data.get("chapters"), list):
            raise ValueError("no change")  # noqa: TRY004 - whatever is wrong with the file is one error
        of = data.get("of") if isinstance(data.get("of"), int) else None
        entry = ChangeEntry(
            revision, str(data.get("label")), tuple(map(str, data["chapters"])), of, str(data.get("at"))
        )
        return ReadChange(entry, Side.from_json(data["before"]), Side.from_json(data["after"]))

    def record(self, entry: ChangeEntry, before: Side, after: Side) -> None:
        """Write the change down; from then on it has happened. Raises OSError."""
        data: Mapping[str, Any] = {
            "format": FORMAT,
            "revision": entry.revision,
            "label": entry.label,
            "of": entry.of,
            "at": entry.at,
            "chapters": list(entry.chapters),
            "before": before.to_json(),
            "after": after.to_json(),
        }
        write_text(self._file(entry.revision), json.dumps(data, ensure_ascii=False))
        self._entries.append(entry)

    def undoable(self) -> ChangeEntry | None:
        """The change that undo takes back next."""
        return next(iter(self._stacks()[0][::-1]), None)

    def redoable(self) -> ChangeEntry | None:
        return next(iter(self._stacks()[1][::-1]), None)

    def undo(self, revision: int) -> tuple[ChangeEntry, Side]:
        """The change that takes the last one back, and the state it leads to. Raises NothingToUndo."""
        last = self.undoable()
        if last is None:
            raise NothingToUndo
        return ChangeEntry(revision, _UNDO, last.chapters, last.revision), self.read(last.revision).before

    def redo(self, revision: int) -> tuple[ChangeEntry, Side]:
        """Raises NothingToRedo."""
        last = self.redoable()
        if last is None:
            raise NothingToRedo
        return ChangeEntry(revision, _REDO, last.chapters, last.revision), self.read(last.revision).after

    def prune(self, about_to_forget: Callable[[ChangeEntry], None]) -> None:
        """Forget the changes beyond those that are kept, an undo with what it took back counting twice. Raises
        OSError."""
        while len(self._entries) > self._kept * 2 or len(self._stacks()[0]) > self._kept:
            about_to_forget(self._entries[0])
            self._file(self._entries[0].revision).unlink(missing_ok=True)
            del self._entries[0]

    def _stacks(self) -> tuple[list[ChangeEntry], list[ChangeEntry]]:
        """The changes that can be taken back, and those that can be repeated; the next one is last."""
        known = {entry.revision: entry for entry in self._entries}
        done: list[ChangeEntry] = []
        undone: list[ChangeEntry] = []
        for entry in self._entries:
            if entry.label == _UNDO and entry.of in known:
                undone.append(known[entry.of])
                done = [one for one in done if one.revision != entry.of]
            elif entry.label == _REDO and entry.of in known:
                done.append(known[entry.of])
                undone = [one for one in undone if one.revision != entry.of]
            elif entry.label not in (_UNDO, _REDO):
                done.append(entry)
                undone = []
        return done, undone

    def _file(self, revision: int) -> Path:
        return self._folder / f"{revision:08d}.json"
