"""The choice of the source for a file: the order, the failures so far, and the verdict when no source is left."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from tts_core.models.catalogue import ModelEntry, ModelFile
from tts_core.models.download_faults import AllSourcesFailed, DownloadFault, NetConnect, NetDns, NetTimeout, SourceFault
from tts_core.models.download_task import Provider, SourceId
from tts_core.models.downloads.hub import Listing
from tts_core.models.downloads.hubs.listings import check_published
from tts_core.models.downloads.hubs.ordering import Candidate

_UNREACHABLE = (NetDns, NetConnect, NetTimeout)
"""Faults that say nothing about the model, unlike those of a source that answered."""


class OrderedSources:
    """The sources of one download, best first. `wanted` are the files that the download needs."""

    def __init__(
        self, entry: ModelEntry, candidates: Sequence[Candidate], provider: Provider, wanted: Sequence[ModelFile]
    ) -> None:
        self.candidates = tuple(candidate for candidate in candidates if candidate.hub.has(entry))
        self.provider = provider
        self.failed: dict[SourceId, SourceFault] = {}
        """The sources that are asked for nothing more unless all others fail, too."""
        self._entry = entry
        self._wanted = tuple(wanted)
        self._listings: dict[SourceId, Listing] = {}

    def listing(self, candidate: Candidate, file: ModelFile) -> Listing:
        """The source's list of files, asked for once; raises SourceFault where it is not the published one.

        A source that has another version of any wanted file is given up as a whole, before it has sent anything; where
        it is the last hope, only `file` counts.
        """
        hub, is_last_hope = candidate.hub, candidate.hub.id in self.failed
        listing = self._listings.get(hub.id)
        if listing is None or is_last_hope:
            listing = hub.listing(self._entry)
            check_published((file,) if is_last_hope else self._wanted, listing, hub.endpoint)
            self._listings[hub.id] = listing
        return listing


class Fallback:
    """The order of sources that try to deliver one file."""

    def __init__(self, sources: OrderedSources) -> None:
        self._sources = sources
        self._faults: dict[SourceId, SourceFault] = {}

    def next(self) -> Candidate | None:
        """The best source that has not failed; then those that failed at other files; None when all failed here."""
        left = self._left()
        fresh = (candidate for candidate in left if candidate.hub.id not in self._sources.failed)
        return next(fresh, left[0] if left else None)

    @property
    def is_last(self) -> bool:
        """Whether no source could take over from the next one."""
        return len(self._left()) == 1

    def failed(self, candidate: Candidate, fault: SourceFault) -> None:
        """Note any fault of a source: one that sent a wrong file is not trusted with the next file either."""
        self._faults[candidate.hub.id] = self._sources.failed[candidate.hub.id] = fault

    def verdict(self) -> DownloadFault:
        """The most informative fault, or AllSourcesFailed where the sources' faults differ."""
        return verdict(self._faults, self._sources.provider)

    def _left(self) -> list[Candidate]:
        return [candidate for candidate in self._sources.candidates if candidate.hub.id not in self._faults]


def verdict(faults: Mapping[SourceId, SourceFault], provider: Provider) -> DownloadFault:
    """The fault of the source asked for by name, else the one all reached sources agree on, else AllSourcesFailed."""
    for source, fault in faults.items():
        if source == provider:
            return fault
    telling = [fault for fault in faults.values() if not isinstance(fault, _UNREACHABLE)] or list(faults.values())
    if len({fault.code for fault in telling}) == 1:
        return telling[0]
    return AllSourcesFailed(reasons=" ".join(fault.message for fault in faults.values()))
