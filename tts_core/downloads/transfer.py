"""Filling a part from one source."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from tts_core.downloads.http import HttpClient
from tts_core.downloads.hub import Remote
from tts_core.downloads.part_file import PartFile
from tts_core.protocols import CancelCheck


@dataclass(frozen=True, slots=True)
class TransferOptions:
    connections: int = 4
    """At most, for one file; it begins with one."""
    connect_s: float = 10.0
    silence_s: float = 12.0
    """A connection that brings next to nothing this long is replaced by a new one."""
    stall_s: float = 30.0
    """Without progress this long, whatever was tried meanwhile, the source's fault is raised."""


def transfer(
    part: PartFile,
    remote: Callable[[], Remote],
    options: TransferOptions,
    *,
    cancelled: CancelCheck,
    progress: Callable[[int], None],
    client: HttpClient | None = None,
) -> str:
    """Fill the part from one source; returns its sha256, already compared where `want.sha256` is known.

    `remote` is asked anew at every reconnect. `progress` gets the bytes present so far (absolute), on the caller's thread. Reconnects by itself
    while bytes keep coming and has tried twice before it raises: callers need not try the same source again.
    Raises SourceFault, DiskFault or Interrupted; the part keeps and journals what it has. HashMismatch's params hold
    `resumed`: the part held bytes before this call, so the wrong ones need not be this source's.
    """
    raise NotImplementedError
