"""The list of models as HTML: one row per model with its state, its download and its buttons.

Gradio updates what is on the page node by node, by position. So that focus stays where it is, every part of a row is
always there, hidden where it has nothing to say, and a button keeps its place whatever it is called.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape

from tts_core.domain.values import Capabilities
from tts_core.models.by_hand import ManualDownload
from tts_core.models.catalogue import ModelEntry, ModelKind
from tts_core.models.download_task import DownloadTask
from tts_core.models.status import Verification
from tts_core.platform.job import JobState
from tts_core.ui.models.view import Action, Look, ModelView
from tts_core.ui.widgets import download_words
from tts_core.ui.widgets.fragments import size
from tts_core.ui.words import Words

ICONS = {
    Look.NOT_DOWNLOADED: "○",
    Look.WAITING: "…",
    Look.DOWNLOADING: "↓",
    Look.STALLED: "⚠",
    Look.PAUSED: "‖",
    Look.FAILED: "✕",
    Look.INCOMPLETE: "◐",
    Look.BROKEN: "!",
    Look.READY: "✓",
}
USED_IN = {
    ModelKind.CUSTOM_VOICE: "tab-speak",
    ModelKind.VOICE_DESIGN: "tab-design",
    ModelKind.BASE: "tab-clone",
    ModelKind.HIBARI: "tab-speak",
    ModelKind.PIPER: "tab-speak",
}
"""The tab where a ready model of each kind is used."""
NOTES_SHOWN = 2
_PRIMARY = (Action.RESUME, Action.RETRY, Action.REPAIR, Action.CONVERT)


def badge(words: Words, look: Look) -> str:
    """The state as an icon and a word: colour alone never shows it."""
    return (
        f'<span class="studio-badge" data-state="{look.value}">'
        f'<span aria-hidden="true">{ICONS[look]}</span> {words(f"state.{look.value}")}</span>'
    )


def about(words: Words, entry: ModelEntry, can: Capabilities) -> str:
    """A sentence about what the model is for."""
    counts = {"speakers": len(can.speakers), "languages": max(0, len(can.languages) - 1)}
    sized = f"about.{entry.kind.value}_{entry.size}"
    return words(sized if sized in words.table else f"about.{entry.kind.value}", counts)


@dataclass(frozen=True, slots=True)
class RowFacts:
    """The facts of a row that never change."""

    about: str
    manual: ManualDownload
    can_open: bool
    """Whether the model's folder can be shown in the file manager."""


def model_list(words: Words, views: Sequence[ModelView], facts: Mapping[str, RowFacts]) -> str:
    """The list as HTML. `facts`: by key."""
    rows = "".join(_row(words, view, facts[view.status.key]) for view in views)
    return f'<ul class="studio-models" aria-label="{words("tab.models")}">{rows}</ul>'


def _row(words: Words, view: ModelView, facts: RowFacts) -> str:
    key, name = view.status.key, escape(view.entry.display_name)
    first = words("models.first_badge") if view.is_first_choice else ""
    why = words("models.first_why", {"size": size(view.status.bytes_total)}) if view.is_first_choice else ""
    return f"""<li class="studio-model" id="model-{key}" data-look="{view.look.value}"
 data-first="{str(view.is_first_choice).lower()}">
<div class="studio-model-head"><h3 id="model-{key}-name">{name} {_shown("span", "studio-first", first)}</h3>
<span class="studio-model-size">{_size(words, view)}</span></div>
<p class="studio-model-about">{escape(facts.about)}</p>{_shown("p", "studio-why", why)}
{_state(words, view)}{_progress(words, view)}{_notes(words, view)}{_failure(words, view, facts)}
{_buttons(words, view)}</li>"""


def _shown(tag: str, css: str, html: str) -> str:
    """An element that is always there; hidden while empty."""
    return f'<{tag} class="{css}"{"" if html else " hidden"}>{html}</{tag}>'


def _size(words: Words, view: ModelView) -> str:
    done, total = view.status.bytes_done, view.status.bytes_total
    if view.look in (Look.INCOMPLETE, Look.BROKEN) and size(done) != size(total):
        return words("download.bytes", {"done": size(done), "total": size(total)})
    return size(total)


def _state(words: Words, view: ModelView) -> str:
    verification = view.status.verification
    verified = "" if verification is Verification.NONE else words(f"verification.{verification.value}")
    sentence = _doing(words, view)
    if view.look is Look.READY:
        sentence = " · ".join(filter(None, (verified, sentence)))
    return (
        f'<p class="studio-model-state" role="status"><span class="studio-unseen">{escape(view.entry.display_name)}: '
        f'</span>{badge(words, view.look)} <span class="studio-model-doing">{escape(sentence)}</span></p>'
    )


def _doing(words: Words, view: ModelView) -> str:
    task = view.task
    is_past = task is not None and task.state is JobState.DONE and view.look is not Look.READY  # deleted since then
    parts = [download_words.doing(words, task)] if task is not None and not is_past else []
    parts.append(_converting(words, view))
    if view.look in (Look.INCOMPLETE, Look.BROKEN):
        counts = {"missing": len(view.status.missing), "problems": len(view.status.problems)}
        parts += [words(f"models.row_{name}", {"count": count}) for name, count in counts.items() if count]
        parts.append(words("models.row_repair"))
    return " ".join(filter(None, parts))


def _converting(words: Words, view: ModelView) -> str:
    """A sentence about a conversion that is possible, under way, or has failed."""
    job = view.conversion
    if job is not None and view.is_converting:
        return words("models.converting", {"percent": round(job.progress)})
    if view.main_action is not Action.CONVERT:
        return ""
    if job is not None and job.state is JobState.ERROR:
        return words.explain("error", job.code, job.params, job.message)
    return words("models.convertible")


def _progress(words: Words, view: ModelView) -> str:
    task = view.task
    is_shown = view.look in (Look.DOWNLOADING, Look.STALLED, Look.WAITING, Look.PAUSED, Look.FAILED)
    if task is None or not is_shown or not task.bytes_total or not (task.bytes_done or view.look is Look.DOWNLOADING):
        return '<div class="studio-progress" hidden><div><i></i></div><p></p></div>'
    facts = download_words.numbers(words, task)
    return (
        f'<div class="studio-progress" data-look="{view.look.value}">'
        f'<div role="progressbar" aria-labelledby="model-{view.status.key}-name" aria-valuemin="0" aria-valuemax="100"'
        f' aria-valuenow="{download_words.percent(task)}" aria-valuetext="{escape(facts)}">'
        f'<i style="width:{task.progress:.1f}%"></i></div>'
        f"<p><span>{escape(facts)}</span>{_file(view, task)}</p></div>"
    )


def _file(view: ModelView, task: DownloadTask) -> str:
    return f"<code>{escape(task.file)}</code>" if task.file and view.look in (Look.DOWNLOADING, Look.STALLED) else ""


def _notes(words: Words, view: ModelView) -> str:
    """The notes of the download: what failed on the way and which source took over, newest last."""
    task = view.task
    is_shown = task is not None and (view.look.is_active or view.look is Look.PAUSED)
    notes = task.notes[-NOTES_SHOWN:] if task is not None and is_shown else ()
    return _shown("ul", "studio-notes", "".join(f"<li>{escape(download_words.note(words, one))}</li>" for one in notes))


def _failure(words: Words, view: ModelView, facts: RowFacts) -> str:
    """The reason why each source failed, and the way that always works."""
    if view.look is not Look.FAILED or view.task is None:
        return _shown("div", "studio-failure", "")
    reasons = "".join(
        f"<dt>{escape(source)}</dt><dd>{escape(why)}</dd>" for source, why in download_words.reasons(words, view.task)
    )
    commands = _command(words, words("models.manual_hf"), facts.manual.hf_command)
    commands += _command(words, words("models.manual_ms"), facts.manual.modelscope_command)
    open_button = _button(words, view, Action.OPEN, css="studio-small") if facts.can_open else ""
    parts = [
        f"<h4>{words('models.reasons')}</h4><dl>{reasons}</dl>" if reasons else "",
        f"<h4>{words('models.manual')}</h4><p>{words('models.manual_intro')}</p>{commands}",
        _command(words, words("models.manual_folder"), str(facts.manual.folder)),
        open_button,
    ]
    return _shown("div", "studio-failure", "".join(parts))


def _command(words: Words, label: str, command: str) -> str:
    if not command:
        return ""
    return (
        f'<div class="studio-command"><span>{escape(label)}</span><code>{escape(command)}</code>'
        f'<button type="button" class="studio-small" data-studio="copy" data-text="{escape(command)}" '
        f'data-done="{words("models.copied")}" aria-label="{words("models.copy")}: {escape(label)}">'
        f"{words('models.copy')}</button></div>"
    )


def _buttons(words: Words, view: ModelView) -> str:
    """The row's buttons, always in the same five places."""
    use = USED_IN.get(view.entry.kind) if view.look is Look.READY else None
    jump = (
        f'<button type="button" class="studio-button" data-studio="tab" data-tab="{use}">{words("models.use")}</button>'
        if use
        else _button(words, view, view.main_action or Action.DOWNLOAD, is_offered=view.main_action is not None)
    )
    others = {
        Action.CANCEL: view.can_cancel,
        Action.MOVE_UP: view.can_move_up,
        Action.ASK_DELETE: view.can_delete,
        Action.DETAILS: True,
    }
    rest = "".join(_button(words, view, action, is_offered=offered) for action, offered in others.items())
    return f'<div class="studio-model-buttons">{jump}{rest}</div>'


def _button(
    words: Words, view: ModelView, action: Action, *, is_offered: bool = True, css: str = "studio-button"
) -> str:
    name, key = view.entry.display_name, view.status.key
    label = words(f"action.{action.value}")
    stands_out = action in _PRIMARY or (action is Action.DOWNLOAD and view.is_first_choice)
    primary = " studio-primary" if stands_out else ""
    return (
        f'<button type="button" class="{css}{primary}" data-action="{action.value}" data-key="{key}" '
        f'aria-label="{escape(label)}: {escape(name)}"{"" if is_offered else " hidden"}>{label}</button>'
    )
