"""A part of the panel around the models' folder: moving it to another place, first asking what that takes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import gradio as gr

from tts_core.domain.engine import CancelCheck
from tts_core.domain.errors import StudioError
from tts_core.models.store.reports import Progress
from tts_core.platform.settings.preferences import MODELS_DIR_VARIABLE, PreferencesFile
from tts_core.services import Services
from tts_core.ui.models.store import html
from tts_core.ui.models.store.work import StoreWork, heading, path_box, typed_folder
from tts_core.ui.widgets.fragments import size
from tts_core.ui.words import Words


@dataclass(frozen=True, slots=True)
class MovePanel:
    target: gr.Textbox
    plan: gr.Button
    result: gr.HTML
    move: gr.Button
    """The button that moves the folder, offered once the plan has been shown."""
    stop: gr.Button


def render(words: Words) -> MovePanel:
    heading(words, "move")
    with gr.Row(elem_classes="studio-field"):
        target = path_box(words("store.target"), "Qwen", "store-target")
        plan = gr.Button(words("store.plan"), elem_id="store-plan", min_width=150)
    result = gr.HTML(js_on_load=None, elem_id="store-move-result", min_height=90)
    with gr.Row(elem_classes="studio-actions"):
        move = gr.Button("", visible=False, variant="primary", elem_id="store-move", min_width=150)
        stop = gr.Button(words("store.stop"), visible=False, variant="stop", elem_id="store-move-stop", min_width=90)
    return MovePanel(target, plan, result, move, stop)


def at_load(services: Services, words: Words) -> list[Any]:
    """Updates for the target and the result when the page loads: a move that ended too early goes on from here."""
    target = services.store.unfinished_move()
    if target is None:
        return [gr.skip(), gr.skip()]
    return [str(target), html.unfinished_move(words, target)]


def notice(services: Services, words: Words) -> str:
    """The new place of the models, while this process still looks at the old folder; else nothing."""
    settings = services.settings
    chosen = PreferencesFile(settings.paths.preferences_file).read().preferences.models_dir
    target = chosen or settings.paths.default_models_dir
    if MODELS_DIR_VARIABLE in settings.fixed or target == settings.paths.models_dir:
        return ""
    return html.restart_needed(words, target)


def wire(panel: MovePanel, shown_notice: gr.HTML, services: Services, words: Words) -> None:
    store, work = services.store, StoreWork(words)

    def plan(typed: str, request: gr.Request) -> list[Any]:
        work.check(request)
        try:
            planned = store.plan_move(typed_folder(typed))
        except StudioError as error:
            return [html.failure(words, error), gr.update(visible=False)]
        label = words("store.move", {"size": size(planned.total_bytes)})
        return [html.move_plan(words, planned), gr.update(value=label, visible=True)]

    def move(typed: str, request: gr.Request, progress: gr.Progress = gr.Progress()) -> str:  # noqa: B008
        def moving(step: Progress, cancelled: CancelCheck) -> str:
            return html.moved(words, store.move(typed_folder(typed), step, cancelled))

        return work.run(moving, request, progress)

    def ended() -> list[Any]:
        return [
            gr.update(interactive=True),
            gr.update(visible=False),
            gr.update(visible=False),
            notice(services, words),
        ]

    def begun() -> list[Any]:
        return ["", gr.update(interactive=False), gr.update(visible=False), gr.update(visible=True)]

    quiet: dict[str, Any] = {"api_visibility": "private", "show_progress": "hidden"}
    asked = [panel.result, panel.move]
    for event in (panel.plan.click, panel.target.submit):
        event(plan, panel.target, asked, **quiet)
    panel.target.input(lambda: ["", gr.update(visible=False)], None, asked, queue=False, **quiet)
    began = panel.move.click(begun, None, [panel.result, panel.plan, panel.move, panel.stop], queue=False, **quiet)
    done = began.then(move, panel.target, panel.result, api_visibility="private")
    done.then(ended, None, [panel.plan, panel.move, panel.stop, shown_notice], queue=False, **quiet)
    panel.stop.click(work.stop_work, None, None, queue=False, api_visibility="private")
