"""Copies of a model's files that this machine has already: where to look, without reading their content."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from tts_core.catalogue import Catalogue, ModelEntry, ModelFile
from tts_core.paths import Paths
from tts_core.source_settings import SourceSettings

FoundIn = Literal["models_folder", "hf_cache", "modelscope_cache", "folder"]


@dataclass(frozen=True, slots=True)
class Copy:
    """A regular, readable file of the wanted size; only its hash can tell whether it is the wanted one."""

    path: Path
    found_in: FoundIn


@dataclass(frozen=True, slots=True)
class Places:
    """Where copies may lie."""

    models_dir: Path
    entries: tuple[ModelEntry, ...]
    """Of the whole catalogue: models share files."""
    hf_caches: tuple[Path, ...] = ()
    modelscope_caches: tuple[Path, ...] = ()
    folders: tuple[Path, ...] = ()
    """TTS_HOME, other models folders, whole homes or environments that the user names."""

    @classmethod
    def of(cls, paths: Paths, settings: SourceSettings, catalogue: Catalogue) -> Places:
        raise NotImplementedError


def find_copies(wanted: Sequence[ModelFile], entry: ModelEntry, places: Places) -> Iterator[tuple[ModelFile, Copy]]:
    """Each place where one of the `wanted` files of `entry` may lie, the surest first; never its own place.

    Lazy: leave off once everything is adopted, skip what has been. Milliseconds where nothing is found; never raises.
    Files without a sha256 are not looked for, since nothing could prove them right.
    """
    raise NotImplementedError
