"""A download in words: what it is doing, how fast, how long still, what went wrong and who took over."""

from __future__ import annotations

from collections.abc import Mapping

from tts_core.models import download_report as report
from tts_core.models.download_task import HUBS, DownloadTask, Note, Phase
from tts_core.platform.job import JobState
from tts_core.platform.settings.sources import SourceSettings
from tts_core.ui.widgets.fragments import duration, size
from tts_core.ui.words import Words


def fault(words: Words, code: str, params: Mapping[str, object]) -> str:
    """The sentence about a fault, with sizes in units for people."""
    shown = {name: _readable(name, value) for name, value in params.items()}
    template = words.table.get(f"error.{code}")
    return report.sentence(code, shown) if template is None else template.format_map(_Known(shown))


class _Known(dict[str, object]):
    """The parameters of a template; one that is missing becomes an ellipsis instead of breaking the page."""

    def __missing__(self, name: str) -> str:
        return "…"


def _readable(name: str, value: object) -> object:
    return size(int(value)) if name.endswith("_bytes") and isinstance(value, (int, float)) else value


def source_name(words: Words, source: str) -> str:
    return words.get(f"source.{source}", source)


def source_title(words: Words, source: str) -> str:
    """The source's name as it stands alone."""
    return words.get(f"source.{source}_title", source_name(words, source))


def source_choices(words: Words, settings: SourceSettings) -> list[tuple[str, str]]:
    """The (label with where it is good, id) of each source, automatic first."""
    hosts = {
        "hf": settings.hf_endpoint,
        "mirror": settings.mirror_endpoint,
        "modelscope": settings.modelscope_endpoint,
    }
    named = [(words(f"source.{source}_choice", {"host": hosts[source].split("://")[-1]}), source) for source in HUBS]
    return [(words("source.auto_choice"), "auto"), *named]


def doing(words: Words, task: DownloadTask) -> str:
    """A sentence without numbers that move: a screen reader says it when it changes."""
    match task.state:
        case JobState.WAITING:
            place = "next" if task.position <= 1 else "position"
            return words(f"download.{'foreign' if task.foreign else place}", {"position": task.position})
        case JobState.RUNNING:
            return _at_work(words, task)
        case JobState.PAUSED | JobState.INTERRUPTED if not task.code:
            return words("download.paused")
        case JobState.PAUSED | JobState.INTERRUPTED | JobState.ERROR:
            have_all_failed = task.state is JobState.ERROR and len(reasons(words, task)) > 1
            return words("download.all_failed") if have_all_failed else fault(words, task.code, task.params)
        case JobState.CANCELLED:
            return words("download.cancelled") if task.bytes_done else ""
        case JobState.DONE:
            return words("download.done", {"source": source_name(words, task.source)}) if task.source else ""


def _at_work(words: Words, task: DownloadTask) -> str:
    source = {"source": source_name(words, task.source)}
    if task.stalled:
        return words("download.stalled", source) if task.source else words("download.stalled_nowhere")
    if task.phase is Phase.TRANSFERRING:
        why = words.get(f"download.why_{task.source_reason}", "")
        return (
            words("download.transferring_why", {**source, "why": why})
            if why
            else words("download.transferring", source)
        )
    # A check of nothing is over at once: a fresh download begins.
    phase = Phase.QUEUED if task.phase is Phase.VERIFYING and not task.bytes_done else task.phase
    return words(f"phase.{phase.value}")


def numbers(words: Words, task: DownloadTask) -> str:
    """The bytes, speed and time left, as far as they are known."""
    parts = []
    if task.bytes_total:
        parts.append(f"{percent(task)} %")
        of = {"done": size(task.bytes_done), "total": size(task.bytes_total)}
        parts.append(words("download.bytes", of))
    if task.state is JobState.RUNNING and task.bytes_per_second:
        parts.append(speed(task.bytes_per_second))
    if task.state is JobState.RUNNING and task.eta_s is not None:
        parts.append(words("download.eta", {"time": duration(words, task.eta_s)}))
    return " · ".join(parts)


def percent(task: DownloadTask) -> int:
    """The progress in whole percents; 100 only when all is done."""
    return int(task.progress)


def speed(bytes_per_second: float) -> str:
    """The speed in decimal units, as networks state it."""
    if bytes_per_second < 1e6:
        return f"{bytes_per_second / 1e3:.0f} kB/s"
    return f"{bytes_per_second / 1e6:.{0 if bytes_per_second >= 1e8 else 1}f} MB/s"


def note(words: Words, one: Note) -> str:
    """A sentence about what failed and which source took over, and that nothing is lost."""
    what = fault(words, one.code, one.params)
    if not one.next_source:
        return what
    after = {"fault": what, "next": source_name(words, one.next_source)}
    return words("note.again" if one.next_source == one.source else "note.switched", after)


def reasons(words: Words, task: DownloadTask) -> list[tuple[str, str]]:
    """The (source's name, reason) of each source that failed, once per source: its last reason."""
    last = {one.source: one for one in task.notes if one.source}
    return [(source_title(words, source), fault(words, one.code, one.params)) for source, one in last.items()]
