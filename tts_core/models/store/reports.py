"""The store's reports as data: progress on the way and one result at the end."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path

from tts_core.models.download_task import SourceId


@dataclass(frozen=True, slots=True)
class StoreProgress:
    file: str
    """The file at work on, with forward slashes."""
    done_bytes: int
    total_bytes: int


Progress = Callable[[StoreProgress], None]


@dataclass(slots=True)
class Meter:
    """A meter that adds chunks up and reports them, never more than the announced total."""

    progress: Progress
    total_bytes: int
    file: str = ""
    done_bytes: int = 0

    def count(self, chunk_bytes: int) -> None:
        self.done_bytes = min(self.done_bytes + chunk_bytes, self.total_bytes)
        self.progress(StoreProgress(self.file, self.done_bytes, self.total_bytes))


@dataclass(frozen=True, slots=True)
class Removal:
    """The files that deleting a model takes away, or has taken away."""

    key: str
    folder: Path
    files: tuple[Path, ...]
    """The model's files, finished, unfinished and set aside."""
    freed_bytes: int
    """The bytes that the disk really gets back: a file that lives on in another model counts for nothing."""
    shared_bytes: int
    """The bytes of files that live on under another name."""
    left: tuple[str, ...]
    """The other files in the folder, which stay; paths inside it."""


@dataclass(frozen=True, slots=True)
class MovePlan:
    """The effect of a move of the models folder."""

    source: Path
    target: Path
    total_bytes: int
    """The bytes still to be moved."""
    is_copied: bool
    """Whether files are copied, to another volume; within one volume only names change."""
    free_bytes: int
    """The free bytes on the target's volume."""


@dataclass(frozen=True, slots=True)
class Moved:
    """The models folder lies elsewhere now. A studio that runs already has to start anew to see it."""

    source: Path
    target: Path
    left: tuple[str, ...]
    """The things that stayed behind: not the studio's, new or changed meanwhile, or impossible to remove."""
    variable: str = ""
    """The environment variable that still names the old folder and must be changed by hand; "" if none does."""


@dataclass(frozen=True, slots=True)
class Exported:
    key: str
    folder: Path
    """The folder that holds the files and the manifest."""
    total_bytes: int


@dataclass(frozen=True, slots=True)
class Imported:
    key: str
    folder: Path
    adopted: tuple[str, ...]
    """The files that were taken over, paths inside the model's folder."""
    missing: tuple[str, ...]
    """The files that were not found, or only with other content than the published one."""
    was_ready: bool = False
    """Whether the model was complete before, so that nothing was touched."""


class UpdateState(str, Enum):
    UP_TO_DATE = "up_to_date"
    UPDATE_AVAILABLE = "update_available"
    UNKNOWN = "unknown"
    """The source could not be asked."""


@dataclass(frozen=True, slots=True)
class SourceUpdate:
    """The newest version at one source. It never changes a model's state: the files here stay valid."""

    source: SourceId
    state: UpdateState
    revision: str = ""
    """The newest revision there."""
    differing: tuple[str, ...] = ()
    """The files with another sha256 (size, where the source reports no sha256), and files it no longer has."""
    code: str = ""
    """The fault's code, with its `params` and English `message`, if the state is unknown."""
    params: Mapping[str, object] = field(default_factory=dict)
    message: str = ""


@dataclass(frozen=True, slots=True)
class UpdateReport:
    key: str
    revision: str
    """The revision that the catalogue pins."""
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
    """Whether the file was written a moment ago: a program may still write it, so it is not removed."""


@dataclass(frozen=True, slots=True)
class Cleaned:
    removed: tuple[Path, ...]
    freed_bytes: int
    kept: tuple[Path, ...]
    """The files that stayed: changed since they were listed, or in use."""
