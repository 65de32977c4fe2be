"""The Library tab of guests: the voices there are, to hear and to use. Nothing here changes anything."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import gradio as gr

from tts_core.errors import StudioError
from tts_core.services import Services
from tts_core.ui import library_view
from tts_core.ui.library_actions import ALL, PAGE, LibraryActions
from tts_core.ui.library_view import EVENTS, VoiceAction
from tts_core.ui.player import voice_sample
from tts_core.ui.scripts import ACTIONS
from tts_core.ui.visitors import visitor_of
from tts_core.ui.words import Words


@dataclass(frozen=True, slots=True)
class GuestLibrary:
    search: gr.Textbox
    notice: gr.HTML
    sound: gr.Audio
    rows: gr.HTML
    limit: gr.State
    """How many cards are shown."""


def render(words: Words) -> GuestLibrary:
    with gr.Column(elem_classes="studio-card"):
        gr.HTML(f'<p class="studio-lead">{words("library.guest_intro")}</p>', js_on_load=None)
        search = gr.Textbox(
            value="",
            label=words("library.search"),
            placeholder=words("library.search_placeholder"),
            elem_id="library-search",
        )
        with gr.Column(elem_classes="studio-near"):
            notice = gr.HTML(js_on_load=None, elem_id="library-notice")
            sound = voice_sample(words)
        rows = gr.HTML(js_on_load=ACTIONS, elem_id="library-list")
    return GuestLibrary(search, notice, sound, rows, gr.State(PAGE))


def wire(tab: GuestLibrary, places: tuple[gr.Blocks, gr.Tab], services: Services, words: Words) -> None:
    """`places`: the page and the tab that hold the widgets."""
    actions = LibraryActions(services, words)

    def listed(search: str, limit: int) -> str:
        return actions.listing(search, ALL, limit).html

    def more(search: str, limit: int) -> list[Any]:
        return [limit + PAGE, listed(search, limit + PAGE)]

    def sound(event: gr.EventData, request: gr.Request) -> Iterator[tuple[Any, Any]]:
        """A sentence in that voice; making it takes a while the first time."""
        yield library_view.busy_notice(words), gr.update(visible=False, value=None)
        try:
            with actions.told(), services.reception.quotas.work(visitor_of(request)):
                path, label = actions.heard(VoiceAction.SAMPLE, event.key)
        except (gr.Error, StudioError):
            yield "", gr.update(visible=False, value=None)
            raise
        yield "", gr.update(value=path, label=label, visible=True)

    page, item = places
    for looked in (page.load, item.select, tab.search.change):
        looked(listed, [tab.search, tab.limit], tab.rows, api_visibility="private", show_progress="hidden")
    tab.rows.click(
        more, [tab.search, tab.limit], [tab.limit, tab.rows], api_visibility="private", show_progress="hidden"
    )
    listen = getattr(tab.rows, EVENTS[VoiceAction.SAMPLE])
    listen(sound, None, [tab.notice, tab.sound], api_visibility="private", show_progress="hidden")
