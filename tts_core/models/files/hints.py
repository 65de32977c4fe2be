"""Hints for model files that a person has put in the wrong place, and how to mend that. Explains; moves nothing."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path, PurePosixPath

from tts_core.models.catalogue import ModelEntry
from tts_core.models.files.findings import Hint, HintCode, ModelState, Verification
from tts_core.models.files.folders import FoundModel, ListedFile, find_models, list_files
from tts_core.models.files.inspection import Inspection, files_without_checksum

_PART_SUFFIXES = (".incomplete", ".part", ".crdownload")
_PART_FOLDER = "._____temp"
"""The folder where ModelScope's client keeps unfinished files."""
_DOCUMENTS = frozenset({"readme.md", "license", "license.txt"})
_BROWSER_COPY = re.compile(r"(?P<stem>.+?) ?\(\d+\)(?P<suffix>\.\w+)?")
"""The name browsers and file managers give a second file of the same name: "model (1).safetensors"."""


@dataclass(frozen=True, slots=True)
class Surroundings:
    """The findings around the expected files."""

    hints: tuple[Hint, ...]
    extra_files: tuple[str, ...]
    """The files that the model does not need, leaving out documents and the files of hub clients."""


def look_around(
    entry: ModelEntry, folder: Path, inspection: Inspection, *, neighbours: Sequence[FoundModel], models_dir: Path
) -> Surroundings:
    """The hints and other files of a model's folder.

    `neighbours` are the models found below `models_dir` outside the catalogue's own folders.
    """
    expected = {file.path for file in entry.files}
    others = [file for file in list_files(folder) if file.name not in expected]
    parts = [file for file in others if _is_part(file.name)]
    extras = tuple(file.name for file in others if file not in parts and _is_extra(file.name))
    hints = [
        *_misplaced(entry, folder, inspection, neighbours=neighbours, models_dir=models_dir),
        *_flat_copy(entry, folder, inspection, others),
    ]
    if parts:
        hints.append(Hint("leftover_parts", {"count": len(parts), "size": sum(file.size for file in parts)}))
    if extras and not hints:
        hints.append(Hint("extra_files", {"count": len(extras)}))
    if inspection.ignored:
        hints.append(Hint("ignored_weights", {"count": len(inspection.ignored), "name": inspection.ignored[0]}))
    if inspection.differing:
        hints.append(Hint("unverified_finetune", {"files": ", ".join(inspection.differing)}))
    elif inspection.verification is Verification.UNVERIFIED:
        hints.append(Hint("no_checksums", {"files": ", ".join(files_without_checksum(entry))}))
    return Surroundings(tuple(hints), extras)


def older_form(hints: Sequence[Hint]) -> Path | None:
    """The folder that holds the model in an older form, of which this one can be made; None if there is none."""
    return next((Path(str(hint.params["found"])) for hint in hints if hint.code == "older_form"), None)


def _misplaced(
    entry: ModelEntry, folder: Path, inspection: Inspection, *, neighbours: Sequence[FoundModel], models_dir: Path
) -> list[Hint]:
    """The hints where the model's files lie instead of in its folder."""
    if inspection.state is ModelState.READY:
        return []
    nested = [found.path for found in find_models(folder) if found.path != folder and found.is_model(entry)]
    if nested:
        return [Hint("nested_folder", {"found": str(nested[0]), "folder": str(folder)})]
    if inspection.state is not ModelState.NOT_DOWNLOADED:
        return []
    for found in neighbours:
        if found.is_model(entry):
            code: HintCode = "loose_files" if found.path == models_dir else "other_folder_name"
            return [Hint(code, {"found": str(found.path), "folder": str(folder)})]
    older = (found.path for found in neighbours if found.becomes_model(entry))
    return [Hint("older_form", {"found": str(path), "folder": str(folder)}) for path in islice(older, 1)]


def _flat_copy(entry: ModelEntry, folder: Path, inspection: Inspection, others: Sequence[ListedFile]) -> list[Hint]:
    """The hint about files of a sub-folder that were copied into the model's folder itself."""
    below = [file for file in entry.files if "/" in file.path and file.path in inspection.missing]
    if not below:
        return []
    names = {PurePosixPath(file.path).name for file in below}
    weights_sizes = {file.size for file in below if file.is_weights}
    own = [fact.file.path for fact in inspection.facts if fact.has_other_size and fact.size in weights_sizes]
    foreign = [file.name for file in others if file.size in weights_sizes or _original_name(file.name) in names]
    flat = sorted(name for name in (*own, *foreign) if "/" not in name)
    if not flat:
        return []
    target = folder / PurePosixPath(below[0].path).parent
    return [Hint("flat_copy", {"files": ", ".join(flat), "folder": str(target)})]


def _original_name(name: str) -> str:
    """The name of a file without the number that a browser added."""
    match = _BROWSER_COPY.fullmatch(name)
    return match["stem"] + (match["suffix"] or "") if match else name


def _is_part(name: str) -> bool:
    return name.lower().endswith(_PART_SUFFIXES) or _PART_FOLDER in name.split("/")


def _is_extra(name: str) -> bool:
    return not any(part.startswith(".") for part in name.split("/")) and name.lower() not in _DOCUMENTS
