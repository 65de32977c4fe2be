"""Updates and the models' folder. Only for somebody at this machine: paths of its disk are typed and shown here."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import gradio as gr

from tts_core.services import Services
from tts_core.ui.models import care_panel, exchange_panel, move_panel
from tts_core.ui.models.care_panel import CarePanel
from tts_core.ui.models.exchange_panel import ExchangePanel
from tts_core.ui.models.move_panel import MovePanel
from tts_core.ui.models.store_handler import is_here
from tts_core.ui.words import Words


@dataclass(frozen=True, slots=True)
class StorePanel:
    card: gr.Column
    care: CarePanel
    move: MovePanel
    exchange: ExchangePanel


def render(words: Words, choices: list[tuple[str, str]]) -> StorePanel:
    """Render the panel. `choices`: (name, key) of each model."""
    with (
        gr.Column(visible=False, elem_classes="studio-card") as card,
        gr.Accordion(words("store.title"), open=False, elem_id="models-store"),
    ):
        care = care_panel.render(words)
        move = move_panel.render(words)
        exchange = exchange_panel.render(words, choices)
    return StorePanel(card, care, move, exchange)


def wire(panel: StorePanel, page: gr.Blocks, notice: gr.HTML, services: Services, words: Words) -> None:
    """Wire the panel. `notice`, which everybody sees: the models have been moved, and this process still looks at the
    old folder."""

    def opened(request: gr.Request) -> list[Any]:
        move = move_panel.at_load(services, words) if is_here(request) else [gr.skip(), gr.skip()]
        return [gr.update(visible=is_here(request)), move_panel.notice(services, words), *move]

    shown = [panel.card, notice, panel.move.target, panel.move.result]
    page.load(opened, None, shown, api_visibility="private", show_progress="hidden")
    care_panel.wire(panel.care, services, words)
    move_panel.wire(panel.move, notice, services, words)
    exchange_panel.wire(panel.exchange, services, words)
