"""The disk's side of a download: what its errors mean, whether there is room."""

from __future__ import annotations

from pathlib import Path

from tts_core.downloads.faults import DiskFault


def disk_fault(error: OSError, path: Path) -> DiskFault:
    """What an OSError of reading or writing `path` means."""
    raise NotImplementedError


def check_space(folder: Path, remaining: int) -> None:
    """`folder` (or its nearest existing parent) has room for `remaining` bytes and a reserve. Raises DiskLow."""
    raise NotImplementedError
