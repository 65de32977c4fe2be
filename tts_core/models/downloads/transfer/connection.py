"""A connection at work on a part: it claims bytes, asks for them, writes them, and tries again when it breaks."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace

from tts_core.models.download_faults import NetStalled, NetTimeout, Rule, SizeMismatch, SourceFault
from tts_core.models.downloads.hub import Remote
from tts_core.models.downloads.transfer.claims import Claim, Claims
from tts_core.models.downloads.transfer.http import Ask, Body, HttpClient, Line, RangesUnusable
from tts_core.models.downloads.transfer.part_file import PartFile

logger = logging.getLogger(__name__)

_MOST_BACKOFF_S = 4.0


@dataclass(frozen=True, slots=True)
class Patience:
    """The patience of a connection with its source."""

    tries: int
    """The fruitless tries in a row before a fault counts."""
    seconds: float
    """The seconds since the last bytes before a fault counts; only once some have come."""
    backoff_s: float
    """The wait before the second try; doubled for each further one."""


@dataclass(frozen=True, slots=True)
class SharedTransfer:
    """The things that the connections of one transfer share."""

    part: PartFile
    remote: Callable[[], Remote]
    client: HttpClient
    claims: Claims
    patience: Patience
    smallest_piece: int
    stop: threading.Event
    is_alone: Callable[[], bool]
    """Answers whether no other connection is at work."""
    report: Callable[[], None]
    """Called when a connection has ended or has finished a claim."""


class Connection:
    """A connection with a thread of its own. Its attributes may be read from any other thread."""

    def __init__(self, job: SharedTransfer) -> None:
        self.received = 0
        """The bytes received, those included that were not needed."""
        self.since = time.monotonic()
        """The start of the present wait: for an answer, or for the body's bytes."""
        self.is_resting = False
        """Whether the connection rests between two tries."""
        self.takes_all = False
        """Whether whole files are asked for, since the server knows no ranges."""
        self.fault: Exception | None = None
        """The error that ended the connection; None if nothing was left to do."""
        self._job = job
        self._source = ""
        self._line: Line | None = None
        self._is_reading = False
        self._is_stalled = False
        self._failures = 0
        self._useful_at: float | None = None
        self._without_validator = False
        self._thread = threading.Thread(target=self._run, name="download", daemon=True)

    def start(self) -> None:
        self._thread.start()

    @property
    def is_alive(self) -> bool:
        return self._thread.is_alive()

    def join(self, timeout_s: float) -> None:
        self._thread.join(timeout_s)

    def cut(self, *, stalled: bool = False) -> None:
        """End the present wait; after a stall the connection tries again over a new line."""
        self._is_stalled = self._is_stalled or stalled
        if line := self._line:
            line.cut()

    def silence(self) -> SourceFault:
        """The fault that the present wait means when it has been too long."""
        return (NetStalled if self._is_reading else NetTimeout)(source=self._source)

    def _run(self) -> None:
        job = self._job
        try:
            while not job.stop.is_set() and (claim := job.claims.take(job.smallest_piece)):
                try:
                    self._try(claim)
                finally:
                    job.claims.give_back(claim)
                    job.report()
        except Exception as error:  # noqa: BLE001 - the transfer raises it on its own thread
            self.fault = error
        finally:
            job.report()

    def _try(self, claim: Claim) -> None:
        """Make a request. Returns when another one makes sense; raises SourceFault when this connection should end."""
        before, fault = claim.at, None
        self.since, self._is_reading, self._is_stalled = time.monotonic(), False, False
        line = self._line = self._job.client.take()
        try:
            self._fetch(line, claim)
        except SourceFault as error:
            fault = self.silence() if self._is_stalled else error
        except BaseException:
            line.close()
            raise
        finally:
            self._line = None
        if fault is None:
            self._job.client.give_back(line)
            return
        line.close()
        if claim.at > before:
            self._useful_at = time.monotonic()
        if not self._job.stop.is_set():
            self._after(fault, was_useful=claim.at > before and not self._is_stalled)

    def _after(self, fault: SourceFault, *, was_useful: bool) -> None:
        """Rest before the next try, or raise the fault."""
        if isinstance(fault, RangesUnusable) and not self.takes_all and self._job.is_alone():
            self.takes_all = True
            return
        patience = self._job.patience
        self._failures = 0 if was_useful else self._failures + 1
        is_worth_it = fault.rule in (Rule.RETRY, Rule.RESOLVE) and (was_useful or self._job.is_alone())
        is_recent = self._useful_at is not None and time.monotonic() - self._useful_at < patience.seconds
        if not is_worth_it or (self._failures >= patience.tries and not is_recent):
            raise fault
        logger.info("%s from %s; trying again", fault.code, self._source)
        self.is_resting = True
        self._job.stop.wait(min(patience.backoff_s * 2**self._failures, _MOST_BACKOFF_S))
        self.since, self.is_resting = time.monotonic(), False

    def _fetch(self, line: Line, claim: Claim) -> None:
        remote, part = self._job.remote(), self._job.part
        self._source, want = remote.source, part.want
        ask = Ask(want.file, want.size, want.sha256)
        if not self.takes_all:
            ask = replace(ask, start=claim.at, end=claim.end if claim.end < want.size else None)
        body = line.open(remote, ask, _no_etag if self._without_validator else part.etag)
        try:
            if self._suits(body, ask, claim):
                part.note_etag(body.address, body.etag)
                self._copy(body, claim)
        finally:
            body.close()

    def _suits(self, body: Body, ask: Ask, claim: Claim) -> bool:
        """Whether these bytes can be used; if not, the next try asks otherwise."""
        part, claims = self._job.part, self._job.claims
        if part.want.sha256 is None and part.present_bytes and not (body.start and body.was_validated):
            # Nothing but this address's own validator could prove that old and new bytes belong together.
            part.reset()
            claims.restart(claim, part.want.size)
            return body.start == 0
        if body.start == ask.start and not self.takes_all:
            return True
        if body.was_validated and part.want.sha256:
            self._without_validator = True  # another ETag, perhaps for the same bytes: the sha256 will prove it
            return False
        if not self._job.is_alone():
            raise RangesUnusable(source=self._source)
        self.takes_all = True
        claims.widen(claim, part.want.size)
        return True

    def _copy(self, body: Body, claim: Claim) -> None:
        job, at = self._job, body.start
        self._is_reading, self.since = True, time.monotonic()
        while claim.remaining:
            data = body.read()
            if job.stop.is_set():
                return
            if not data:
                raise NetStalled(source=self._source)
            self.received += len(data)
            skipped = min(len(data), max(0, claim.at - at))
            place, count = job.claims.advance(claim, len(data) - skipped)
            job.part.write(place, memoryview(data)[skipped : skipped + count])
            at += len(data)
        want = job.part.want
        if at > want.size and want.sha256 is None:
            job.part.reset()
            raise SizeMismatch(source=self._source, file=want.file)


def _no_etag(_address: str) -> None:
    return None
