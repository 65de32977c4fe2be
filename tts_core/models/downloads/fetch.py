"""Fetches one model: look at the disk, take over copies, fetch the rest from the best source, verify, put in place.

The policy is the table of `download_faults.Rule`. Trying a source again (RETRY, RESOLVE) is the transfer's work; here
a source is waited for (WAIT), left for the next one (SWITCH), its bytes are set aside (DISCARD); PAUSE and STOP leave.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from tts_core.domain.events import CheckProgress
from tts_core.models.catalogue import ModelEntry, ModelFile
from tts_core.models.download_faults import (
    FilesStillWrong,
    HashMismatch,
    Interrupted,
    NotFoundThere,
    RateLimited,
    Rule,
    SourceFault,
)
from tts_core.models.download_task import Note, Phase, Provider
from tts_core.models.downloads.adopt import adopt
from tts_core.models.downloads.disk import check_space
from tts_core.models.downloads.existing import CopyPlaces, find_copies
from tts_core.models.downloads.fallback import Fallback, OrderedSources
from tts_core.models.downloads.hub import Listing
from tts_core.models.downloads.hubs.ordering import Candidate, hubs, order_sources
from tts_core.models.downloads.run import Run
from tts_core.models.downloads.transfer.part_file import PartStore, Want, want_of
from tts_core.models.status import ModelStatuses
from tts_core.platform.settings.sources import SourceSettings

if TYPE_CHECKING:
    from tts_core.models.downloads.transfer.http import HttpClient
    from tts_core.models.downloads.transfer.transfer import TransferOptions

logger = logging.getLogger(__name__)

_LOOKS = 2
"""The number of rounds: files may change while others are fetched; a folder that keeps changing is given up."""
_LONGEST_WAIT_S = 60.0
_LONGEST_WAIT_WITH_OTHERS_S = 25.0
"""The longest wait that a source is granted while another one is left: people should not wait needlessly."""
_STALL_WITH_OTHERS_S = 17.0
"""The stall limit while other sources are left: two tries, and then time for the others within half a minute."""
_HURRY_S = 5.0
"""The patience with each source after one that went silent, until bytes come again: all are tried within half a
minute."""
_HURRIED_STALL_S = 6.0
"""The patience with such a source that sends a little again and again."""
_SOON_S = 2.0
"""The time within which a failed listing is asked for a second time."""
_PAUSE_S = 0.5
_PROOF_BYTES = 1 << 20
"""The bytes that prove that a source is not just dripping."""
Answer = TypeVar("Answer")


class HubFetcher:
    """Fetches models from hubs. Thread-safe; each fetch has its own state and asks `places` and `settings` anew."""

    def __init__(
        self,
        models: ModelStatuses,
        parts: PartStore,
        places: Callable[[], CopyPlaces],
        settings: Callable[[], SourceSettings],
    ) -> None:
        self._models = models
        self._parts = parts
        self._places = places
        self._settings = settings

    def is_ready(self, key: str, run: Run) -> bool:
        """Whether the model is ready on the disk; reads through files that were not read yet. Raises Cancelled."""
        return not self._look(key, run) and self._models.status(key).valid

    def fetch(self, key: str, provider: Provider, run: Run) -> None:
        """Make the model ready; the caller holds the folder's lock. Raises DownloadFault, Cancelled."""
        for _ in range(_LOOKS):
            wanted = self._look(key, run)
            if not wanted:
                break
            _Fetch(self._models, self._parts, key, run).bring(wanted, provider, self._places(), self._settings())
        if self._look(key, run) or not self._models.status(key).valid:
            raise FilesStillWrong(reasons=self._models.status(key).disk_reason)

    def _look(self, key: str, run: Run) -> tuple[ModelFile, ...]:
        """The files that are missing or wrong, after every other one has been read through."""
        before = self._models.held_bytes(key)
        done, total = sum(before.values()), self._models.entry(key).total_bytes
        run.begin(Phase.VERIFYING, done=done, total=total)
        for event in self._models.validate(key, deep=True, cancelled=run.cancelled):
            if isinstance(event, CheckProgress):
                run.begin(Phase.VERIFYING, done=done, total=total, file=event.file)
        held = self._models.held_bytes(key)
        wanted = self._models.files_to_fetch(key)
        for file in wanted:
            if held[file.path] < before[file.path]:
                params = {"file": file.path, "source": str(self._models.folder(key))}
                run.note(Note(HashMismatch.code, params, source="local"), lost_to=sum(held.values()))
        return wanted


@dataclass
class _Fetch:
    """The state of one model's fetch."""

    models: ModelStatuses
    parts: PartStore
    key: str
    run: Run
    held: dict[str, int] = field(default_factory=dict)
    """The bytes of each file that need not be fetched."""
    is_hurried: bool = False
    """Whether the last source went silent and no byte has come since."""

    @property
    def entry(self) -> ModelEntry:
        return self.models.entry(self.key)

    @property
    def done(self) -> int:
        return sum(self.held.values())

    def bring(
        self, wanted: Sequence[ModelFile], provider: Provider, places: CopyPlaces, settings: SourceSettings
    ) -> None:
        self.held = self.models.held_bytes(self.key)
        left = self._adopt(wanted, places)
        if not left:
            return
        self._begin(Phase.RESOLVING)
        self._check_space(left)
        candidates = order_sources(self.entry, provider, hubs(settings), settings, cancelled=self.run.cancelled)
        sources = OrderedSources(self.entry, candidates, provider, left)
        if not sources.candidates:
            raise NotFoundThere(source=self.entry.display_name)
        if provider != "auto" and sources.candidates[0].hub.id != provider:
            note = Note(NotFoundThere.code, {"source": provider}, provider, sources.candidates[0].hub.id)
            self.run.note(note)
        from tts_core.models.downloads.transfer.http import HttpClient  # noqa: PLC0415 - starting stays light
        from tts_core.models.downloads.transfer.transfer import TransferOptions  # noqa: PLC0415

        options = TransferOptions()
        with HttpClient(connect_s=options.connect_s, silence_s=options.silence_s) as client:
            for file in sorted(left, key=lambda file: file.size):  # a wrong source shows early
                self._check_space((file,))
                self._fetch(file, sources, options, client)

    def _adopt(self, wanted: Sequence[ModelFile], places: CopyPlaces) -> list[ModelFile]:
        """Take over copies from elsewhere on this machine; returns the files that are left."""
        left = {file.path: file for file in wanted}
        self._begin(Phase.ADOPTING)
        for file, copy in find_copies(wanted, self.entry, places):
            if file.path not in left or file.sha256 is None:
                continue
            self._begin(Phase.ADOPTING, file)
            want, target = want_of(file, self.entry.hf), self._target(file)
            if adopt(copy.path, want, target, cancelled=self.run.cancelled, progress=lambda _done: None):
                logger.info("%s of %s taken over from %s", file.path, self.key, copy.path)
                self.models.remember(self.key, file, file.sha256)
                self.parts.discard(want)
                self._holds(file, file.size)
                del left[file.path]
                self._begin(Phase.ADOPTING, file, source="local")
            if not left:
                break
        return list(left.values())

    def _fetch(self, file: ModelFile, sources: OrderedSources, options: TransferOptions, client: HttpClient) -> None:
        """Fetch the file from the best source that has it. Raises DownloadFault when none has."""
        turns, wrong_from, failure = Fallback(sources), set[str](), None
        while (candidate := turns.next()) is not None:
            if failure is not None:
                self._note_failure(*failure, next_source=candidate)
            want = None
            try:
                listing = self._patiently(candidate, turns, file, partial(self._listing, sources, candidate, file))
                want = self._want(file, listing)
                patience = options if turns.is_last else replace(options, stall_s=_STALL_WITH_OTHERS_S)
                work = partial(self._transfer, want, listing, candidate, patience, client)
                self._patiently(candidate, turns, file, work)
            except SourceFault as fault:
                logger.warning("%s of %s: %s %s", file.path, self.key, fault.code, fault.message)
                failure = candidate, fault
                if want is not None and fault.rule is Rule.DISCARD:
                    self._discard(want, file)
                if isinstance(fault, HashMismatch):
                    if fault.params.get("resumed"):  # earlier bytes are in it: the source's are not proven wrong
                        continue
                    wrong_from.add(candidate.hub.id)
                    if len(wrong_from) > 1:
                        self._note_failure(candidate, fault)
                        raise
                self.is_hurried = fault.rule is Rule.RETRY
                turns.failed(candidate, fault)
            else:
                return
        if failure is not None:
            self._note_failure(*failure)
        raise turns.verdict()

    def _listing(self, sources: OrderedSources, candidate: Candidate, file: ModelFile) -> Listing:
        self._begin(Phase.RESOLVING, file, source=candidate.hub.id, reason=candidate.reason)
        began = time.monotonic()
        try:
            return sources.listing(candidate, file)
        except SourceFault as fault:
            if fault.rule not in (Rule.RETRY, Rule.RESOLVE) or time.monotonic() - began > _SOON_S:
                raise
            logger.info("%s from %s; trying again", fault.code, candidate.hub.endpoint)
            if self.run.wait(_PAUSE_S):
                raise Interrupted from fault
        return sources.listing(candidate, file)

    def _want(self, file: ModelFile, listing: Listing) -> Want:
        """The wanted content, with the listing's sha256 where the catalogue has none."""
        return want_of(replace(file, sha256=file.sha256 or listing.files[file.path].sha256), self.entry.hf)

    def _transfer(
        self, want: Want, listing: Listing, candidate: Candidate, options: TransferOptions, client: HttpClient
    ) -> None:
        from tts_core.models.downloads.transfer.transfer import transfer  # noqa: PLC0415

        file = next(file for file in self.entry.files if file.path == want.file)
        self._holds(file, self.parts.present_bytes(want))
        self._begin(Phase.TRANSFERRING, file, source=candidate.hub.id, reason=candidate.reason)
        first = self.held[file.path]

        def progress(present: int) -> None:
            self.is_hurried = self.is_hurried and present - first < _PROOF_BYTES
            self._holds(file, present)
            self.run.bytes(self.done)

        if self.is_hurried:
            options = replace(
                options, connect_s=_HURRY_S, silence_s=_HURRY_S, stall_s=_HURRIED_STALL_S, tries=1, patience_s=0.0
            )
        with self.parts.open(want) as part:
            sha256 = transfer(
                part,
                lambda: candidate.hub.remote(self.entry, listing, file.path),
                options,
                cancelled=self.run.cancelled,
                progress=progress,
                client=None if self.is_hurried else client,
            )
        self.is_hurried = False
        self._holds(file, file.size)
        self._begin(Phase.VERIFYING, file)
        self.parts.publish(want, self._target(file))
        if want.sha256 is not None:
            self.models.remember(self.key, file, sha256)
        elif file in self.models.files_to_fetch(self.key):  # without a hash: content that does not fit its name
            raise HashMismatch(source=candidate.hub.endpoint, file=file.path)

    def _patiently(self, candidate: Candidate, turns: Fallback, file: ModelFile, work: Callable[[], Answer]) -> Answer:
        """Do the work, waiting as long as the source asks where that is bearable and bytes came since the last wait."""
        held_before = -1
        longest = _LONGEST_WAIT_S if turns.is_last else _LONGEST_WAIT_WITH_OTHERS_S
        while True:
            try:
                return work()
            except RateLimited as fault:
                seconds = fault.params.get("retry_after_s")
                held = self.held[file.path]
                if not isinstance(seconds, (int, float)) or seconds > longest or held == held_before:
                    raise
                held_before = held
                logger.info("%s asks to wait %s s", candidate.hub.endpoint, seconds)
                self._note_failure(candidate, fault)
                if self.run.wait(max(1.0, seconds)):
                    raise Interrupted from fault

    def _discard(self, want: Want, file: ModelFile) -> None:
        """Set the wrong bytes aside, where people can look at them."""
        aside = self.parts.set_aside(want)
        if aside is not None:
            logger.warning("wrong content of %s kept as %s", file.path, aside)
        self._holds(file, self.parts.present_bytes(want))

    def _note_failure(self, candidate: Candidate, fault: SourceFault, next_source: Candidate | None = None) -> None:
        next_id = next_source.hub.id if next_source is not None and next_source is not candidate else ""
        note = Note(fault.code, fault.params, candidate.hub.id, next_id)
        self.run.note(note, lost_to=self.done if fault.rule is Rule.DISCARD else None)

    def _check_space(self, files: Sequence[ModelFile]) -> None:
        check_space(self._target(files[0]).parent, sum(file.size - self.held[file.path] for file in files))

    def _target(self, file: ModelFile) -> Path:
        return self.models.folder(self.key) / file.path

    def _holds(self, file: ModelFile, count: int) -> None:
        self.held[file.path] = count

    def _begin(self, phase: Phase, file: ModelFile | None = None, *, source: str = "", reason: str = "") -> None:
        total, path = self.entry.total_bytes, file.path if file else ""
        self.run.begin(phase, done=self.done, total=total, file=path, source=source, reason=reason)
