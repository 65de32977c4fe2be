"""The Models tab: which model to take, downloading it, what is on disk and whether it is complete and intact."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import gradio as gr

from tts_core.models.download_task import Provider
from tts_core.platform.paths import ASSETS_DIR
from tts_core.services import Services
from tts_core.ui.models import sources_panel
from tts_core.ui.models.handler import IDLE_REFRESH_S, ModelActions, Viewer
from tts_core.ui.models.sources_panel import SourcesPanel
from tts_core.ui.models.store import panel as store_panel
from tts_core.ui.models.store.panel import StorePanel
from tts_core.ui.models.view import Action, views_of
from tts_core.ui.widgets import fragments
from tts_core.ui.words import Words

LIST_SCRIPT, QUESTION_SCRIPT = (
    (ASSETS_DIR / "scripts" / name).read_text(encoding="utf-8") for name in ("model_list.js", "confirm.js")
)
"""The scripts that turn a click on a button in our HTML into Gradio's own click event with the button's data."""


@dataclass(frozen=True, slots=True)
class ModelsTab:
    moved: gr.HTML
    """The notice that the models lie elsewhere since a move, and that a restart is needed."""
    summary: gr.HTML
    sources: SourcesPanel
    rows: gr.HTML
    small_rows: gr.HTML
    """The rows of small voices, other families, which are kept out of the way."""
    question: gr.HTML
    background: gr.HTML
    store: StorePanel
    timer: gr.Timer
    unfolded: gr.State
    """The key of the model whose row is unfolded; "" for none."""

    @property
    def overview_outputs(self) -> list[Any]:
        return [self.summary, self.rows, self.small_rows, self.background, self.timer]


def render(services: Services, words: Words) -> ModelsTab:
    choices = [(view.name(words), view.status.key) for view in views_of(services.models.statuses())]
    with gr.Column(elem_classes="studio-card"):
        gr.HTML(f'<p class="studio-lead">{words("models.intro")}</p>', js_on_load=None)
        if services.settings.sources.offline:
            gr.HTML(fragments.alert(words("models.offline"), words("models.offline_info")), js_on_load=None)
        for problem in services.settings.sources.problems:
            gr.HTML(fragments.alert(words("models.no_downloads"), words.error(problem)), js_on_load=None)
        moved = gr.HTML(js_on_load=None, elem_id="models-moved")
        summary = gr.HTML(js_on_load=None, elem_id="models-summary")
        sources = sources_panel.render(services, words)
        rows = gr.HTML(js_on_load=LIST_SCRIPT, elem_id="models-list")
        with gr.Accordion(words("models.small"), open=False, elem_id="models-piper-fold"):
            small_rows = gr.HTML(js_on_load=LIST_SCRIPT, elem_id="models-piper")
        background = gr.HTML(js_on_load=None, elem_id="models-background")
        question = gr.HTML(js_on_load=QUESTION_SCRIPT, elem_id="models-question")
    store = store_panel.render(words, choices)
    timer, unfolded = gr.Timer(IDLE_REFRESH_S), gr.State("")
    return ModelsTab(moved, summary, sources, rows, small_rows, question, background, store, timer, unfolded)


def wire(tab: ModelsTab, item: gr.Tab, page: gr.Blocks, services: Services, words: Words) -> None:
    """Wire the tab. `item` holds the widgets; its name shows how far downloads are."""
    actions = ModelActions(services, words)
    shown = [*tab.overview_outputs, item]

    def fresh(interval: float, unfolded: str, request: gr.Request) -> list[Any]:
        return actions.overview(Viewer(request.session_hash or "", unfolded)).updates(interval)

    def act(event: gr.EventData, provider: Provider, interval: float, unfolded: str, request: gr.Request) -> list[Any]:
        asked, viewer = Action(event.action), Viewer(request.session_hash or "", unfolded)
        question = gr.skip()
        if asked is Action.DETAILS:
            viewer = actions.fold(viewer, event.key)
        elif asked is Action.ASK_DELETE:
            question = actions.deletion(event.key)
        else:
            actions.perform(asked, event.key, provider, request)
        return [question, viewer.unfolded, *actions.overview(viewer).updates(interval)]

    def check(event: gr.EventData, interval: float, unfolded: str, request: gr.Request) -> Iterator[list[Any]]:
        for now in actions.check(event.key, Viewer(request.session_hash or "", unfolded)):
            yield now.updates(interval)

    quiet: dict[str, Any] = {"api_visibility": "private", "show_progress": "hidden"}
    page.load(fresh, [tab.timer, tab.unfolded], shown, **quiet)
    tab.timer.tick(fresh, [tab.timer, tab.unfolded], shown, queue=False, **quiet)
    many: dict[str, Any] = {"trigger_mode": "multiple", "concurrency_limit": None, **quiet}
    for source in (tab.rows, tab.small_rows, tab.question):
        inputs = [tab.sources.chosen, tab.timer, tab.unfolded]
        source.click(act, inputs, [tab.question, tab.unfolded, *shown], **many)
    for source in (tab.rows, tab.small_rows):
        source.select(check, [tab.timer, tab.unfolded], shown, concurrency_limit=None, **quiet)
    sources_panel.wire(tab.sources, page, services, words)
    store_panel.wire(tab.store, page, tab.moved, services, words)
