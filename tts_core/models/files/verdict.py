"""The verdict of an engine about a folder whose files are not the published ones: whether it loads, and why not."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class FolderVerdict:
    file: str = ""
    """The file that keeps the model from loading, a path inside the folder."""
    reason: str = ""
    """The reason why the folder does not load, in English and without advice; "" if it loads."""
    ignored: tuple[str, ...] = ()
    """The weights that are left aside when it loads."""


FolderJudge = Callable[[Path], FolderVerdict]


def loads_anyway(_folder: Path) -> FolderVerdict:
    """The verdict where no engine is there to ask."""
    return FolderVerdict()
