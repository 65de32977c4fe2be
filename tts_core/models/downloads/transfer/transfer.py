"""Fills a part from one source: connections, the hash that follows them, the journal, and the watch over all."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from tts_core.domain.engine import CancelCheck
from tts_core.models.download_faults import DiskFault, HashMismatch, Interrupted, SourceFault
from tts_core.models.downloads.disk import disk_faults
from tts_core.models.downloads.hub import Remote
from tts_core.models.downloads.transfer.claims import Claims
from tts_core.models.downloads.transfer.connection import Connection, Patience, SharedTransfer
from tts_core.models.downloads.transfer.http import HttpClient
from tts_core.models.downloads.transfer.part_file import PartFile
from tts_core.models.downloads.transfer.watch import Growth, Helper, Watch

logger = logging.getLogger(__name__)

_TICK_S = 0.1
_SYNC_BYTES = 32 << 20
_SYNC_S = 0.5
"""The time between journals. A killed process or a power cut costs the bytes of half a second, 32 MB at most beyond
one flush."""
_FOLLOW_BYTES = 8 << 20
_FOLLOW_S = 0.02
_FAREWELL_S = 0.5


@dataclass(frozen=True, slots=True)
class TransferOptions:
    connections: int = 4
    """The most connections for one file; it begins with one."""
    connect_s: float = 10.0
    silence_s: float = 12.0
    """The time after which a connection that brings next to nothing is replaced by a new one."""
    stall_s: float = 30.0
    """The time without progress, whatever was tried meanwhile, after which the source's fault is raised."""
    tries: int = 2
    """The fruitless tries in a row before a fault is raised."""
    patience_s: float = 8.0
    """The least time to try again once bytes have come, counted from the last ones: for networks that blink."""
    backoff_s: float = 0.3
    smallest_piece: int = 16 << 20
    """The fewest bytes that are worth a connection of their own."""
    settle_s: float = 2.0
    """The time the speed is measured before another connection is added."""
    fast_bytes_per_s: float = 100e6
    """The speed beyond which no connection is added."""


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

    `remote` is asked anew at every request. `progress` gets the bytes present so far on the caller's thread, now and
    then; they fall where the disk has damaged some. With a `client` connections last from file to file. The transfer
    reconnects while bytes keep coming and tries twice before it raises: callers need not try the same source again.
    A whole part costs no request. Raises SourceFault, DiskFault or Interrupted; the part keeps and journals its bytes.
    HashMismatch's params hold `resumed`: the part held bytes before this call, the wrong ones may be among them.
    """
    own = client or HttpClient(connect_s=options.connect_s, silence_s=options.silence_s)
    try:
        return _Transfer(part, remote, options, own).run(cancelled, progress)
    finally:
        if client is None:
            own.close()


class _Transfer:
    def __init__(
        self, part: PartFile, remote: Callable[[], Remote], options: TransferOptions, client: HttpClient
    ) -> None:
        self._part = part
        self._remote = remote
        self._source = ""
        self._resumed = part.present_bytes > 0
        self._was_whole = part.is_whole
        self._wake = threading.Event()
        self._stop = threading.Event()
        self._connections: list[Connection] = []
        self._claims = Claims(part.missing())
        self._job = SharedTransfer(
            part=part,
            remote=self._ask_remote,
            client=client,
            claims=self._claims,
            patience=Patience(options.tries, options.patience_s, options.backoff_s),
            smallest_piece=options.smallest_piece,
            stop=self._stop,
            is_alone=lambda: sum(connection.is_alive for connection in self._connections) < 2,
            report=self._wake.set,
        )
        self._watch = Watch(options.silence_s, options.stall_s)
        # Only a sha256 can prove that bytes of several answers belong together.
        most = options.connections if part.want.sha256 else 1
        self._growth = Growth(most, options.settle_s, options.fast_bytes_per_s)
        self._helpers = (Helper("download-hash", self._follow), Helper("download-sync", self._keep))

    def run(self, cancelled: CancelCheck, progress: Callable[[int], None]) -> str:
        for helper in self._helpers:
            helper.start()
        try:
            self._supervise(cancelled, progress)
        finally:
            self._end()
        return self._part.prefix_hash.digest()

    def _ask_remote(self) -> Remote:
        remote = self._remote()
        self._source = remote.source
        return remote

    def _supervise(self, cancelled: CancelCheck, progress: Callable[[int], None]) -> None:
        reported = -1
        while True:
            if cancelled():
                raise Interrupted
            for helper in self._helpers:
                helper.check()
            if (present := self._part.present_bytes) != reported:
                progress(present)
                reported = present
            if self._is_hashed() and self._is_right():
                return
            self._staff()
            self._watch.check(self._connections)
            self._wake.wait(_TICK_S)
            self._wake.clear()

    def _is_hashed(self) -> bool:
        return self._part.is_whole and self._part.prefix_hash.position == self._part.want.size

    def _is_right(self) -> bool:
        """Whether the content is right; False where the transfer begins anew. Raises HashMismatch."""
        want = self._part.want
        if want.sha256 in (None, self._part.prefix_hash.digest()):
            return True
        if not self._was_whole:
            raise HashMismatch(source=self._source, file=want.file, resumed=self._resumed)
        logger.warning("the part of %s was damaged on the disk: fetching it anew", want.file)
        self._was_whole = self._resumed = False
        self._part.reset()
        return False

    def _staff(self) -> None:
        """Drop connections that have ended; start the first one, or one more. Raises the fault of the last one."""
        ended = [connection for connection in self._connections if not connection.is_alive]
        self._connections = alive = [connection for connection in self._connections if connection not in ended]
        for connection in ended:
            if connection.fault is not None and not isinstance(connection.fault, SourceFault):
                raise connection.fault
        if alive:
            if any(connection.fault for connection in ended):
                self._growth.limit(len(alive))
            if self._claims.largest >= 2 * self._job.smallest_piece and self._growth.wants_more(alive):
                self._add_connection()
            return
        faults = [connection.fault for connection in ended if connection.fault]
        if faults and len(faults) == len(ended):
            raise faults[-1]
        if not self._part.is_whole:
            if not self._claims.has_free:
                self._claims.free(self._part.missing())
            self._add_connection()

    def _add_connection(self) -> None:
        connection = Connection(self._job)
        self._connections.append(connection)
        connection.start()

    def _follow(self) -> None:
        """Hash the bytes that have come, until the end."""
        part = self._part
        while not self._stop.is_set():
            prefix = part.prefix_hash
            limit = min(part.prefix_end, prefix.position + _FOLLOW_BYTES)
            if limit <= prefix.position:
                self._stop.wait(_FOLLOW_S)
                continue
            try:
                with disk_faults(part.path):
                    damaged = prefix.advance(limit)
            except DiskFault:
                if prefix is part.prefix_hash:
                    raise
                continue  # the part was begun anew meanwhile
            if damaged:
                logger.warning("%s: bytes %d to %d were damaged on the disk", part.want.file, *damaged)
                part.forget(*damaged)  # a connection claims them when nothing else is missing
                self._wake.set()
            if prefix.position == part.want.size:
                self._wake.set()

    def _keep(self) -> None:
        """Journal the bytes written, again and again."""
        synced_at = time.monotonic()
        while not self._stop.wait(_TICK_S):
            unsynced, now = self._part.unsynced_bytes, time.monotonic()
            if unsynced >= _SYNC_BYTES or (unsynced and now - synced_at >= _SYNC_S):
                self._part.sync()
                synced_at = time.monotonic()

    def _end(self) -> None:
        """End all work, but for a connection that is being made: that wait can't be ended, and after it the thread ends
        without a trace."""
        for connection in self._connections if self._part.is_whole else ():
            connection.join(_TICK_S)  # the thread is about to end, and leaves its line for the next file
        self._stop.set()
        for connection in self._connections:
            connection.cut()
        until = time.monotonic() + _FAREWELL_S
        for connection in self._connections:
            connection.join(max(0.0, until - time.monotonic()))
        for helper in self._helpers:
            helper.join()
        self._part.sync()
