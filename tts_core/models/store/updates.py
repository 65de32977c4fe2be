"""The check for versions at the hubs newer than the catalogue's. Asks for listings only; changes nothing."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from tts_core.domain.engine import CancelCheck
from tts_core.domain.errors import Cancelled
from tts_core.models.catalogue import ModelEntry
from tts_core.models.download_faults import Offline, Rule, SourceFault
from tts_core.models.download_task import SourceId
from tts_core.models.downloads.hub import Hub, Listing
from tts_core.models.store.reports import SourceUpdate, UpdateReport, UpdateState


def check_updates(
    entries: Sequence[ModelEntry], hubs: Sequence[Hub], *, is_offline: bool, cancelled: CancelCheck
) -> Iterator[UpdateReport]:
    """Yield a report per model. A source that can't be reached is asked once, not again for each model.

    Raises Offline and Cancelled.
    """
    if is_offline:
        raise Offline
    unreachable: dict[SourceId, SourceUpdate] = {}
    for entry in entries:
        answers = []
        for hub in hubs:
            if cancelled():
                raise Cancelled
            if hub.has(entry):
                answers.append(unreachable.get(hub.id) or _ask(hub, entry, unreachable))
        yield UpdateReport(entry.key, entry.hf_revision, tuple(answers))


def _ask(hub: Hub, entry: ModelEntry, unreachable: dict[SourceId, SourceUpdate]) -> SourceUpdate:
    try:
        listing = hub.listing(entry, newest=True)
    except SourceFault as fault:
        answer = SourceUpdate(hub.id, UpdateState.UNKNOWN, code=fault.code, params=fault.params, message=fault.message)
        if fault.rule is Rule.RETRY:  # the network's trouble, not the model's
            unreachable[hub.id] = answer
        return answer
    differing = _differing(entry, listing)
    state = UpdateState.UPDATE_AVAILABLE if differing else UpdateState.UP_TO_DATE
    return SourceUpdate(hub.id, state, listing.revision, differing)


def _differing(entry: ModelEntry, listing: Listing) -> tuple[str, ...]:
    """The model's files that differ; a new revision that changes only files the model does not need is no update."""
    differing = []
    for file in entry.files:
        remote = listing.files.get(file.path)
        has_both = remote is not None and remote.sha256 is not None and file.sha256 is not None
        if remote is None or remote.size not in (file.size, None) or (has_both and remote.sha256 != file.sha256):
            differing.append(file.path)
    return tuple(differing)
