"""The voice library as HTML: one row per voice with its state, its job and a menu of acts.

assets/scripts/library_list.js updates the rows that are on the page part by part. So that focus and an open menu stay
where they are, every part of a row is always there, hidden where it has nothing to say.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from html import escape
from itertools import count

from tts_core.domain.errors import StudioError
from tts_core.domain.sample_texts import sample_text
from tts_core.platform.job import Job, JobState
from tts_core.ui.clone import view as clone_view
from tts_core.ui.widgets import fragments
from tts_core.ui.words import Words
from tts_core.voices.exchange.transfer import PairsImported
from tts_core.voices.public import PublicVoice
from tts_core.voices.record import SavedVoice, VoiceKind, VoiceStatus

_ASKED = count(1)
"""A counter that makes each question unlike the last one: the page must see a change when the same is asked again."""


class VoiceAction(str, Enum):
    """The actions of a row's buttons; the values are keys of the word tables (`voice.…`)."""

    FAVOURITE = "favourite"
    USE = "use"
    EDIT = "edit"
    """Change name, language and notes in the row."""
    SETTINGS = "settings"
    """Open the editor of everything."""
    CANCEL = "cancel"
    PREPARE = "prepare"
    DELETE = "delete"
    RESTORE = "restore"
    ASK_REMOVE = "ask_remove"
    """Ask whether to remove it for good; the answer is REMOVE."""
    REMOVE = "remove"
    MORE = "more"


EVENTS = {VoiceAction.USE: "select", VoiceAction.EDIT: "edit", VoiceAction.SETTINGS: "expand"}
"""The events of Gradio for buttons that change more than the list; the others are clicks."""


class Sound(str, Enum):
    """The sounds of a row, which the page plays without the list; the values are keys of the word tables
    (`voice.…`)."""

    SAMPLE = "sample"
    """A sentence in that voice."""
    LISTEN = "listen"
    """The recording."""


class VoiceLook(str, Enum):
    """The state of a voice as people see it; the values are keys of the word tables (`voice_state.…`)."""

    READY = "ready"
    MODEL_MISSING = "model_missing"
    WAITING = "waiting"
    PREPARING = "preparing"
    UNPREPARED = "unprepared"
    FAILED = "failed"
    DELETED = "deleted"


_ICON = '<i aria-hidden="true"></i>'
"""A place where the style draws the sign to play or to stop."""
_ICONS = {
    VoiceLook.READY: "✓",
    VoiceLook.MODEL_MISSING: "○",
    VoiceLook.WAITING: "…",
    VoiceLook.PREPARING: "◐",
    VoiceLook.UNPREPARED: "○",
    VoiceLook.FAILED: "✕",
    VoiceLook.DELETED: "✕",
}


@dataclass(frozen=True, slots=True)
class VoiceView:
    """A voice at one moment."""

    voice: SavedVoice
    model: str
    """The model's name for people."""
    has_model: bool
    job: Job | None
    """The newest job about the voice."""
    has_recording: bool

    @property
    def live_job(self) -> Job | None:
        return self.job if self.job is not None and not self.job.state.is_over else None

    @property
    def look(self) -> VoiceLook:
        if self.voice.is_deleted:
            return VoiceLook.DELETED
        if self.live_job is not None:
            return VoiceLook.WAITING if self.live_job.state is JobState.WAITING else VoiceLook.PREPARING
        if self.voice.status is VoiceStatus.READY:
            return VoiceLook.READY if self.has_model else VoiceLook.MODEL_MISSING
        return VoiceLook.FAILED if self.voice.status is VoiceStatus.FAILED else VoiceLook.UNPREPARED


def rows(words: Words, views: Sequence[VoiceView], total: int) -> str:
    """`total` voices were found; the first ones are shown."""
    return row_list(words, [_row(words, view) for view in views], total)


def row_list(words: Words, shown: Sequence[str], total: int) -> str:
    """The list of rows; `total` voices were found, and the first ones are shown."""
    found, more = "".join(shown), ""
    if total > len(shown):
        left = words("library.more", {"shown": len(shown), "total": total})
        more = f'<p class="studio-more">{left} {button(words, VoiceAction.MORE, "", "")}</p>'
    return f'<ul class="studio-voices" aria-label="{words("tab.library")}">{found}</ul>{more}'


def nothing_found(words: Words, *, is_searched: bool) -> str:
    """The text in place of an empty list. An empty library leads to the Clone tab."""
    if is_searched or words.is_for_guests:
        text = words("library.not_found" if is_searched else "library.guest_empty")
        return f'<p class="studio-empty">{text}</p>'
    return (
        f'<div class="studio-empty studio-welcome"><strong>{words("library.empty_title")}</strong>'
        f"<p>{words('library.empty')}</p>"
        f'<button type="button" class="studio-button studio-primary" data-studio="tab" data-tab="tab-clone">'
        f"{words('library.to_clone')}</button></div>"
    )


def notice(words: Words, text: str, undo: tuple[VoiceAction, str] | None = None) -> str:
    """A notice of what was just done, with a way back: an action and the voice's id."""
    back = button(words, undo[0], undo[1], "", label=words("library.undo")) if undo else ""
    return f'<p class="studio-notice" role="status"><span>✓ {escape(text)}</span>{back}</p>'


def imported(words: Words, found: PairsImported) -> str:
    """The outcome of an import: how many voices came, and each that did not with its reason."""
    came = notice(words, words("additions.pairs_added", {"count": len(found.voices)})) if found.voices else ""
    rows = "".join(
        f"<li><strong>{escape(name)}</strong>: {escape(words.error(error))}</li>" for name, error in found.refused
    )
    title = escape(words("additions.pairs_refused", {"count": len(found.refused)}))
    refused = f'<div class="studio-alert" role="alert"><strong>! {title}</strong><ul>{rows}</ul></div>' if rows else ""
    return came + refused


def fault(words: Words, error: StudioError) -> str:
    """A problem of the library itself."""
    return f'<div class="studio-alert" role="alert"><p>{escape(words.error(error))}</p></div>'


def removal_dialog(words: Words, voice: SavedVoice) -> str:
    """The question before a voice is removed for good; assets/scripts/confirm.js opens it and sends the answer."""
    return (
        f'<dialog class="studio-dialog" aria-labelledby="voice-question" data-action="{VoiceAction.REMOVE.value}" '
        f'data-key="{escape(voice.id)}" data-asked="{next(_ASKED)}"><form method="dialog">'
        f'<h3 id="voice-question">{escape(words("library.remove_question", {"voice": voice.name}))}</h3>'
        f"<p>{words('library.remove_info')}</p>"
        '<div class="studio-model-buttons">'
        f'<button value="no" class="studio-button" autofocus>{words("models.keep")}</button>'
        f'<button value="yes" class="studio-button studio-danger">{words("voice.remove")}</button>'
        "</div></form></dialog>"
    )


def facts(words: Words, view: VoiceView) -> str:
    """The known facts about a voice."""
    voice = view.voice
    pairs = {
        "kind": words(f"voice_kind.{voice.kind.value}"),
        "model": view.model,
        "consent": _consent(words, voice),
        "duration": _duration(voice),
        "created": voice.created_at[:16].replace("T", " "),
        "updated": voice.updated_at[:16].replace("T", " "),
        "id": voice.id,
    }
    rows = "".join(
        f"<dt>{words(f'voice_fact.{name}')}</dt><dd>{escape(value)}</dd>" for name, value in pairs.items() if value
    )
    return f"<dl>{rows}</dl>"


def _consent(words: Words, voice: SavedVoice) -> str:
    if voice.kind is not VoiceKind.CLONE:
        return words("consent.not_needed")
    consent = voice.meta.get("consent")
    if not isinstance(consent, Mapping):
        return words("consent.missing")
    what = words("consent.own" if consent.get("own_voice") else "consent.agreed")
    return " · ".join(str(part) for part in (what, str(consent.get("when") or "")[:10], consent.get("note")) if part)


def _duration(voice: SavedVoice) -> str:
    seconds = voice.meta.get("duration_s")
    return f"{seconds:.1f} s" if isinstance(seconds, int | float) else ""


def _row(words: Words, view: VoiceView) -> str:
    voice, look = view.voice, view.look
    parts = (
        _star(words, voice),
        preview(words, voice, version=voice.updated_at, is_offered=look is VoiceLook.READY),
        f'<div class="studio-voice-main"><h2>{escape(voice.name)}</h2>'
        f"{_failure(words, view) or _about_line(words, view)}</div>",
        badge(words, look),
        _main_button(words, view),
        menu(words, voice.name, _acts(words, view)),
    )
    return row(voice.id, look, "".join(parts), _progress(words, view))


def row(voice_id: str, look: VoiceLook, parts: str, more: str = "") -> str:
    """The row of a voice; `more` lies below its one line."""
    return (
        f'<li class="studio-voice" id="voice-{escape(voice_id)}" data-look="{look.value}">'
        f'<div class="studio-voice-body"><div class="studio-voice-row">{parts}</div>{more}</div></li>'
    )


def badge(words: Words, look: VoiceLook) -> str:
    return (
        f'<span class="studio-badge" data-state="{look.value}"><span aria-hidden="true">{_ICONS[look]}</span> '
        f"{words(f'voice_state.{look.value}')}</span>"
    )


def _about_line(words: Words, view: VoiceView) -> str:
    return f'<p class="studio-voice-about">{escape(_about(words, view))}{_tags(view.voice)}</p>'


def _about(words: Words, view: VoiceView) -> str:
    voice = view.voice
    kind, language = words(f"voice_kind.{voice.kind.value}"), language_name(words, voice.language)
    parts = (kind, view.model, voice.speaker.replace("_", " ").title(), language, _duration(voice))
    return " · ".join(part for part in parts if part)


def language_name(words: Words, language: str) -> str:
    """The language of a saved voice, for people; "" where it follows the text."""
    return "" if language.casefold() == "auto" else words.get(f"language.{language}", language.title())


def language_rank(words: Words, language: str) -> tuple[bool, str]:
    """The place of a language in a sorted list; voices that follow the text come last."""
    name = language_name(words, language)
    return not name, name.casefold()


def _tags(voice: SavedVoice) -> str:
    return "".join(f' <span class="studio-tag">{escape(tag)}</span>' for tag in voice.tags)


def _star(words: Words, voice: SavedVoice) -> str:
    is_on = voice.is_favourite
    return (
        f'<button type="button" class="studio-star" data-action="{VoiceAction.FAVOURITE.value}" '
        f'data-key="{escape(voice.id)}" aria-pressed="{str(is_on).lower()}" '
        f'aria-label="{words("voice.favourite")}: {escape(voice.name)}">'
        f"{'★' if is_on else '☆'}</button>"
    )


def _progress(words: Words, view: VoiceView) -> str:
    job = view.live_job
    if job is None:
        return '<div class="studio-voice-job" hidden></div>'
    shown = fragments.progress(clone_view.job_state(words, job), job.progress, label=view.voice.name)
    is_there = view.look is not VoiceLook.DELETED
    cancel = button(words, VoiceAction.CANCEL, view.voice.id, view.voice.name, is_offered=is_there)
    return f'<div class="studio-voice-job">{shown}{cancel}</div>'


def _failure(words: Words, view: VoiceView) -> str:
    """The reason why a voice could not be made ready, in place of what it is; "" for any other voice."""
    if view.look is not VoiceLook.FAILED:
        return ""
    has_code = view.job is not None and view.job.code
    known = clone_view.job_state(words, view.job) if has_code and view.job is not None else view.voice.last_error
    text = escape(known or words("voice_state.failed"))
    return f'<p class="studio-voice-about studio-voice-failure" title="{text}">{text}</p>'


def _main_button(words: Words, view: VoiceView) -> str:
    """The act that a row offers first, beside its menu."""
    look, voice = view.look, view.voice
    offered = {
        VoiceAction.USE: look is VoiceLook.READY,
        VoiceAction.PREPARE: look in (VoiceLook.UNPREPARED, VoiceLook.FAILED),
        VoiceAction.RESTORE: look is VoiceLook.DELETED,
    }
    buttons = [
        button(words, action, voice.id, voice.name, is_offered=is_offered) for action, is_offered in offered.items()
    ]
    return "".join([*buttons, _to_models(words, view, 'class="studio-small"')])


def _acts(words: Words, view: VoiceView) -> str:
    """The acts of a row's menu, each always in the same place."""
    look, voice = view.look, view.voice
    is_there = look is not VoiceLook.DELETED
    offered = {
        VoiceAction.USE: look is VoiceLook.READY,
        VoiceAction.EDIT: is_there,
        VoiceAction.SETTINGS: is_there,
        VoiceAction.PREPARE: look in (VoiceLook.UNPREPARED, VoiceLook.FAILED),
        VoiceAction.DELETE: is_there,
        VoiceAction.RESTORE: not is_there,
        VoiceAction.ASK_REMOVE: not is_there,
    }
    items = [button(words, action, voice.id, "", is_item=True, is_offered=offered[action]) for action in offered]
    listen = _sound(words, Sound.LISTEN, voice.id, {"version": voice.updated_at}, is_item=True)
    listen = listen if is_there and view.has_recording else _hidden(listen)
    return "".join([items[0], _to_models(words, view, 'role="menuitem" tabindex="-1"'), listen, *items[1:]])


def _to_models(words: Words, view: VoiceView, look: str) -> str:
    """The way to the model that a voice lacks."""
    shown = f'<button type="button" {look} data-studio="tab" data-tab="tab-models">{words("speak.to_models")}</button>'
    return shown if view.look is VoiceLook.MODEL_MISSING else _hidden(shown)


def preview(words: Words, voice: SavedVoice | PublicVoice, *, version: str = "", is_offered: bool) -> str:
    """The round button that lets a voice speak a sentence in its language."""
    shown = _sound(words, Sound.SAMPLE, voice.id, {"text": sample_text(voice.language), "version": version}, voice.name)
    return shown if is_offered else _hidden(shown)


def _hidden(button_html: str) -> str:
    return button_html.replace("<button ", "<button hidden ", 1)


def _sound(
    words: Words, sound: Sound, key: str, facts: Mapping[str, str], name: str = "", *, is_item: bool = False
) -> str:
    data = "".join(f' data-{fact}="{escape(value)}"' for fact, value in facts.items())
    text = words(f"voice.{sound.value}")
    label = f' aria-label="{escape(text)}: {escape(name)}"' if name else ""
    look = 'role="menuitem" tabindex="-1"' if is_item else 'class="studio-voice-sound"'
    return (
        f'<button type="button" {look} data-sound="{sound.value}" data-key="{escape(key)}"{data}{label}>'
        f"{escape(text) if is_item else _ICON}</button>"
    )


def menu(words: Words, name: str, acts: str) -> str:
    """The button of a row's menu, and the menu that the page opens."""
    label = escape(words("library.more_acts", {"voice": name}))
    return (
        f'<button type="button" class="studio-more-acts" data-menu aria-haspopup="menu" aria-expanded="false" '
        f'aria-label="{label}">⋯</button><div class="studio-menu" role="menu" aria-label="{label}" popover>{acts}</div>'
    )


def button(
    words: Words,
    action: VoiceAction,
    key: str,
    name: str,
    *,
    label: str = "",
    is_item: bool = False,
    is_offered: bool = True,
) -> str:
    """A button that asks for the action; `is_item`: in a menu."""
    text = label or words(f"voice.{action.value}")
    event = f' data-event="{EVENTS[action]}"' if action in EVENTS else ""
    named = f' aria-label="{escape(text)}: {escape(name)}"' if name else ""
    look = 'role="menuitem" tabindex="-1"' if is_item else 'class="studio-small"'
    return (
        f'<button type="button" {look} data-action="{action.value}" data-key="{escape(key)}"'
        f"{event}{named}{'' if is_offered else ' hidden'}>{escape(text)}</button>"
    )
