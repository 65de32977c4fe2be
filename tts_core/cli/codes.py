"""Codec codes as .npy files: one frame a row, 16 whole numbers each."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from tts_core.cli.faults import OutputUnwritable
from tts_core.domain.events import Codes
from tts_core.engines.faults import CodesUnreadable
from tts_core.platform.whole_files import replacing

CODES_PER_FRAME = 16
_MAX_FRAMES = 1_000_000


def save_codes(pieces: Sequence[Codes], path: Path) -> None:
    """Write the pieces one after the other, (frames, 16) int64. The file has exactly this name."""
    codes = np.concatenate([np.zeros((0, CODES_PER_FRAME), np.int64), *pieces])
    try:
        with replacing(path) as part, part.open("wb") as stream:  # numpy would add ".npy" to a name
            np.save(stream, codes)
    except OSError as error:
        raise OutputUnwritable(path=path, reason=error.strerror or str(error)) from error


def load_codes(path: Path) -> Codes:
    """The codes in a file that `save_codes` wrote. Raises CodesUnreadable; nothing that could run code is unpickled."""
    try:
        codes = np.load(path, allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise CodesUnreadable(path=path, reason=str(error)) from error
    if not isinstance(codes, np.ndarray) or codes.ndim != 2 or codes.shape[1] != CODES_PER_FRAME:
        raise CodesUnreadable(path=path, reason="they must have the shape (frames, 16)")
    if not np.issubdtype(codes.dtype, np.integer) or len(codes) > _MAX_FRAMES:
        raise CodesUnreadable(path=path, reason="they must be whole numbers of at most a million frames")
    return codes.astype(np.int64)
