"""ModelScope: listings and addresses of files."""

from __future__ import annotations

from tts_core.catalogue import ModelEntry
from tts_core.downloads.hub import Listing, Remote
from tts_core.downloads.task import SourceId


class ModelScopeHub:
    """Fits Hub."""

    def __init__(self, endpoint: str) -> None:
        self.id: SourceId = "modelscope"
        self.endpoint = endpoint

    def has(self, entry: ModelEntry) -> bool:
        raise NotImplementedError

    def probe_url(self, entry: ModelEntry) -> str:
        raise NotImplementedError

    def listing(self, entry: ModelEntry, *, newest: bool = False) -> Listing:
        raise NotImplementedError

    def remote(self, entry: ModelEntry, listing: Listing, path: str) -> Remote:
        raise NotImplementedError
