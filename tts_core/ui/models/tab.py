"""The Models tab: which model to take, downloading it, what is on disk and whether it is sound."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import gradio as gr

from tts_core.models.download_task import Provider
from tts_core.platform.desktop import can_open_folders
from tts_core.platform.paths import ASSETS_DIR
from tts_core.services import Services
from tts_core.ui.models import checks as model_checks, sources_panel
from tts_core.ui.models.checks import ModelChecks, chosen_updates
from tts_core.ui.models.handler import IDLE_REFRESH_S, ModelActions
from tts_core.ui.models.sources_panel import SourcesPanel
from tts_core.ui.models.store import panel as store_panel
from tts_core.ui.models.store.panel import StorePanel
from tts_core.ui.models.view import Action
from tts_core.ui.widgets import fragments
from tts_core.ui.widgets.download_words import source_choices
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
    source: gr.Dropdown
    sources: SourcesPanel
    rows: gr.HTML
    piper_rows: gr.HTML
    """The rows of Piper voices, another family, which are kept out of the way."""
    question: gr.HTML
    background: gr.HTML
    checks: ModelChecks
    store: StorePanel
    timer: gr.Timer
    signature: gr.State
    """The state of the details that are shown; it lets them follow a download to its end."""

    @property
    def overview_outputs(self) -> list[Any]:
        return [self.summary, self.rows, self.piper_rows, self.background, self.timer]


def render(services: Services, words: Words) -> ModelsTab:
    actions = ModelActions(services, words)
    choices = [(view.entry.display_name, view.status.key) for view in actions.views()]
    can_open = can_open_folders(services.settings)
    with gr.Column(elem_classes="studio-card"):
        gr.HTML(f'<p class="studio-lead">{words("models.intro")}</p>', js_on_load=None)
        if services.settings.sources.offline:
            gr.HTML(fragments.alert(words("models.offline"), words("models.offline_info")), js_on_load=None)
        for problem in services.settings.sources.problems:
            gr.HTML(fragments.alert(words("models.no_downloads"), words.error(problem)), js_on_load=None)
        moved = gr.HTML(js_on_load=None, elem_id="models-moved")
        summary = gr.HTML(js_on_load=None, elem_id="models-summary")
        source = gr.Dropdown(
            source_choices(words, services.settings.sources_now()),
            value="auto",
            label=words("models.source"),
            info=words("models.source_info"),
            filterable=False,
            elem_id="models-source",
        )
        sources = sources_panel.render(services, words)
        rows = gr.HTML(js_on_load=LIST_SCRIPT, elem_id="models-list")
        with gr.Accordion(words("models.piper"), open=False, elem_id="models-piper-fold"):
            gr.HTML(f'<p class="studio-hint">{words("models.piper_intro")}</p>', js_on_load=None)
            piper_rows = gr.HTML(js_on_load=LIST_SCRIPT, elem_id="models-piper")
        background = gr.HTML(js_on_load=None, elem_id="models-background")
        question = gr.HTML(js_on_load=QUESTION_SCRIPT, elem_id="models-question")
    with gr.Column(elem_classes="studio-card"):
        checks = model_checks.render(services, words, choices, can_open=can_open)
    store = store_panel.render(words, choices)
    timer, signature = gr.Timer(IDLE_REFRESH_S), gr.State("")
    return ModelsTab(
        *(moved, summary, source, sources),
        *(rows, piper_rows, question, background),
        *(checks, store, timer, signature),
    )


def wire(tab: ModelsTab, page: gr.Blocks, services: Services, words: Words) -> None:
    actions, checks = ModelActions(services, words), tab.checks
    everything = [*tab.overview_outputs, checks.key, tab.signature, *checks.chosen_outputs]

    def fresh(interval: float, key: str) -> list[Any]:
        now = actions.overview()
        view = now.views[key]
        return [*now.updates(interval), key, view.signature, *chosen_updates(services, words, view)]

    def follow(interval: float, key: str, signature: str) -> list[Any]:
        """Update the list, and the details below it where they have changed."""
        now = actions.overview()
        view = now.views[key]
        is_same = view.signature == signature
        details = [gr.skip() for _ in checks.chosen_outputs] if is_same else chosen_updates(services, words, view)
        return [*now.updates(interval), gr.skip(), view.signature, *details]

    def act(event: gr.EventData, provider: Provider, interval: float, key: str, request: gr.Request) -> list[Any]:
        asked = Action(event.action)
        if asked is Action.DETAILS:
            return [gr.skip(), *fresh(interval, event.key)]
        if asked is Action.ASK_DELETE:
            return [actions.deletion(event.key), *fresh(interval, key)]
        actions.perform(asked, event.key, provider, request)
        return [gr.skip(), *fresh(interval, key)]

    for opened in (page.load, checks.key.input, checks.rescan.click):
        opened(fresh, [tab.timer, checks.key], everything, api_visibility="private", show_progress="hidden")
    tab.timer.tick(
        follow,
        [tab.timer, checks.key, tab.signature],
        everything,
        api_visibility="private",
        show_progress="hidden",
        queue=False,
    )
    for clicked in (tab.rows.click, tab.piper_rows.click, tab.question.click):
        clicked(
            act,
            [tab.source, tab.timer, checks.key],
            [tab.question, *everything],
            api_visibility="private",
            show_progress="hidden",
            trigger_mode="multiple",
            concurrency_limit=None,
        )
    model_checks.wire(checks, services, words)
    sources_panel.wire(tab.sources, page, tab.source, services, words)
    store_panel.wire(tab.store, page, tab.moved, services, words)
