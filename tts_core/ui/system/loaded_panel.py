"""Models in memory, a part of the System tab: what is loaded, where, for how long; load and unload by hand."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import gradio as gr

from tts_core.domain.errors import StudioError
from tts_core.models.catalogue import ModelKind
from tts_core.services import Services
from tts_core.ui.widgets import fragments
from tts_core.ui.widgets.scripts import ACTIONS, CLEAR
from tts_core.ui.words import Words

REFRESH_S = 2.0


@dataclass(frozen=True, slots=True)
class LoadedPanel:
    table: gr.HTML
    key: gr.Dropdown
    load: gr.Button
    message: gr.HTML
    timer: gr.Timer


def render(services: Services, words: Words) -> LoadedPanel:
    table = gr.HTML(fragments.loaded_models(words, []), js_on_load=ACTIONS, elem_id="system-loaded")
    key = gr.Dropdown(choices(services, words), label=words("models.column_model"), elem_id="system-loaded-key")
    with gr.Row(elem_classes="studio-actions"):
        load = gr.Button(words("system.load"), elem_id="system-load", min_width=90)
    message = gr.HTML(js_on_load=None, elem_id="system-loaded-message")
    return LoadedPanel(table, key, load, message, gr.Timer(REFRESH_S, active=False))


def choices(services: Services, words: Words) -> list[tuple[str, str]]:
    """The (label, key) of each model that can be loaded now."""
    return [
        (words.model(status.entry.display_name), status.key)
        for status in services.models.statuses()
        if status.valid and (status.entry.kind.speaks or status.entry.kind is ModelKind.WHISPER)
    ]


def wire(panel: LoadedPanel, item: gr.Tab, services: Services, words: Words) -> None:
    def table() -> str:
        return fragments.loaded_models(words, services.memory.statuses())

    def opened() -> list[Any]:
        found = choices(services, words)
        chosen = found[0][1] if found else None
        return [
            table(),
            gr.update(choices=found, value=chosen),
            gr.update(interactive=bool(found)),
            gr.Timer(active=True),
            "",
        ]

    def load(key: str | None) -> str:
        return _outcome(words, lambda: services.cache_of(key or "").load(key or ""))

    def unload(event: gr.EventData) -> str:
        kind, _, key = str(event.key).partition("/")
        return _outcome(words, lambda: services.memory.unload(kind, key))

    item.select(
        opened,
        None,
        [panel.table, panel.key, panel.load, panel.timer, panel.message],
        api_visibility="private",
        show_progress="hidden",
    )
    panel.key.input(None, None, panel.message, js=CLEAR, api_visibility="private", show_progress="hidden")
    panel.timer.tick(table, None, panel.table, api_visibility="private", show_progress="hidden", queue=False)
    loaded = panel.load.click(load, panel.key, panel.message, api_visibility="private", concurrency_limit=None)
    unloaded = panel.table.click(unload, None, panel.message, api_visibility="private", concurrency_limit=None)
    for done in (loaded, unloaded):
        done.then(table, None, panel.table, api_visibility="private", show_progress="hidden")


def _outcome(words: Words, action: Any) -> str:
    """The outcome of an action: nothing when it went well, as the table shows it; else the reason."""
    try:
        action()
    except StudioError as error:
        return fragments.alert(words("system.not_done"), words.error(error))
    return ""
