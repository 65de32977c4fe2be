"""The search for copies of a model's files that this machine has already, without reading their content.

Named places come first, a handful of look-ups each: the models folder itself (models share files); Hugging Face caches,
where the sha256 of a large file is its name (`models--{owner}--{name}/blobs/{sha256}`; without symbolic links the file
lies in `snapshots/{revision}/`); the layouts that ModelScope has had: `models/{owner}--{name}/snapshots/{revision}/`
(1.38 on), `models/{owner}/{name}/` (from 1.22), `{owner}/{name}/`, the latter two also with "." in names as "___", and
all of them also below `hub/`. Then a bounded look around in the folders that the user named and in the models folder.
"""

from __future__ import annotations

import os
import stat
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Literal

from tts_core.models.catalogue import WEIGHTS_SUFFIX, Catalogue, ModelEntry, ModelFile
from tts_core.platform.paths import Paths
from tts_core.platform.settings.sources import SourceSettings

FoundIn = Literal["models_folder", "hf_cache", "modelscope_cache", "folder"]
_Guess = tuple[ModelFile, Path, FoundIn]

_HF_CACHES = (".", "hub", "huggingface/hub", ".cache/huggingface/hub")
_MODELSCOPE_CACHES = (".", "modelscope", ".cache/modelscope")
"""The caches' places below a folder that the user named: a cache, a home, or the root of another environment."""
_MAX_REVISIONS = 100
_MAX_DEPTH = 6
_MAX_ENTRIES = 20_000
"""The most entries looked at below one folder: a tenth of a second where the system has cached them."""


@dataclass(frozen=True, slots=True)
class Copy:
    """A regular, readable file of the wanted size; only its hash can prove that it is the wanted one."""

    path: Path
    found_in: FoundIn


@dataclass(frozen=True, slots=True)
class CopyPlaces:
    """The places where copies may lie."""

    models_dir: Path
    entries: tuple[ModelEntry, ...]
    """The entries of the whole catalogue: models share files."""
    hf_caches: tuple[Path, ...] = ()
    modelscope_caches: tuple[Path, ...] = ()
    folders: tuple[Path, ...] = ()
    """TTS_HOME, other models folders, whole homes or environments that the user names."""

    @classmethod
    def of(cls, paths: Paths, settings: SourceSettings, catalogue: Catalogue) -> CopyPlaces:
        usual = paths.default_models_dir
        earlier = () if usual == paths.models_dir else (usual,)
        return cls(
            models_dir=paths.models_dir,
            entries=catalogue.entries(),
            hf_caches=settings.hf_caches,
            modelscope_caches=settings.modelscope_caches,
            folders=(*earlier, *settings.model_folders),
        )


@dataclass(frozen=True, slots=True)
class _Twin:
    """A file of this or another model that has the same content in the catalogue."""

    entry: ModelEntry
    path: str


def find_copies(wanted: Sequence[ModelFile], entry: ModelEntry, places: CopyPlaces) -> Iterator[tuple[ModelFile, Copy]]:
    """The places where the `wanted` files of `entry` may lie, the surest first; never a file's own place.

    The search is lazy: stop once all files are adopted, and skip those that have been. It takes milliseconds where
    nothing is found and never raises. Files without a sha256 are not looked for, since nothing could prove them right.
    """
    known = [file for file in wanted if file.sha256 is not None]
    # The file in a wanted file's own place is not a copy of it, by whatever name it is reached.
    seen = {(file.path, os.path.realpath(places.models_dir / entry.local / file.path)) for file in known}
    for file, path, found_in in _guesses(known, entry, places):
        if _is_copy(path, file.size) and (mark := (file.path, os.path.realpath(path))) not in seen:
            seen.add(mark)
            yield file, Copy(path, found_in)


def _guesses(known: Sequence[ModelFile], entry: ModelEntry, places: CopyPlaces) -> Iterator[_Guess]:
    twins = {file.path: _twins(file, entry, places) for file in known}
    for file in known:
        for twin in twins[file.path]:
            yield file, places.models_dir / twin.entry.local / twin.path, "models_folder"
    for cache in places.hf_caches:
        for file in known:
            yield from ((file, path, "hf_cache") for path in _in_hf_cache(cache, file, twins[file.path]))
    for cache in places.modelscope_caches:
        for file in known:
            yield from ((file, path, "modelscope_cache") for path in _in_modelscope_cache(cache, twins[file.path]))
    for folder in places.folders:
        for file in known:
            yield from ((file, path, "folder") for path in _in_folder(folder, file, twins[file.path]))
    for folder in places.folders:
        yield from ((file, path, "folder") for file, path in _around(folder, known))
    yield from ((file, path, "models_folder") for file, path in _around(places.models_dir, known))


def _twins(file: ModelFile, entry: ModelEntry, places: CopyPlaces) -> list[_Twin]:
    """The files with the content of `file`, the file itself first."""
    others = [_Twin(other, one.path) for other in places.entries for one in other.files if one.sha256 == file.sha256]
    own = _Twin(entry, file.path)
    return [own, *(twin for twin in others if (twin.entry.key, twin.path) != (entry.key, file.path))]


def _in_hf_cache(cache: Path, file: ModelFile, twins: Sequence[_Twin]) -> Iterator[Path]:
    for repository in dict.fromkeys(twin.entry.hf for twin in twins if twin.entry.hf):
        root = cache / f"models--{repository.replace('/', '--')}"
        if not _is_folder(root):
            continue
        yield root / "blobs" / str(file.sha256)
        paths = [twin.path for twin in twins if twin.entry.hf == repository]
        for snapshot in _folders(root / "snapshots"):
            yield from (snapshot / path for path in paths)


def _in_modelscope_cache(cache: Path, twins: Sequence[_Twin]) -> Iterator[Path]:
    for repository in dict.fromkeys(twin.entry.modelscope for twin in twins if twin.entry.modelscope):
        paths = [twin.path for twin in twins if twin.entry.modelscope == repository]
        for base in (cache, cache / "hub"):
            yield from (folder / path for folder in _modelscope_folders(base, repository) for path in paths)


def _modelscope_folders(base: Path, repository: str) -> Iterator[Path]:
    if not _is_folder(base):
        return
    owner, name = repository.split("/", 1)
    yield from _folders(base / "models" / f"{owner}--{name}" / "snapshots")
    for above in (base / "models" / owner, base / owner):
        if _is_folder(above):
            yield from (above / spelt for spelt in dict.fromkeys((name, name.replace(".", "___"))))


def _in_folder(folder: Path, file: ModelFile, twins: Sequence[_Twin]) -> Iterator[Path]:
    """`folder` as a models folder, a model's folder, a cache, a home or an environment that holds caches."""
    if not _is_folder(folder):
        return
    for twin in twins:
        names = (twin.entry.local, twin.entry.hf, twin.entry.modelscope)
        for above in (folder, folder / "tts"):  # Coqui TTS keeps its models in {TTS_HOME}/tts
            yield from (above / name / twin.path for name in dict.fromkeys(names) if name)
        yield folder / twin.path
    for below in _HF_CACHES:
        yield from _in_hf_cache(folder / below, file, twins)
    for below in _MODELSCOPE_CACHES:
        yield from _in_modelscope_cache(folder / below, twins)


def _around(root: Path, known: Sequence[ModelFile]) -> Iterator[tuple[ModelFile, Path]]:
    """The files below `root` that look like a wanted one by name, in whatever folders they lie.

    Follows links to files, as caches have them, but none to folders: they may lead anywhere.
    """
    waiting, left = deque([(root, 0)]), _MAX_ENTRIES
    while waiting and left > 0:
        folder, depth = waiting.popleft()
        entries = _entries(folder, left)
        left -= len(entries) + 1
        for found in entries:
            if alike := [file for file in known if _looks_like(found.name, file)]:
                yield from ((file, folder / found.name) for file in alike)
            elif depth < _MAX_DEPTH and _leads_down(found):
                waiting.append((folder / found.name, depth + 1))


def _looks_like(name: str, file: ModelFile) -> bool:
    """Whether a file may be `file` by its name: any name for weights, which are often renamed; its own for texts."""
    is_weights = file.is_weights and (name.endswith(WEIGHTS_SUFFIX) or name == file.sha256)
    return is_weights or name == file.path.rsplit("/", 1)[-1]


def _is_copy(path: Path, size: int) -> bool:
    try:
        found = path.stat()
    except (OSError, ValueError):
        return False
    return stat.S_ISREG(found.st_mode) and found.st_size == size and os.access(path, os.R_OK)


def _is_folder(path: Path) -> bool:
    try:
        return path.is_dir()
    except OSError:
        return False


def _folders(root: Path) -> list[Path]:
    return [root / found.name for found in _entries(root, _MAX_REVISIONS)]


def _entries(folder: Path, most: int) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as entries:
            return sorted(islice(entries, most), key=lambda found: found.name)
    except OSError:
        return []


def _leads_down(found: os.DirEntry[str]) -> bool:
    try:
        return found.is_dir(follow_symlinks=False)
    except OSError:
        return False
