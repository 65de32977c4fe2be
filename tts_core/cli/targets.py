"""Files that commands are asked to write: what may be replaced, and how a finished file gets there."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from tts_core.cli.faults import OutputExists, OutputUnwritable
from tts_core.platform.whole_files import replacing, takes_bytes


def check_target(target: Path, *, force: bool) -> None:
    """Check before any work that the file can be written; a device or a pipe is written into and needs no `force`.

    Raises OutputUnwritable, OutputExists.
    """
    try:
        if takes_bytes(target):
            return
        if target.is_dir():
            raise OutputUnwritable(path=target, reason="it is a folder.")
        folder = Path(os.path.realpath(target)).parent
        if not folder.is_dir():
            raise OutputUnwritable(path=target, reason="its folder does not exist.")
        if not os.access(folder, os.W_OK):
            raise OutputUnwritable(path=target, reason="its folder can't be written.")
        if target.exists() and not force:
            raise OutputExists(path=target)
    except OSError as error:  # a name that is too long
        raise OutputUnwritable(path=target, reason=error.strerror or str(error)) from error


def put(source: Path, target: Path) -> None:
    """Copy a finished file to where it was asked for; it appears whole or not at all. Raises OutputUnwritable."""
    try:
        with replacing(target) as part:
            shutil.copyfile(source, part)
    except OSError as error:
        raise OutputUnwritable(path=target, reason=error.strerror or str(error)) from error
