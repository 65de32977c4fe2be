"""Updates and the models' folder. Only for somebody at this machine: paths of its disk are typed and shown here."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import gradio as gr

from tts_core.services import Services
from tts_core.ui.models.store import care, exchange, move
from tts_core.ui.models.store.care import CarePanel
from tts_core.ui.models.store.exchange import ExchangePanel
from tts_core.ui.models.store.move import MovePanel
from tts_core.ui.models.store.work import is_here
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
        parts = (care.render(words), move.render(words), exchange.render(words, choices))
    return StorePanel(card, *parts)


def wire(panel: StorePanel, page: gr.Blocks, notice: gr.HTML, services: Services, words: Words) -> None:
    """Wire the panel. `notice`, which everybody sees: the models have been moved, and this process still looks at the
    old folder."""

    def opened(request: gr.Request) -> list[Any]:
        unfinished = move.at_load(services, words) if is_here(request) else [gr.skip(), gr.skip()]
        return [gr.update(visible=is_here(request)), move.notice(services, words), *unfinished]

    shown = [panel.card, notice, panel.move.target, panel.move.result]
    page.load(opened, None, shown, api_visibility="private", show_progress="hidden")
    care.wire(panel.care, services, words)
    move.wire(panel.move, notice, services, words)
    exchange.wire(panel.exchange, services, words)
