"""Files on the disk: proven copies, comparisons, counting. Nothing here overwrites a file."""

from __future__ import annotations

import hashlib
import os
import stat
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from pathlib import Path

from tts_core.domain.engine import CancelCheck
from tts_core.domain.errors import Cancelled
from tts_core.models.downloads.disk import disk_faults
from tts_core.models.files.hash_cache import CHUNK_BYTES, ContentReader, Digest
from tts_core.models.store.faults import PlaceTaken, SourceDamaged
from tts_core.platform.whole_files import patiently, sync_folder

COPYING = ".copying"
"""The ending of the name of a file that is not whole yet."""

Count = Callable[[int], None]
"""A function that gets the number of bytes of each chunk that is done."""


def absolute(folder: Path) -> Path:
    """The absolute path without `..`, links kept as they are."""
    return Path(os.path.abspath(folder.expanduser()))  # noqa: PTH100 - resolve would follow links


def read_through(path: Path, count: Count, cancelled: CancelCheck) -> Digest:
    """The digest of a file, read through. Raises DiskFault and Cancelled."""
    reader = ContentReader(path)
    with disk_faults(path):
        for chunk_bytes in reader.chunk_sizes():
            count(chunk_bytes)
            if cancelled():
                raise Cancelled
    return reader.digest()


def copy_file(source: Path, target: Path, count: Count, cancelled: CancelCheck) -> Digest:
    """Copy durably: the copy is read back and compared before it gets its name, so a file in place is always right.

    Raises PlaceTaken if `target` exists, SourceDamaged, DiskFault and Cancelled; then nothing is left behind.
    """
    part = target.with_name(target.name + COPYING)
    with disk_faults(target):
        target.parent.mkdir(parents=True, exist_ok=True)
        before = source.stat()
        try:
            sha256 = _write(source, part, count, cancelled)
            written = read_through(part, not_counted, cancelled)
            after = source.stat()
            if written.sha256 != sha256 or (after.st_size, after.st_mtime_ns) != (before.st_size, before.st_mtime_ns):
                raise SourceDamaged(path=str(source))
            os.utime(part, ns=(before.st_atime_ns, before.st_mtime_ns))
            put_in_place(part, target)
        finally:
            with suppress(OSError):
                part.unlink()
    return written


def same_content(source: Path, target: Path, count: Count, cancelled: CancelCheck) -> Digest:
    """The digest of two equal files. Raises PlaceTaken if they differ, DiskFault and Cancelled."""
    wanted = read_through(source, count, cancelled)
    found = read_through(target, not_counted, cancelled)
    if found.sha256 != wanted.sha256:
        raise PlaceTaken(path=str(target))
    return found


def not_counted(_chunk_bytes: int) -> None:
    """A `Count` for bytes that have been counted already."""


def put_in_place(part: Path, target: Path) -> None:
    """Give a finished file its name. Raises PlaceTaken and OSError."""
    if os.path.lexists(target):
        raise PlaceTaken(path=str(target))
    patiently(lambda: part.replace(target))
    sync_folder(target.parent)


def freed_bytes(files: Iterable[Path]) -> tuple[int, int]:
    """The bytes that the disk gets back if all these names go, and the bytes that live on under other names."""
    found = []
    for file in files:
        with suppress(OSError):
            found.append(file.lstat())
    names = Counter((entry.st_dev, entry.st_ino) for entry in found)
    once = {(entry.st_dev, entry.st_ino): entry for entry in found if stat.S_ISREG(entry.st_mode)}
    freed = sum(_on_disk(entry) for inode, entry in once.items() if names[inode] >= entry.st_nlink)
    return freed, sum(_on_disk(entry) for entry in once.values()) - freed


def walk(root: Path) -> Iterator[Path]:
    """The paths below `root` that are no folders, links to folders included; never through a link."""
    for folder, folders, files in os.walk(root):
        for name in sorted((*files, *(name for name in folders if Path(folder, name).is_symlink()))):
            yield Path(folder, name)


def remove_empty_folders(root: Path) -> bool:
    """Remove the empty folders below `root`, and `root` itself; True if `root` is gone."""
    for folder, _, _ in os.walk(root, topdown=False):
        with suppress(OSError):  # not empty, or not ours to remove
            Path(folder).rmdir()
    return not root.exists()


def _write(source: Path, part: Path, count: Count, cancelled: CancelCheck) -> str:
    """Copy the source to the part; returns the sha256 of the bytes read."""
    sha256 = hashlib.sha256()
    with source.open("rb") as reading, part.open("wb") as writing:
        while chunk := reading.read(CHUNK_BYTES):
            sha256.update(chunk)
            writing.write(chunk)
            count(len(chunk))
            if cancelled():
                raise Cancelled
        writing.flush()
        os.fsync(writing.fileno())
    return sha256.hexdigest()


def _on_disk(found: os.stat_result) -> int:
    """The bytes a file takes on the disk; an unfinished one has holes that take none."""
    blocks = getattr(found, "st_blocks", None)
    is_sparse = blocks is not None and 0 < blocks * 512 < found.st_size
    return int(blocks * 512) if is_sparse and blocks is not None else found.st_size
