"""The buttons of a model's row. Each act has a place of its own, whatever the model's state: where the pointer lies
after a click, no other act ever comes. Buttons that have nothing to do are hidden; their place stays empty."""

from __future__ import annotations

from html import escape

from tts_core.models.catalogue import ModelKind
from tts_core.ui.models.view import Action, Look, ModelView
from tts_core.ui.words import Words

_USED_IN = {
    ModelKind.CUSTOM_VOICE: "speak",
    ModelKind.VOICE_DESIGN: "design",
    ModelKind.BASE: "clone",
    ModelKind.HIBARI: "speak",
    ModelKind.PIPER: "speak",
}
"""The tab where a ready model of each kind is used."""
_PRIMARY = (Action.RESUME, Action.RETRY, Action.REPAIR, Action.CONVERT)
_SIGNS = {Action.PAUSE: "‖", Action.CANCEL: "✕"}
"""The buttons that are a sign, with their word as a name."""


def row_buttons(words: Words, view: ModelView) -> str:
    """The buttons in their places: pause, cancel, get the model (download, resume, try again, repair, convert)."""
    main = view.main_action
    fetch = main if main is not Action.PAUSE else None
    get = button(words, view, fetch or Action.DOWNLOAD, is_offered=fetch is not None)
    pause = button(words, view, Action.PAUSE, is_offered=main is Action.PAUSE, css="studio-sign")
    cancel = button(words, view, Action.CANCEL, is_offered=view.can_cancel, css="studio-sign")
    return f'<div class="studio-row-buttons">{pause}{cancel}{get}</div>'


def use_button(words: Words, view: ModelView) -> str:
    """The way to the tab where a ready model is used, a link in the row."""
    tab = _USED_IN.get(view.entry.kind, "") if view.look is Look.READY else ""
    label = words(f"models.use_{tab}") if tab else ""
    name = f"{label}: {view.name(words)}" if tab else ""
    return (
        f'<button type="button" class="studio-link" data-studio="tab" data-tab="tab-{tab}" '
        f'aria-label="{escape(name)}"{"" if tab else " hidden"}>{label}</button>'
    )


def button(
    words: Words,
    view: ModelView,
    action: Action,
    *,
    is_offered: bool = True,
    css: str = "studio-button",
    event: str = "",
) -> str:
    """A button that asks for `action`; `event` is the name of the page's event where it is not "click"."""
    label = words(f"action.{action.value}")
    stands_out = action in _PRIMARY or (action is Action.DOWNLOAD and view.is_first_choice)
    primary = " studio-primary" if stands_out else ""
    named = f' data-event="{event}"' if event else ""
    title = f' title="{escape(label)}"' if action in _SIGNS else ""
    return (
        f'<button type="button" class="{css}{primary}" data-action="{action.value}" data-key="{view.status.key}"{named}'
        f' aria-label="{escape(label)}: {escape(view.name(words))}"{title}{"" if is_offered else " hidden"}>'
        f"{_SIGNS.get(action, label)}</button>"
    )
