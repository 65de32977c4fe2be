"""A part of the panel around the models' folder: a model to and from a folder, for machines without network."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import gradio as gr

from tts_core.domain.engine import CancelCheck
from tts_core.models.store.reports import Progress
from tts_core.services import Services
from tts_core.ui.models.store import html
from tts_core.ui.models.store.work import StoreWork, heading, path_box, typed_folder
from tts_core.ui.widgets.scripts import CLEAR
from tts_core.ui.words import Words


@dataclass(frozen=True, slots=True)
class ExchangePanel:
    key: gr.Dropdown
    folder: gr.Textbox
    export: gr.Button
    bring: gr.Button
    """The button that imports a model."""
    stop: gr.Button
    result: gr.HTML


def render(words: Words, choices: list[tuple[str, str]]) -> ExchangePanel:
    """Render the panel. `choices`: (name, key) of each model."""
    heading(words, "exchange")
    key = gr.Dropdown(choices, value=choices[0][1], label=words("models.column_model"), elem_id="store-key")
    folder = path_box(words("store.folder"), "USB", "store-folder")
    with gr.Row(elem_classes="studio-actions"):
        export = gr.Button(words("store.export"), elem_id="store-export", min_width=150)
        bring = gr.Button(words("store.import"), elem_id="store-import", min_width=150)
        stop = gr.Button(words("store.stop"), visible=False, variant="stop", elem_id="store-stop", min_width=90)
    result = gr.HTML(js_on_load=None, elem_id="store-exchange-result", min_height=90)
    return ExchangePanel(key, folder, export, bring, stop, result)


def wire(panel: ExchangePanel, services: Services, words: Words) -> None:
    store, work = services.store, StoreWork(words)

    def export(key: str, typed: str, request: gr.Request, progress: gr.Progress = gr.Progress()) -> str:  # noqa: B008
        def exporting(step: Progress, cancelled: CancelCheck) -> str:
            return html.exported(words, store.export(key, typed_folder(typed), step, cancelled))

        return work.run(exporting, request, progress)

    def bring(key: str, typed: str, request: gr.Request, progress: gr.Progress = gr.Progress()) -> str:  # noqa: B008
        def importing(step: Progress, cancelled: CancelCheck) -> str:
            done = store.import_from(key, typed_folder(typed), step, cancelled)
            return html.imported(words, words.model(services.models.entry(key).display_name), done)

        return work.run(importing, request, progress)

    def begun() -> list[Any]:
        return ["", *shown(is_busy=True)]

    def shown(*, is_busy: bool) -> list[Any]:
        return [gr.update(interactive=not is_busy), gr.update(interactive=not is_busy), gr.update(visible=is_busy)]

    buttons = [panel.export, panel.bring, panel.stop]
    quiet: dict[str, Any] = {"queue": False, "api_visibility": "private", "show_progress": "hidden"}
    for button, action in ((panel.export, export), (panel.bring, bring)):
        began = button.click(begun, None, [panel.result, *buttons], **quiet)
        done = began.then(action, [panel.key, panel.folder], panel.result, api_visibility="private")
        done.then(lambda: shown(is_busy=False), None, buttons, **quiet)
    for changed in (panel.folder.input, panel.key.input):
        changed(None, None, panel.result, js=CLEAR, **quiet)
    panel.stop.click(work.stop_work, None, None, queue=False, api_visibility="private")
