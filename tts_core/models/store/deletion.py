"""The deletion of a model: the files that go, and the bytes that the disk gets back for them."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path, PurePosixPath

from tts_core.models.catalogue import ModelEntry
from tts_core.models.downloads.adopt import ADOPTING
from tts_core.models.downloads.disk import disk_faults
from tts_core.models.downloads.transfer.part_file import PartStore, want_of
from tts_core.models.store.files import COPYING, freed_bytes, remove_empty_folders, walk
from tts_core.models.store.reports import Removal
from tts_core.platform.whole_files import patiently

_ASIDE = r"\.wrong-[0-9]+"
_MAX_NAMED = 1000


def plan_removal(entry: ModelEntry, folder: Path, parts: PartStore, shared: frozenset[str]) -> Removal:
    """The removal of a model's files; `shared` are the names of parts that another model still needs."""
    inside = list(walk(folder)) if not folder.is_symlink() else []
    own = [folder] if folder.is_symlink() else [path for path in inside if _belongs(entry, folder, path)]
    names = part_names([entry]) - shared
    own_parts = [leftover.path for leftover in parts.leftovers() if leftover.name in names]
    freed, living_on = freed_bytes([*own, *own_parts])
    left = (path for path in inside if path not in own)
    return Removal(
        key=entry.key,
        folder=folder,
        files=(*own, *own_parts),
        freed_bytes=freed,
        shared_bytes=living_on,
        left=tuple(path.relative_to(folder).as_posix() for path, _ in zip(left, range(_MAX_NAMED), strict=False)),
    )


def remove(removal: Removal, parts: PartStore) -> None:
    """Remove the planned files. Raises DiskFault; those removed by then are gone, and the next call goes on."""
    for leftover in parts.leftovers():
        if leftover.path in removal.files:
            parts.remove(leftover)
    for file in removal.files:
        with disk_faults(file), suppress(FileNotFoundError):
            patiently(file.unlink)
    if removal.folder.is_dir() and not removal.folder.is_symlink():
        remove_empty_folders(removal.folder)


def part_names(entries: Iterable[ModelEntry]) -> frozenset[str]:
    """The names of the parts that these models could use."""
    return frozenset(
        want_of(file, repository).name
        for entry in entries
        for file in entry.files
        for repository in (entry.hf, entry.modelscope)
    )


def is_set_aside(entry: ModelEntry, name: str) -> bool:
    """Whether a name is that of a wrong file that was moved out of the way of one of the model's."""
    return any(re.fullmatch(re.escape(file.path) + _ASIDE, name) for file in entry.files)


def is_unfinished_copy(entry: ModelEntry, name: str) -> bool:
    """Whether a name is that of a file on its way into the folder, as kill -9 leaves it."""
    return any(name in _unfinished_names(PurePosixPath(file.path)) for file in entry.files)


def _unfinished_names(path: PurePosixPath) -> tuple[str, ...]:
    names = (path.name + COPYING, f".{path.name}{ADOPTING}", path.name + ".part")
    return tuple(path.with_name(name).as_posix() for name in names)


def _belongs(entry: ModelEntry, folder: Path, path: Path) -> bool:
    name = path.relative_to(folder).as_posix()
    is_published_name = any(name == file.path for file in entry.files)
    return is_published_name or is_set_aside(entry, name) or is_unfinished_copy(entry, name) or _leads_out(entry, path)


def _leads_out(entry: ModelEntry, path: Path) -> bool:
    """Whether a link stands in the place of one of the model's own folders: the link goes, its target stays."""
    return path.is_symlink() and path.is_dir() and any(path.name == os.path.dirname(file.path) for file in entry.files)  # noqa: PTH120
