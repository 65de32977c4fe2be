"""The list of models as HTML: groups of rows, one line for each model, which unfolds in place.

Gradio updates what is on the page node by node, by position. So that focus stays where it is, every part of a row is
always there, hidden where it has nothing to say, and a button keeps its place whatever it is called.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from html import escape

from tts_core.models.catalogue import ModelEntry
from tts_core.models.download_task import DownloadTask
from tts_core.models.status import Verification
from tts_core.platform.job import JobState
from tts_core.ui.models.buttons import button, row_buttons, use_button
from tts_core.ui.models.view import Action, Group, Look, ModelView
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
NOTES_SHOWN = 2
Unfolded = Callable[[ModelView], str]
"""A function that returns the details of a row as HTML; "" for a folded one."""


def badge(words: Words, look: Look) -> str:
    """The state as an icon and a word: colour alone never shows it."""
    return (
        f'<span class="studio-badge" data-state="{look.value}">'
        f'<span aria-hidden="true">{ICONS[look]}</span> {words(f"state.{look.value}")}</span>'
    )


def sized_text(words: Words, name: str, entry: ModelEntry, counts: Mapping[str, object]) -> str:
    """The text about the model's kind: the one of its size where there is one."""
    sized = f"{name}.{entry.kind.value}_{entry.size}"
    return words(sized if sized in words.table else f"{name}.{entry.kind.value}", counts)


def model_list(words: Words, views: Sequence[ModelView], briefs: Mapping[str, str], unfolded: Unfolded) -> str:
    """The groups as HTML. `briefs`: the few words about each model by key."""
    parts = []
    for group in Group:
        rows = "".join(_row(words, view, briefs[view.status.key], unfolded) for view in views if view.group is group)
        if rows:
            title = f"group-{group.value}"
            parts.append(
                f'<section class="studio-group" aria-labelledby="{title}"><h2 id="{title}">'
                f"{words(f'group.{group.value}')}</h2><p>{words(f'group.{group.value}_info')}</p>"
                f'<ul class="studio-models">{rows}</ul></section>'
            )
    return "".join(parts)


def _row(words: Words, view: ModelView, brief: str, unfolded: Unfolded) -> str:
    key, name = view.status.key, escape(view.name(words))
    details = unfolded(view)
    first = words("models.first_badge") if view.is_first_choice else ""
    why = words("models.first_why", {"size": size(view.status.bytes_total)}) if view.is_first_choice else ""
    is_open = str(bool(details)).lower()
    return f"""<li class="studio-model" id="model-{key}" data-look="{view.look.value}" data-open="{is_open}"
 data-first="{str(view.is_first_choice).lower()}">
<h3><button type="button" class="studio-unfold" data-action="{Action.DETAILS.value}" data-key="{key}"
 aria-expanded="{is_open}" aria-controls="model-{key}-details"><span aria-hidden="true"></span><span
 id="model-{key}-name">{name}</span></button></h3>
<p class="studio-brief">{_shown("span", "studio-first", first)} <span>{escape(brief)}</span></p>
{_status(words, view)}<div class="studio-use">{use_button(words, view)}</div>
{row_buttons(words, view)}<span class="studio-model-size">{_size(words, view)}</span>{_shown("p", "studio-why", why)}
{_progress(words, view)}{_notes(words, view)}{_failure(words, view)}
<section class="studio-model-details" id="model-{key}-details" aria-labelledby="model-{key}-name"
{"" if details else " hidden"}>{details}</section></li>"""


def _shown(tag: str, css: str, html: str) -> str:
    """An element that is always there; hidden while empty."""
    return f'<{tag} class="{css}"{"" if html else " hidden"}>{html}</{tag}>'


def _size(words: Words, view: ModelView) -> str:
    done, total = view.status.bytes_done, view.status.bytes_total
    is_part = view.look in (Look.INCOMPLETE, Look.BROKEN) or view.is_kept
    if is_part and done and size(done) != size(total):
        return words("download.bytes", {"done": size(done), "total": size(total)})
    return size(total)


def _status(words: Words, view: ModelView) -> str:
    """The state and a sentence about it, which a screen reader says together; and the way to the front of the queue."""
    verification = view.status.verification
    is_known = view.look is Look.READY and verification not in (Verification.NONE, Verification.UNCHECKED)
    verified = words(f"verification.{verification.value}") if is_known else ""
    doing = escape(_doing(words, view))
    up = button(words, view, Action.MOVE_UP, is_offered=view.can_move_up, css="studio-small")
    return (
        f'<div class="studio-model-status"><div role="status"><p class="studio-model-state">'
        f'<span class="studio-unseen">{escape(view.name(words))}: </span>{badge(words, view.look)} '
        f"{_shown('small', '', verified)}</p>{_shown('p', 'studio-model-doing', doing)}</div>{up}</div>"
    )


def _doing(words: Words, view: ModelView) -> str:
    task = view.task
    is_past = task is None or view.look is Look.READY or task.state is JobState.DONE  # it may be deleted since then
    is_gone = task is not None and task.state is JobState.CANCELLED and not view.is_kept
    parts = [] if task is None or is_past or is_gone else [download_words.doing(words, task)]
    parts.append(_converting(words, view))
    if view.look in (Look.INCOMPLETE, Look.BROKEN) and not view.is_kept:
        counts = {"missing": len(view.status.missing), "problems": len(view.status.problems)}
        parts += [words(f"models.row_{name}", {"count": count}) for name, count in counts.items() if count]
        if view.main_action is Action.REPAIR:
            parts.append(words("models.row_repair"))
    elif view.look is Look.INCOMPLETE and task is None:
        parts.append(words("models.row_kept"))
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
    """The bar and its numbers, from the first moment of a download on."""
    task = view.task
    is_shown = view.look.is_active or (view.look in (Look.PAUSED, Look.FAILED) and task is not None and task.bytes_done)
    if task is None or not is_shown or not task.bytes_total:
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


def _failure(words: Words, view: ModelView) -> str:
    """The reason why each source failed, and where the way by hand is shown."""
    if view.look is not Look.FAILED or view.task is None:
        return _shown("div", "studio-failure", "")
    reasons = "".join(
        f"<dt>{escape(source)}</dt><dd>{escape(why)}</dd>" for source, why in download_words.reasons(words, view.task)
    )
    listed = f"<h4>{words('models.reasons')}</h4><dl>{reasons}</dl>" if reasons else ""
    return _shown("div", "studio-failure", f"{listed}<p>{words('models.by_hand_below')}</p>")
