"""Opens a folder in the file manager: only for a user at this machine, and only where there is a desktop."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from threading import Thread
from types import MappingProxyType

from tts_core.platform.addresses import is_this_machine
from tts_core.platform.settings.server import is_from_proxy
from tts_core.platform.settings.studio import Settings

_OPENERS = MappingProxyType({"win32": ("explorer",), "darwin": ("open", "-a", "Finder")})
_OTHER_OPENER = ("xdg-open",)
_LOOPBACK_HOST = re.compile(r"(localhost|127\.\d+\.\d+\.\d+|\[::1\])(:\d*)?")


def asked_from_this_machine(peer: str | None, headers: Mapping[str, str]) -> bool:
    """Whether a request was made by a page or program on this machine and not passed on for another.

    `peer` is the address it came from; `headers` have lower-case names.
    """
    return (
        is_this_machine(peer or "")
        and not any(is_from_proxy(name) for name in headers)
        and headers.get("sec-fetch-site", "none") in ("same-origin", "none")
        and _LOOPBACK_HOST.fullmatch(headers.get("host", "").lower()) is not None
    )


def can_open_folders(settings: Settings) -> bool:
    """Whether there is a desktop and its file manager can be called."""
    return settings.has_desktop and shutil.which(_opener()[0]) is not None


def open_folder(settings: Settings, folder: Path) -> bool:
    """Show an existing folder in the file manager, without waiting; False where that is not possible."""
    if not can_open_folders(settings) or not folder.is_dir():
        return False
    try:
        process = subprocess.Popen(  # noqa: S603 - an argument list, and the folder is an absolute path of ours
            [*_opener(), str(folder.absolute())],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
    except OSError:
        return False
    # Some openers live as long as the window; without a wait, an ended one stays in the list of processes.
    Thread(target=process.wait, name="file-manager", daemon=True).start()
    return True


def _opener() -> tuple[str, ...]:
    return _OPENERS.get(sys.platform, _OTHER_OPENER)
