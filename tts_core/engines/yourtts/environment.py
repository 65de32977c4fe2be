"""YourTTS's own Python environment: where it lies, and whether it is whole."""

from __future__ import annotations

import hashlib
import json
import sys
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from tts_core.platform.paths import ROOT_DIR

REQUIREMENTS = ROOT_DIR / "requirements-yourtts.txt"
_MARK = "tts-studio.json"


@dataclass(frozen=True, slots=True)
class Environment:
    folder: Path

    @property
    def python(self) -> Path:
        return self.folder / ("Scripts/python.exe" if sys.platform == "win32" else "bin/python")

    @property
    def is_installed(self) -> bool:
        """Whether the environment was made to its end, with the requirements of this release."""
        return self.python.is_file() and self._marked() == wanted_mark()

    def mark(self) -> None:
        """Note that the environment is whole. Raises OSError."""
        part = self.folder / f".{_MARK}"
        part.write_text(json.dumps({"requirements": wanted_mark()}), encoding="utf-8")
        part.replace(self.folder / _MARK)

    def unmark(self) -> None:
        """Note that the environment is about to be changed. Raises OSError."""
        (self.folder / _MARK).unlink(missing_ok=True)

    def _marked(self) -> str:
        try:
            mark = json.loads((self.folder / _MARK).read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return ""
        return str(mark.get("requirements", "")) if isinstance(mark, dict) else ""


def wanted_mark() -> str:
    return hashlib.sha256("\n".join(requirements()).encode()).hexdigest()


@cache
def requirements() -> tuple[str, ...]:
    """The requirements that are installed there, without comments."""
    lines = (line.partition("#")[0].strip() for line in REQUIREMENTS.read_text(encoding="utf-8").splitlines())
    return tuple(line for line in lines if line)
