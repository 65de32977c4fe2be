"""The details of a model, which unfold below its row: what it is for, its speakers, its files, and the way by hand."""

from __future__ import annotations

from dataclasses import dataclass
from html import escape

from tts_core.domain.values import Capabilities
from tts_core.models.by_hand import ManualDownload
from tts_core.models.speakers import preset_speakers, speaker_title
from tts_core.models.status import ModelStatus, NextStep, Verification
from tts_core.ui.models.buttons import button
from tts_core.ui.models.checks import FileCheck
from tts_core.ui.models.list import sized_text
from tts_core.ui.models.view import Action, Look, ModelView
from tts_core.ui.widgets import download_words, fragments
from tts_core.ui.words import Words


@dataclass(frozen=True, slots=True)
class DetailFacts:
    """The facts that a model's row does not need."""

    can: Capabilities
    manual: ManualDownload
    can_open: bool
    """Whether the model's folder can be shown in the file manager."""
    check: FileCheck | None
    """The last check of its files that this browser asked for."""


def model_details(words: Words, view: ModelView, facts: DetailFacts) -> str:
    status = view.status if facts.check is None or facts.check.status is None else facts.check.status
    counts = {"speakers": len(facts.can.speakers), "languages": max(0, len(facts.can.languages) - 1)}
    parts = [
        f"<p>{escape(sized_text(words, 'about', view.entry, counts))}</p>",
        speaker_list(words, facts.can.speakers),
        *_findings(words, view, status),
        _places(words, view),
        _buttons(words, view, facts),
        _check(words, view, facts.check),
        "" if view.look is Look.READY else _by_hand(words, facts.manual),
    ]
    return "".join(parts)


def speaker_list(words: Words, names: tuple[str, ...]) -> str:
    """The preset speakers with what is known of their voices; nothing of the model has to be here."""
    if not names:
        return ""
    known = preset_speakers()
    ordered = [*(name for name in known if name in names), *(name for name in names if name not in known)]
    rows = "".join(
        f"<dt>{escape(speaker_title(name))}</dt><dd>{escape(speaker_line(words, name))}</dd>" for name in ordered
    )
    return f'<h4>{words("models.speakers")}</h4><dl class="studio-speakers">{rows}</dl>'


def speaker_line(words: Words, name: str) -> str:
    """A speaker's language, gender and voice; "" for one that is not described."""
    speaker = preset_speakers().get(name)
    if speaker is None:
        return ""
    spoken = speaker.dialect or speaker.language
    language = words.get(f"language.{spoken}", spoken.replace("_", " ").title())
    return f"{language} · {words(f'gender.{speaker.gender}')} · {speaker.about[words.language]}"


def _findings(words: Words, view: ModelView, status: ModelStatus) -> list[str]:
    parts = [_advice(words, view)]
    if view.look in (Look.INCOMPLETE, Look.BROKEN):
        parts.append(_list(words("models.missing"), [f"<code>{escape(path)}</code>" for path in status.missing]))
    parts.append(_list(words("models.problems"), [escape(words.problem(problem)) for problem in status.problems]))
    parts.append(_list(words("models.hints"), [escape(words.fact("hint", item)) for item in status.hints]))
    return parts


def _advice(words: Words, view: ModelView) -> str:
    """The state of the files, or the next step to take; "" where the row itself shows it."""
    is_shown = view.look.is_active or view.look in (Look.PAUSED, Look.FAILED) or view.is_kept
    if is_shown or view.status.next_step in (NextStep.FETCH, NextStep.CONVERT):
        return ""
    if view.look is Look.READY:
        key = f"models.content_{view.status.verification.value}"
    else:
        key = f"models.next_{view.status.next_step.value}"
    return f"<p>{escape(words(key, {'count': len(view.entry.files)}))}</p>"


def _list(title: str, items: list[str]) -> str:
    return f"<h4>{title}</h4><ul>{''.join(f'<li>{item}</li>' for item in items)}</ul>" if items else ""


def _places(words: Words, view: ModelView) -> str:
    """The places where the model lies and where it comes from."""
    entry, task = view.entry, view.task
    facts = {words("models.model_folder"): f"<code>{escape(str(view.status.path))}</code>"}
    if repositories := " · ".join(dict.fromkeys(filter(None, (entry.hf, entry.modelscope)))):
        facts[words("models.repository")] = f"<code>{escape(repositories)}</code>"
    if view.look is Look.READY and task is not None and task.source:
        facts[words("models.fetched_from")] = escape(download_words.source_name(words, task.source))
    rows = "".join(f"<dt>{escape(name)}</dt><dd>{value}</dd>" for name, value in facts.items())
    return f'<dl class="studio-places">{rows}</dl>'


def _check(words: Words, view: ModelView, check: FileCheck | None) -> str:
    """The check's progress, with the button that stops it, or its outcome."""
    if check is None:
        return ""
    if check.is_stopped:
        return fragments.hint(words("models.check_stopped"))
    if check.status is None:
        reading = words("models.checking", {"file": check.file}) if check.file else words("models.check_begins")
        bar = fragments.progress(reading, check.percent, label=words("action.check"), is_spoken=False)
        return bar + button(words, view, Action.STOP_CHECK, css="studio-small")
    if check.status.valid:
        is_published = check.status.verification is Verification.VERIFIED
        return fragments.done(words("models.check_good" if is_published else "models.check_readable"))
    return fragments.alert(words("models.check_bad"), words("models.check_bad_info"))


def _buttons(words: Words, view: ModelView, facts: DetailFacts) -> str:
    can_check = view.status.exists and not view.look.is_active
    offered = {
        Action.CHECK: can_check,
        Action.OPEN: facts.can_open,
        Action.ASK_DELETE: view.can_delete,
    }
    buttons = "".join(
        button(
            words,
            view,
            action,
            is_offered=is_offered,
            css="studio-small",
            event="select" if action is Action.CHECK else "",
        )
        for action, is_offered in offered.items()
    )
    hint = fragments.hint(words("models.check_info")) if can_check else ""
    return f'<div class="studio-detail-buttons">{buttons}</div>{hint}'


def _by_hand(words: Words, manual: ManualDownload) -> str:
    """The commands that fetch the model without this page."""
    commands = _command(words, words("models.manual_hf"), manual.hf_command, words("models.manual_hf_install"))
    commands += _command(words, words("models.manual_ms"), manual.modelscope_command, words("models.manual_ms_install"))
    folder = _command(words, words("models.manual_folder"), str(manual.folder))
    intro = words("models.manual_intro" if commands else "models.manual_copy")
    return f"<h4>{words('models.manual')}</h4><p>{intro}</p>{commands}{folder}"


def _command(words: Words, label: str, command: str, needs: str = "") -> str:
    if not command:
        return ""
    shown = f"{escape(label)} <small>{escape(needs)}</small>" if needs else escape(label)
    return (
        f'<div class="studio-command"><span>{shown}</span><code tabindex="0">{escape(command)}</code>'
        f'<button type="button" class="studio-small" data-studio="copy" data-text="{escape(command)}" '
        f'data-done="{words("models.copied")}" aria-label="{words("models.copy")}: {escape(label)}">'
        f"{words('models.copy')}</button></div>"
    )
