"""The disk's side of a download: the meaning of its errors, and the check for room."""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

from tts_core.models.download_faults import (
    DiskError,
    DiskFault,
    DiskFull,
    DiskLow,
    FileLocked,
    PermissionRefused,
    ReadOnly,
)

RESERVE_BYTES = 512_000_000
RESERVE_PART = 0.02
"""The share of the remaining bytes kept in reserve: journals, the models' small files, the system's own needs."""
MOST_RESERVED = 0.05
"""The largest reserve as a share of the volume: it must not keep a download off a small volume (a container's, a
memory disk) that has room for it."""

_FULL = {errno.ENOSPC, errno.EDQUOT} if hasattr(errno, "EDQUOT") else {errno.ENOSPC}
_HELD = {errno.EBUSY, errno.ETXTBSY} if hasattr(errno, "ETXTBSY") else {errno.EBUSY}
# Windows, winerror.h: sharing violation, lock violation; handle disk full, disk full.
_WIN_HELD = {32, 33}
_WIN_FULL = {39, 112}


def disk_fault(error: OSError, path: Path) -> DiskFault:
    """The fault that an OSError of reading or writing `path` means."""
    folder, windows = str(path.parent), getattr(error, "winerror", None)
    if error.errno in _FULL or windows in _WIN_FULL:
        return DiskFull(folder=folder)
    if error.errno in _HELD or windows in _WIN_HELD:
        return FileLocked(file=str(path))
    if error.errno == errno.EROFS:
        return ReadOnly(folder=folder)
    if error.errno in (errno.EACCES, errno.EPERM):
        return PermissionRefused(folder=folder)
    return DiskError(folder=folder, reason=error.strerror or type(error).__name__)


@contextlib.contextmanager
def disk_faults(path: Path) -> Iterator[None]:
    """Raise an OSError of the block as a DiskFault about `path`."""
    try:
        yield
    except OSError as error:
        raise disk_fault(error, path) from error


def check_space(folder: Path, remaining: int) -> None:
    """Raise DiskLow unless `folder` (or its nearest existing parent) has room for `remaining` bytes and a reserve.

    The reserve is 512 MB or 2 % of `remaining`, the larger, but never more than 5 % of the volume. Nothing remaining
    needs no room. A volume that does not report its room is trusted.
    """
    there = next((place for place in (folder, *folder.parents) if os.path.exists(place)), None)  # noqa: PTH110 - Path.exists raises where permission is refused
    if there is None or remaining <= 0:
        return
    try:
        usage = shutil.disk_usage(there)
    except OSError:
        return
    reserve = min(max(RESERVE_BYTES, int(RESERVE_PART * remaining)), int(MOST_RESERVED * usage.total))
    if usage.free < remaining + reserve:
        raise DiskLow(folder=str(folder), free_bytes=usage.free, needed_bytes=remaining + reserve)
