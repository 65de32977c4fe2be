"""A YourTTS model as Coqui publishes it: which files make one, and its config with paths that are true here.

The process that loads it imports this too: nothing but the standard library.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

CONFIG = "config.json"
CHECKPOINTS = ("model_file.pth", "model_file.pth.tar", "model.pth", "checkpoint.pth", "best_model.pth")
"""Names that releases and programs have given the weights; the first that exists counts."""
_NAMES: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "d_vector_file": ("speakers.json", "speakers.pth"),
        "language_ids_file": ("language_ids.json",),
        "speaker_encoder_model_path": ("model_se.pth", "model_se.pth.tar", "SE_checkpoint.pth.tar"),
        "speaker_encoder_config_path": ("config_se.json",),
    }
)
"""The names that the file of each config field may have. A model can't do without any of these files."""
FILES = frozenset({CONFIG, *CHECKPOINTS, *(name for names in _NAMES.values() for name in names)})
"""Names of all files that may be part of a model."""
_UNUSED = ("speakers_file", "speaker_file")
MAX_JSON_BYTES = 64 << 20


@dataclass(frozen=True, slots=True)
class ModelFolder:
    folder: Path
    checkpoint: Path
    files: Mapping[str, Path]
    """The file that stands here for each config field."""

    @property
    def weights_bytes(self) -> int:
        return self.checkpoint.stat().st_size

    def languages(self) -> tuple[str, ...]:
        """The language codes as the model has them. Raises OSError, ValueError."""
        return tuple(read_object(self.files["language_ids_file"]))

    def speakers(self) -> tuple[str, ...]:
        """The speakers' names as the model has them, some with blanks around; () where only the model can read them.

        Raises OSError, ValueError.
        """
        file = self.files["d_vector_file"]
        if file.suffix != ".json":
            return ()
        clips = read_object(file).values()
        return tuple(sorted({str(clip["name"]) for clip in clips if isinstance(clip, dict) and "name" in clip}))

    def config(self) -> dict[str, Any]:
        """The published config with the paths of this folder's files instead of those of the machine that wrote it.

        Raises OSError, ValueError.
        """
        config = read_object(self.folder / CONFIG)
        for part in (config, config.get("model_args")):
            if isinstance(part, dict):
                _put_right(part, self.files)
        audio = config.get("audio")
        if isinstance(audio, dict):
            audio["stats_path"] = None
        return config


def missing_from(folder: Path) -> list[str]:
    """The names of files that a model needs and the folder lacks; [] if it is whole. Never raises."""
    wanted = {CONFIG: (CONFIG,), CHECKPOINTS[0]: CHECKPOINTS, **{names[0]: names for names in _NAMES.values()}}
    return [name for name, names in wanted.items() if _first(folder, names) is None]


def open_folder(folder: Path) -> ModelFolder:
    """The model in a folder. Raises FileNotFoundError naming what is missing."""
    if missing := missing_from(folder):
        raise FileNotFoundError(", ".join(missing))
    checkpoint = _first(folder, CHECKPOINTS)
    files = {field: file for field, names in _NAMES.items() if (file := _first(folder, names)) is not None}
    if checkpoint is None:  # it has gone in this moment
        raise FileNotFoundError(CHECKPOINTS[0])
    return ModelFolder(folder, checkpoint, files)


def read_object(file: Path) -> dict[str, Any]:
    """Read a JSON object. Raises OSError, and ValueError for what is none or far too large."""
    if file.stat().st_size > MAX_JSON_BYTES:
        raise ValueError(f"{file.name} is too large")
    try:
        found = json.loads(file.read_text(encoding="utf-8"))
    except RecursionError as error:
        raise ValueError(f"{file.name} is nested too deeply") from error
    if not isinstance(found, dict):
        raise ValueError(f"{file.name} is not a JSON object")  # noqa: TRY004 - what callers expect of a bad file
    return found


def _put_right(part: dict[str, Any], files: Mapping[str, Path]) -> None:
    for field, file in files.items():
        if field in part:
            part[field] = [str(file)] if isinstance(part[field], list) else str(file)
    for field in _UNUSED:
        if part.get(field):
            part[field] = None


def _first(folder: Path, names: tuple[str, ...]) -> Path | None:
    """The first of `names` that is a file with something in it."""
    for name in names:
        try:
            if (folder / name).is_file() and (folder / name).stat().st_size > 0:
                return folder / name
        except OSError:
            continue
    return None
