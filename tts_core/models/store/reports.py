"""What the store tells: progress on the way and one result at the end, as data."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path

from tts_core.models.download_task import SourceId


@dataclass(frozen=True, slots=True)
class StoreProgress:
    file: str
    """At work on, with forward slashes."""
    done_bytes: int
    total_bytes: int


Progress = Callable[[StoreProgress], None]


@dataclass(slots=True)
class Meter:
    """Adds chunks up; never tells more than was announced."""

    progress: Progress
    total_bytes: int
    file: str = ""
    done_bytes: int = 0

    def count(self, chunk_bytes: int) -> None:
        self.done_bytes = min(self.done_bytes + chunk_bytes, self.total_bytes)
        self.progress(StoreProgress(self.file, self.done_bytes, self.total_bytes))


@dataclass(frozen=True, slots=True)
class Removal:
    """What deleting a model takes away, or has taken away."""

    key: str
    folder: Path
    files: tuple[Path, ...]
    """Of the model: its files, its unfinished ones, those that were set aside."""
    freed_bytes: int
    """What the disk really gets back: a file that lives on in another model counts for nothing."""
    shared_bytes: int
    """Of files that live on under another name."""
    left: tuple[str, ...]
    """What else lies in the folder and stays, paths inside it."""


@dataclass(frozen=True, slots=True)
class MovePlan:
    """What a move of the models folder would do."""

    source: Path
    target: Path
    total_bytes: int
    """Still to be moved."""
    is_copied: bool
    """To another volume, byte by byte; within one volume only names change."""
    free_bytes: int
    """On the target's volume."""


@dataclass(frozen=True, slots=True)
class Moved:
    """The models folder lies elsewhere now. Whoever runs already has to start anew to see it."""

    source: Path
    target: Path
    left: tuple[str, ...]
    """What stayed behind: it is nothing of the studio's, came or changed meanwhile, or could not be removed."""
    variable: str = ""
    """The environment variable that still names the old folder and must be changed by hand; "" if none does."""


@dataclass(frozen=True, slots=True)
class Exported:
    key: str
    folder: Path
    """Holds the files and the manifest."""
    total_bytes: int


@dataclass(frozen=True, slots=True)
class Imported:
    key: str
    folder: Path
    adopted: tuple[str, ...]
    """Files that were taken over, paths inside the model's folder."""
    missing: tuple[str, ...]
    """Files that were not found, or only with other content than the published one."""
    was_ready: bool = False
    """The model was complete before: nothing was touched."""


class UpdateState(str, Enum):
    UP_TO_DATE = "up_to_date"
    UPDATE_AVAILABLE = "update_available"
    UNKNOWN = "unknown"
    """The source could not be asked."""


@dataclass(frozen=True, slots=True)
class SourceUpdate:
    """What one source has now. Never changes a model's state: what is here stays valid."""

    source: SourceId
    state: UpdateState
    revision: str = ""
    """Newest there."""
    differing: tuple[str, ...] = ()
    """Files with another sha256 (size, where the source tells no sha256), and files it no longer has."""
    code: str = ""
    """Of the fault, with its `params` and English `message`, if the state is unknown."""
    params: Mapping[str, object] = field(default_factory=dict)
    message: str = ""


@dataclass(frozen=True, slots=True)
class UpdateReport:
    key: str
    revision: str
    """The one that the catalogue pins."""
    sources: tuple[SourceUpdate, ...]

    @property
    def state(self) -> UpdateState:
        states = [source.state for source in self.sources]
        for state in (UpdateState.UPDATE_AVAILABLE, UpdateState.UP_TO_DATE):
            if state in states:
                return state
        return UpdateState.UNKNOWN


class LeftoverKind(str, Enum):
    OTHER_CLIENT = "other_client"
    """An unfinished file of another download program."""
    PART = "part"
    """An unfinished file of ours that no model needs any more."""
    SET_ASIDE = "set_aside"
    """A file with wrong content that was moved out of the way."""


@dataclass(frozen=True, slots=True)
class Leftover:
    path: Path
    kind: LeftoverKind
    bytes: int
    is_recent: bool
    """Written a moment ago: somebody may still be at it, so it is not removed."""


@dataclass(frozen=True, slots=True)
class Cleaned:
    removed: tuple[Path, ...]
    freed_bytes: int
    kept: tuple[Path, ...]
    """Changed since they were listed, or in use."""
