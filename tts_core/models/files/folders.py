"""A bounded search below a folder for folders that hold a model, and for files.

Depth and number of entries are limited, since a person may point the models folder at a whole disk.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tts_core.models.catalogue import CONFIG_FILE, SPEECH_TOKENIZER_DIR, WEIGHTS_FILE, WHISPER_WEIGHTS_FILE, ModelEntry
from tts_core.models.files.config import ModelConfig, read_config

_MAX_DEPTH = 4
"""The depth that reaches `models--Qwen--X/snapshots/<revision>` and `models/Qwen/X` below the models folder."""
_MAX_ENTRIES = 2000
_WEIGHTS_FILES = (WEIGHTS_FILE, WHISPER_WEIGHTS_FILE)


@dataclass(frozen=True, slots=True)
class FoundModel:
    """A folder that looks like a model's, whatever its name."""

    path: Path
    config: ModelConfig
    weights_bytes: int

    def is_model(self, entry: ModelEntry) -> bool:
        if self.config.kind is not entry.kind or not self.config.fits(entry):
            return False
        published = (file.size for file in entry.files if file.path in _WEIGHTS_FILES)
        return self.config.size == entry.size or self.weights_bytes in published

    def becomes_model(self, entry: ModelEntry) -> bool:
        """Whether it is that model in another form, which can be converted."""
        return self.config.converts_to is entry.kind and self.config.size == entry.size != ""


@dataclass(frozen=True, slots=True)
class ListedFile:
    name: str
    """The path below the listed folder, with forward slashes."""
    size: int


def find_models(root: Path, *, skip: frozenset[str] = frozenset()) -> tuple[FoundModel, ...]:
    """The models in `root` itself and below it, leaving out the top-level folders named in `skip`."""
    found = []
    for folder, entries in _walk(root, skip):
        names = {entry.name for entry in entries}
        # A model's own speech tokenizer is no model of its own.
        weights = next((name for name in _WEIGHTS_FILES if name in names), None)
        if CONFIG_FILE not in names or weights is None or folder.name == SPEECH_TOKENIZER_DIR:
            continue
        config = read_config(folder / CONFIG_FILE)
        if config is not None and (config.kind or config.converts_to) is not None:
            found.append(FoundModel(folder, config, _size(folder / weights)))
    return tuple(found)


def list_files(root: Path) -> tuple[ListedFile, ...]:
    """The regular files in `root` and below it."""
    return tuple(
        ListedFile((folder / entry.name).relative_to(root).as_posix(), _size(folder / entry.name))
        for folder, entries in _walk(root, frozenset())
        for entry in entries
        if _is_file(entry)
    )


def _walk(root: Path, skip: frozenset[str]) -> Iterator[tuple[Path, list[os.DirEntry[str]]]]:
    """The folders breadth-first with their entries; each real one once, so that links can't lead in circles."""
    waiting = deque([(root, 0)])
    seen = set()
    left = _MAX_ENTRIES
    while waiting and left > 0:
        folder, depth = waiting.popleft()
        real = os.path.realpath(folder)
        if real in seen:
            continue
        seen.add(real)
        entries = _entries(folder, left)
        left -= max(1, len(entries))
        yield folder, entries
        if depth < _MAX_DEPTH:
            below = (entry.name for entry in entries if _is_dir(entry))
            waiting.extend((folder / name, depth + 1) for name in below if depth > 0 or name not in skip)


def _entries(folder: Path, limit: int) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as entries:
            return sorted((entry for entry, _ in zip(entries, range(limit), strict=False)), key=lambda e: e.name)
    except OSError:
        return []


def _is_dir(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:
        return False


def _is_file(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_file()
    except OSError:
        return False


def _size(file: Path) -> int:
    try:
        return file.stat().st_size
    except OSError:
        return 0
