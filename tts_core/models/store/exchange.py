"""Carries a model between machines by hand: writes it to a folder with its checksums, takes it over from any folder.

The manifest beside exported files, `tts_studio_model.json`, has the form of a catalogue file with one member, plus
`"format": 1`; its sha256 are those of the files as they were exported.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from tts_core.domain.engine import CancelCheck
from tts_core.models.catalogue import ModelEntry, ModelFile
from tts_core.models.downloads.adopt import adopt
from tts_core.models.downloads.disk import check_space, disk_faults
from tts_core.models.downloads.existing import CopyPlaces, find_copies
from tts_core.models.downloads.transfer.part_file import want_of
from tts_core.models.store.faults import ModelItselfThere, PlaceTaken
from tts_core.models.store.files import COPYING, absolute, copy_file, same_content
from tts_core.models.store.reports import Exported, Meter, Progress

MANIFEST = "tts_studio_model.json"
_FORMAT = 1
_MAX_MANIFEST_BYTES = 1_000_000


def export_model(entry: ModelEntry, source: Path, folder: Path, progress: Progress, cancelled: CancelCheck) -> Exported:
    """Copy the model's files to `folder`/<name of the model's folder>; files already there are compared, not copied.

    Raises ModelItselfThere, PlaceTaken, SourceDamaged, DiskFault and Cancelled.
    """
    target = absolute(folder) / entry.local
    if os.path.realpath(source) in (os.path.realpath(target), os.path.realpath(target.parent)):
        raise ModelItselfThere(folder=str(folder))
    files = [file.path for file in entry.files if (source / file.path).is_file()]
    sizes = {path: (source / path).stat().st_size for path in files}
    for path in files:
        if os.path.lexists(target / path) and not _has_size(target / path, sizes[path]):
            raise PlaceTaken(path=str(target / path))
    check_space(target, sum(size for path, size in sizes.items() if not (target / path).exists()))
    meter = Meter(progress, sum(sizes.values()))
    exported = []
    for path in files:
        meter.file = path
        bring = same_content if (target / path).exists() else copy_file
        digest = bring(source / path, target / path, meter.count, cancelled)
        exported.append(ModelFile(path, sizes[path], digest.sha256))
    _write_manifest(entry, exported, target / MANIFEST)
    return Exported(entry.key, target, sum(sizes.values()))


def adopt_files(
    entry: ModelEntry,
    wanted: Sequence[ModelFile],
    target: Path,
    places: CopyPlaces,
    progress: Progress,
    cancelled: CancelCheck,
) -> tuple[str, ...]:
    """Take over the `wanted` files that `places` hold; returns their paths. Raises DiskFault, Interrupted."""
    wanted = [_with_checksum(file, entry, places.folders) for file in wanted]
    meter = Meter(progress, sum(file.size for file in wanted))
    adopted: list[str] = []
    for file, copy in find_copies(wanted, entry, places):
        if file.path in adopted:
            continue
        before = meter.done_bytes
        meter.file = file.path

        def count(done_bytes: int, before: int = before) -> None:
            meter.count(before + done_bytes - meter.done_bytes)

        if adopt(copy.path, want_of(file, entry.hf), target / file.path, cancelled=cancelled, progress=count):
            adopted.append(file.path)
        else:
            meter.done_bytes = before
    return tuple(adopted)


def _write_manifest(entry: ModelEntry, files: Sequence[ModelFile], target: Path) -> None:
    fields = {
        "kind": entry.kind.value,
        "hf": entry.hf,
        "modelscope": entry.modelscope,
        "local": entry.local,
        "hf_revision": entry.hf_revision,
        "display_name": entry.display_name,
        "size": entry.size,
        "files": {file.path: {"size": file.size, "sha256": file.sha256} for file in files},
    }
    part = target.with_name(target.name + COPYING)
    with disk_faults(target), part.open("w", encoding="utf-8") as stream:
        json.dump({"format": _FORMAT, entry.key: fields}, stream, ensure_ascii=False, indent=2)
        stream.flush()
        os.fsync(stream.fileno())
    with disk_faults(target):
        part.replace(target)


def _with_checksum(file: ModelFile, entry: ModelEntry, folders: Sequence[Path]) -> ModelFile:
    """The file with the sha256 of an export's manifest where the catalogue has none."""
    if file.sha256 is not None:
        return file
    for folder in folders:
        for manifest in (folder / MANIFEST, folder / entry.local / MANIFEST):
            if sha256 := _checksum_in(manifest, entry.key, file):
                return replace(file, sha256=sha256)
    return file


def _checksum_in(manifest: Path, key: str, file: ModelFile) -> str:
    with suppress(OSError, ValueError, KeyError, TypeError, RecursionError):
        with manifest.open("rb") as stream:
            fields: Mapping[str, object] = json.loads(stream.read(_MAX_MANIFEST_BYTES))[key]["files"][file.path]
        sha256 = str(fields["sha256"])
        if fields["size"] == file.size and len(sha256) == 64:
            return sha256
    return ""


def _has_size(path: Path, size: int) -> bool:
    return path.is_file() and not path.is_symlink() and path.stat().st_size == size
