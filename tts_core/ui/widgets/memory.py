"""Widgets whose values stay in the browser; see assets/scripts/remember.js. The server keeps nothing of them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import fields
from typing import Any

import gradio as gr

from tts_core.ui.widgets.forms import CloneForm, DesignForm, SpeakForm

FORMS = {"speak": SpeakForm, "clone": CloneForm, "design": DesignForm}
"""The forms whose widgets are kept, by the beginning of their ids."""
NEVER = (gr.Audio, gr.File, gr.State)
"""Kinds of widgets whose values are not the browser's to keep."""


def keep_form(name: str, bundle: object) -> None:
    """Keep what is in the form's widgets; `bundle` holds them under the form's field names."""
    for field in fields(FORMS[name]):
        keep(getattr(bundle, field.name), f"{name}-{field.name}")


def keep_all(widgets: Iterable[Any]) -> None:
    """Keep what is in these widgets, which have ids."""
    for widget in widgets:
        keep(widget, widget.elem_id)


def keep(widget: Any, elem_id: str) -> None:
    """Keep what is in the widget. It gets `elem_id` if it has none."""
    if isinstance(widget, NEVER):
        return
    widget.elem_id = widget.elem_id or elem_id
    widget.change(
        None,
        widget,
        None,
        js=f"(value) => studioMemory.keep({widget.elem_id!r}, value)",
        api_visibility="private",
        show_progress="hidden",
        queue=False,
    )


def keep_tab(items: Iterable[gr.Tab]) -> None:
    """Keep which of the page's tabs is open."""
    for item in items:
        item.select(
            None,
            None,
            None,
            js=f"() => studioMemory.keep('studio-tabs', {item.id!r})",
            api_visibility="private",
            show_progress="hidden",
            queue=False,
        )
