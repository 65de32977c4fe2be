"""The takes of one project on the disk: a sound in its segment's folder, and beside it a file of facts.

The facts are written last, and a take without them never was one. What is left of takes that a process did not finish
is removed when the project is opened for changes.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import secrets
import shutil
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path

from tts_core.platform.whole_files import (
    PART_SUFFIX,
    copy_private,
    make_private,
    part_of,
    patiently,
    sync_folder,
    write_text,
)
from tts_core.studio.disk.folder import is_id
from tts_core.studio.disk.records import from_data, to_data
from tts_core.studio.model import SegmentTake, TakeFailure, TextSegment

logger = logging.getLogger(__name__)

_FAILURE = "failed.json"
CODES_SUFFIX = ".codes.npy"
"""The end of the name of a take's codes, where a clone goes on from it."""


class TakeFiles:
    def __init__(self, root: Path) -> None:
        self._root = root

    def folder(self, segment_id: str) -> Path:
        return self._root / segment_id

    def segment_ids(self) -> list[str]:
        """The segments that have a folder here, those that are gone as well."""
        if not self._root.is_dir():
            return []
        return [folder.name for folder in self._root.iterdir() if is_id(folder.name)]

    def load(self) -> dict[str, TextSegment]:
        """The takes and failures of all segments; a segment here is nothing but an id with them."""
        found = {}
        with contextlib.suppress(FileNotFoundError), os.scandir(self._root) as folders:
            for folder in folders:
                if is_id(folder.name) and folder.is_dir():
                    found[folder.name] = self._read(folder.name)
        return found

    def keep(self, segment_id: str, sound: Path, take: SegmentTake) -> SegmentTake:
        """Move a finished sound to its place and write its facts; only then there is a take. Raises OSError."""
        folder = self.folder(segment_id)
        make_private(folder)
        take_id = f"{take.number:04d}-{secrets.token_hex(3)}"
        kept = replace(take, id=take_id, file=f"{take_id}{sound.suffix}")
        place = folder / kept.file
        _moved(sound, place)
        codes = sound.with_name(f"{sound.stem}{CODES_SUFFIX}")
        if codes.exists():
            _moved(codes, folder / f"{take_id}{CODES_SUFFIX}")
        self.write_facts(segment_id, kept)
        return kept

    def write_facts(self, segment_id: str, take: SegmentTake) -> None:
        """Raises OSError."""
        write_text(self.folder(segment_id) / f"{take.id}.json", json.dumps(to_data(take), ensure_ascii=False))

    def write_failure(self, segment_id: str, failure: TakeFailure | None) -> None:
        """Raises OSError."""
        file = self.folder(segment_id) / _FAILURE
        if failure is None:
            file.unlink(missing_ok=True)
        else:
            make_private(file.parent)
            write_text(file, json.dumps(to_data(failure)))

    def remove(self, segment_id: str, takes: Iterable[SegmentTake]) -> int:
        """Remove takes for good, the facts first; returns the freed bytes."""
        freed = 0
        for take in takes:
            for file in self._files(segment_id, take):
                with contextlib.suppress(OSError):
                    size = file.stat().st_size
                    file.unlink()
                    freed += size
        return freed

    def remove_segment(self, segment_id: str) -> int:
        """Remove the folder of a segment that is gone; returns the freed bytes."""
        folder = self.folder(segment_id)
        freed = sum(file.stat().st_size for file in folder.iterdir() if file.is_file())
        shutil.rmtree(folder, ignore_errors=True)
        return freed

    def bytes_of(self, segment_id: str, takes: Iterable[SegmentTake]) -> int:
        sizes = 0
        for take in takes:
            for file in self._files(segment_id, take):
                with contextlib.suppress(OSError):
                    sizes += file.stat().st_size
        return sizes

    def sweep(self) -> int:
        """Remove what unfinished takes left behind; returns how many files."""
        removed = 0
        for folder in self._root.iterdir() if self._root.is_dir() else ():
            for file in list(_orphans(folder)) if folder.is_dir() else ():
                with contextlib.suppress(OSError):
                    file.unlink()
                    removed += 1
        if removed:
            logger.info("%d files of unfinished takes are removed", removed)
        return removed

    def _files(self, segment_id: str, take: SegmentTake) -> tuple[Path, ...]:
        folder = self.folder(segment_id)
        return folder / f"{take.id}.json", folder / take.file, folder / f"{take.id}{CODES_SUFFIX}"

    def _read(self, segment_id: str) -> TextSegment:
        takes, failure = [], None
        for file in self.folder(segment_id).iterdir():
            if not file.name.endswith(".json") or file.name.startswith("."):
                continue
            try:
                data = json.loads(file.read_bytes())
                if file.name == _FAILURE:
                    failure = from_data(TakeFailure, data)
                else:
                    takes.append(_checked(from_data(SegmentTake, data), file))
            except (OSError, ValueError):
                logger.warning("the facts of a take can't be read; it is not listed")
        return TextSegment(
            segment_id, "", all_takes=tuple(sorted(takes, key=lambda take: take.number)), failure=failure
        )


def _checked(take: SegmentTake, facts: Path) -> SegmentTake:
    """The take, if its names are its own and its sound is there. Raises ValueError."""
    if take.id != facts.stem or Path(take.file).stem != take.id or not facts.with_name(take.file).is_file():
        raise ValueError("a take without a sound")
    return take


def _orphans(folder: Path) -> Iterator[Path]:
    """The files in a segment's folder that belong to no take: parts, and sounds without facts. Facts that can't be
    read keep their sound."""
    names = {file.name for file in folder.iterdir()}
    for name in names:
        stem = name.removesuffix(CODES_SUFFIX) if name.endswith(CODES_SUFFIX) else Path(name).stem
        is_part = name.startswith(".") and name.endswith(PART_SUFFIX)
        if is_part or (not name.endswith(".json") and not name.startswith(".") and f"{stem}.json" not in names):
            yield folder / name


def _moved(source: Path, target: Path) -> None:
    """Put a file in its place, whole and on the disk. Raises OSError."""
    part = part_of(target)
    try:
        try:
            source.replace(part)
        except OSError:  # another disk
            copy_private(source, part)
            source.unlink(missing_ok=True)
        with part.open("rb+") as stream:
            os.fsync(stream.fileno())
        patiently(lambda: part.replace(target))
    except BaseException:
        with contextlib.suppress(OSError):
            part.unlink()
        raise
    sync_folder(target.parent)
