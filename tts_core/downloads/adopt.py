"""Making a copy that this machine has already the model's own file."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from tts_core.downloads.part_file import Want
from tts_core.protocols import CancelCheck


def adopt(copy: Path, want: Want, target: Path, *, cancelled: CancelCheck, progress: Callable[[int], None]) -> bool:
    """Put the content of `copy` at `target` if its sha256 is the wanted one; False if it is not, or can't be read.

    `progress` gets the bytes checked so far (absolute, of `want.size`). Raises DiskFault and Interrupted, leaving
    nothing behind. The source is never changed, moved or removed.
    """
    raise NotImplementedError
