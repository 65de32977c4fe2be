"""A model as the Models tab shows it, with what it offers to do: the disk's state and the download's, as one."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import Enum

from tts_core.models.catalogue import ModelEntry, ModelKind
from tts_core.models.download_task import DownloadTask
from tts_core.models.status import ModelState, ModelStatus, NextStep
from tts_core.platform.job import Job, JobKind, JobState
from tts_core.ui.words import Words


class Look(str, Enum):
    """The state of a model as people see it; the values are keys of the word tables (`state.…`)."""

    NOT_DOWNLOADED = "not_downloaded"
    WAITING = "waiting"
    DOWNLOADING = "downloading"
    STALLED = "stalled"
    PAUSED = "paused"
    FAILED = "failed"
    """The state after a download that ended with a fault."""
    INCOMPLETE = "incomplete"
    BROKEN = "error"
    """The state of a model whose files are there, but have a problem."""
    READY = "ready"

    @property
    def is_active(self) -> bool:
        return self in (Look.WAITING, Look.DOWNLOADING, Look.STALLED)


class Action(str, Enum):
    """The actions of a row's buttons; the values are keys of the word tables (`action.…`)."""

    DOWNLOAD = "download"
    CONVERT = "convert"
    """Make the model of a folder in an older form."""
    PAUSE = "pause"
    RESUME = "resume"
    RETRY = "retry"
    REPAIR = "repair"
    CANCEL = "cancel"
    MOVE_UP = "move_up"
    ASK_DELETE = "ask_delete"
    """Show what would be deleted; the answer is DELETE."""
    DELETE = "delete"
    DETAILS = "details"
    """Unfold the row's details, or fold them."""
    CHECK = "check"
    """Read every byte that was not read yet, and compare it with what was published."""
    STOP_CHECK = "stop_check"
    OPEN = "open"


FETCHES = (Action.DOWNLOAD, Action.RETRY, Action.REPAIR)
"""The actions that get missing files."""
_MAIN = {
    Look.NOT_DOWNLOADED: Action.DOWNLOAD,
    Look.WAITING: Action.PAUSE,
    Look.DOWNLOADING: Action.PAUSE,
    Look.STALLED: Action.PAUSE,
    Look.PAUSED: Action.RESUME,
    Look.FAILED: Action.RETRY,
    Look.INCOMPLETE: Action.REPAIR,
    Look.BROKEN: Action.REPAIR,
}
_DISK_LOOKS = {
    ModelState.READY: Look.READY,
    ModelState.INCOMPLETE: Look.INCOMPLETE,
    ModelState.ERROR: Look.BROKEN,
}
_TASK_LOOKS = {
    JobState.WAITING: Look.WAITING,
    JobState.PAUSED: Look.PAUSED,
    JobState.ERROR: Look.FAILED,
}


class Group(str, Enum):
    """The groups of models in the list, by what people come for; the values are keys of the word tables (`group.…`)."""

    SPEAK = "speak"
    CLONE = "clone"
    DESIGN = "design"
    TRANSCRIBE = "transcribe"
    CODEC = "codec"
    SMALL = "small"


_GROUPS = {
    ModelKind.CUSTOM_VOICE: Group.SPEAK,
    ModelKind.BASE: Group.CLONE,
    ModelKind.VOICE_DESIGN: Group.DESIGN,
    ModelKind.WHISPER: Group.TRANSCRIBE,
    ModelKind.TOKENIZER: Group.CODEC,
    ModelKind.HIBARI: Group.SMALL,
    ModelKind.PIPER: Group.SMALL,
}
_KIND_ORDER = tuple(_GROUPS)


@dataclass(frozen=True, slots=True)
class ModelView:
    status: ModelStatus
    is_first_choice: bool = False
    conversion: Job | None = None
    """The newest conversion of the model since the start, finished or not."""

    @property
    def task(self) -> DownloadTask | None:
        """The newest download since the start, finished or not."""
        return self.status.download

    @property
    def entry(self) -> ModelEntry:
        return self.status.entry

    def name(self, words: Words) -> str:
        return words.model(self.entry.display_name)

    @property
    def group(self) -> Group:
        return _GROUPS[self.entry.kind]

    @property
    def look(self) -> Look:
        task, on_disk = self.task, _DISK_LOOKS.get(self.status.state, Look.NOT_DOWNLOADED)
        if task is not None and task.state is JobState.RUNNING:
            return Look.STALLED if task.stalled else Look.DOWNLOADING
        if task is None or (on_disk is Look.READY and task.state is not JobState.WAITING):
            return on_disk
        return _TASK_LOOKS.get(task.state, on_disk)

    @property
    def main_action(self) -> Action | None:
        """The action that most people want next."""
        if self.is_converting:
            return None
        if self.look is Look.NOT_DOWNLOADED and self.status.next_step is NextStep.CONVERT:
            return Action.CONVERT
        if not (self.entry.hf or self.entry.modelscope):
            return None
        return Action.RESUME if self.is_kept else _MAIN.get(self.look)

    @property
    def is_kept(self) -> bool:
        """Whether a download was left before its end and goes on where it was: nothing of it is wrong."""
        status, task = self.status, self.task
        if self.look not in (Look.NOT_DOWNLOADED, Look.INCOMPLETE) or status.problems:
            return False
        if task is not None and task.state is JobState.CANCELLED:
            return status.bytes_done > 0
        whole = sum(file.size for file in self.entry.files if file.path not in status.missing)
        return self.look is Look.INCOMPLETE and status.bytes_done > whole

    @property
    def is_converting(self) -> bool:
        return self.conversion is not None and self.conversion.state.is_active

    @property
    def can_cancel(self) -> bool:
        return self.look.is_active or self.is_converting or self.look in (Look.PAUSED, Look.FAILED)

    @property
    def can_move_up(self) -> bool:
        return self.look is Look.WAITING and self.task is not None and self.task.position > 1

    @property
    def can_delete(self) -> bool:
        return not self.look.is_active and (self.status.exists or self.status.bytes_done > 0)


def views_of(statuses: Sequence[ModelStatus], jobs: Sequence[Job] = ()) -> list[ModelView]:
    """The models in the order to show: by what people come for, lighter ones first. The order never changes by
    itself. `jobs`: newest first; conversions among them are shown."""
    first = first_choice(statuses)
    conversions = {job.subject: job for job in reversed(jobs) if job.kind is JobKind.CONVERSION}
    ordered = sorted(statuses, key=lambda status: (_KIND_ORDER.index(status.entry.kind), status.bytes_total))
    return [ModelView(status, status.key == first, conversions.get(status.key)) for status in ordered]


def first_choice(statuses: Iterable[ModelStatus]) -> str | None:
    """The model to suggest to somebody who has none: the smallest that speaks by itself. None once a model speaks."""
    speaking = [status for status in statuses if status.entry.kind is ModelKind.CUSTOM_VOICE]
    if any(status.valid for status in speaking):
        return None
    published = [status for status in speaking if status.entry.hf or status.entry.modelscope]
    return min(published, key=lambda status: status.bytes_total).key if published else None
