"""The journal of a move of the models folder: a small JSON file in the data folder, so that kill -9 loses nothing."""

from __future__ import annotations

import json
import logging
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path

from tts_core.models.downloads.disk import disk_fault
from tts_core.platform.whole_files import set_aside, write_json

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Copied:
    """The size and time in the old folder of a file with a proven copy; if they differ now, it has changed since."""

    size: int
    mtime_ns: int


@dataclass(slots=True)
class Journal:
    source: Path
    target: Path
    names: tuple[str, ...]
    """The folders that move, names directly below the source."""
    is_begun: bool = False
    """Whether anything was written to the target."""
    copied: dict[str, Copied] = field(default_factory=dict)
    """The files with a proven copy by path below the source, with forward slashes."""

    def save(self, file: Path) -> None:
        """Write the journal. Raises DiskFault."""
        data = {
            "source": str(self.source),
            "target": str(self.target),
            "names": self.names,
            "is_begun": self.is_begun,
            "copied": {name: asdict(copied) for name, copied in self.copied.items()},
        }
        try:
            write_json(file, data)
        except OSError as error:
            raise disk_fault(error, file) from error


def read_journal(file: Path) -> Journal | None:
    """The journal in a file; None if no move is under way. A broken one is set aside: its copies are compared again."""
    try:
        data = json.loads(file.read_text(encoding="utf-8"))
        copied = {
            str(name): Copied(int(entry["size"]), int(entry["mtime_ns"])) for name, entry in data["copied"].items()
        }
        names = tuple(map(str, data["names"]))
        return Journal(Path(data["source"]), Path(data["target"]), names, data["is_begun"] is True, copied)
    except FileNotFoundError:
        return None
    except (OSError, ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        logger.warning("journal of the move set aside, it can't be read: %s", error)
        with suppress(OSError):
            set_aside(file)
        return None
