"""The protocol of a hub: a listing, and an address for each file. Adapters: hugging_face.py, modelscope.py."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

from tts_core.models.catalogue import ModelEntry
from tts_core.models.download_task import SourceId


@dataclass(frozen=True, slots=True)
class RemoteFile:
    path: str
    """The path inside the repository, with forward slashes; checked to stay inside a folder."""
    size: int | None
    """The size in bytes; None where the hub does not report it, like olah for a repository of its own."""
    sha256: str | None
    """The file's hash; None where the hub does not report it (small files on Hugging Face)."""


@dataclass(frozen=True, slots=True)
class Listing:
    revision: str
    """The listed commit where the hub has them, else the branch."""
    files: Mapping[str, RemoteFile]


@dataclass(frozen=True, slots=True)
class Remote:
    """The address where the bytes of one file can be asked for."""

    url: str
    source: str
    """The host name, for people."""
    headers: Mapping[str, str] = field(default_factory=dict)
    """The headers to send, never logged: they may hold a token."""


class Hub(Protocol):
    @property
    def id(self) -> SourceId: ...
    @property
    def endpoint(self) -> str:
        """The hub's scheme and host, e.g. "https://hf-mirror.com"."""

    def has(self, entry: ModelEntry) -> bool:
        """Whether the catalogue names a repository of that model for this hub."""

    def probe_url(self, entry: ModelEntry) -> str:
        """An address whose answer is short, and never a file's bytes."""

    def listing(self, entry: ModelEntry, *, newest: bool = False) -> Listing:
        """The files of the catalogue's revision, or of the newest one. Raises SourceFault within 30 s."""

    def remote(self, entry: ModelEntry, listing: Listing, path: str) -> Remote:
        """The address of one file; costs no request."""
