"""Files that nothing needs any more: unfinished ones of other programs and of ours, and those set aside."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from tts_core.models.catalogue import Catalogue
from tts_core.models.downloads.disk import disk_faults
from tts_core.models.downloads.transfer.part_file import PartStore
from tts_core.models.store.deletion import is_set_aside, is_unfinished_copy
from tts_core.models.store.files import freed_bytes, walk
from tts_core.models.store.reports import Cleaned, Leftover, LeftoverKind

RECENT_S = 600.0
"""The seconds within which another program's unfinished file, once written to, may still grow."""
_OTHER_CLIENTS = re.compile(r".+\.(incomplete|crdownload)|(.+/)?\._____temp/.+", re.IGNORECASE)
"""The unfinished files of huggingface_hub (`.cache/huggingface/download/*.incomplete`), ModelScope's client and
browsers."""


def find_leftovers(
    catalogue: Catalogue, models_dir: Path, parts: PartStore, needed: frozenset[str]
) -> Iterator[Leftover]:
    """The files that can be cleaned up; `needed` are the names of parts that some model still waits for."""
    for entry in catalogue.entries():
        folder = models_dir / entry.local
        for path in walk(folder) if not folder.is_symlink() else ():
            name = path.relative_to(folder).as_posix()
            if path.is_symlink():
                continue
            if is_set_aside(entry, name):
                yield from _leftover(path, LeftoverKind.SET_ASIDE)
            elif is_unfinished_copy(entry, name):
                yield from _leftover(path, LeftoverKind.PART)
            elif _OTHER_CLIENTS.fullmatch(name):
                yield from _leftover(path, LeftoverKind.OTHER_CLIENT)
    for part in parts.leftovers():
        if part.is_wrong:
            yield from _leftover(part.path, LeftoverKind.SET_ASIDE)
        elif part.name not in needed:
            yield from _leftover(part.path, LeftoverKind.PART)


def remove_leftovers(listed: tuple[Leftover, ...], found: tuple[Leftover, ...], parts: PartStore) -> Cleaned:
    """Remove the `listed` files that are `found` again unchanged. Raises DiskFault."""
    going = [leftover for leftover in listed if leftover in found and not leftover.is_recent]
    freed, _ = freed_bytes(leftover.path for leftover in going)
    own_parts = {part.path: part for part in parts.leftovers()}
    for leftover in going:
        if part := own_parts.get(leftover.path):
            parts.remove(part)  # with its journal
        else:
            with disk_faults(leftover.path), suppress(FileNotFoundError):
                leftover.path.unlink()
    removed = tuple(leftover.path for leftover in going)
    return Cleaned(removed, freed, tuple(leftover.path for leftover in listed if leftover.path not in removed))


def _leftover(path: Path, kind: LeftoverKind) -> Iterator[Leftover]:
    with suppress(OSError):
        found = path.lstat()
        is_recent = kind is LeftoverKind.OTHER_CLIENT and time.time() - found.st_mtime < RECENT_S
        if os.path.isfile(path):  # noqa: PTH113 - Path.is_file raises where permission is refused
            yield Leftover(path, kind, found.st_size, is_recent)
