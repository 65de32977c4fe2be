"""The Library tab of guests: the voices there are, to preview and to use. Nothing here changes anything."""

from __future__ import annotations

from dataclasses import dataclass
from html import escape
from typing import Any

import gradio as gr

from tts_core.services import Services
from tts_core.ui.library import tab as library_tab, view as library_view
from tts_core.ui.library.handler import PAGE, Sort
from tts_core.ui.library.view import VoiceAction, VoiceLook
from tts_core.ui.words import Words
from tts_core.voices.engine import NAME as LIBRARY
from tts_core.voices.public import PublicVoice, public_voices


@dataclass(frozen=True, slots=True)
class GuestLibrary:
    search: gr.Textbox
    sort: gr.Dropdown
    rows: gr.HTML
    limit: gr.State
    """The number of rows that are shown."""


def render(words: Words) -> GuestLibrary:
    with gr.Column(elem_classes="studio-card"):
        gr.HTML(f'<p class="studio-lead">{words("library.guest_intro")}</p>', js_on_load=None)
        with gr.Row(elem_classes="studio-find"):
            search = gr.Textbox(
                value="",
                label=words("library.search"),
                placeholder=words("library.guest_search_placeholder"),
                scale=5,
                min_width=180,
                elem_id="library-search",
            )
            sort = library_tab.sort_choice(words, [Sort.NAME, Sort.LANGUAGE])
        rows = library_tab.row_list(words)
    return GuestLibrary(search, sort, rows, gr.State(PAGE))


def wire(tab: GuestLibrary, places: tuple[gr.Blocks, gr.Tab], services: Services, words: Words) -> None:
    """Wire the tab. `places`: the page and the tab that hold the widgets."""

    def listed(search: str, sort: str | None, limit: int) -> str:
        return listing(services, words, search, Sort(sort or Sort.NAME), limit)

    def more(search: str, sort: str | None, limit: int) -> list[Any]:
        return [limit + PAGE, listed(search, sort, limit + PAGE)]

    shown = [tab.search, tab.sort, tab.limit]
    page, item = places
    for opened in (page.load, item.select, tab.search.change, tab.sort.change):
        opened(listed, shown, tab.rows, api_visibility="private", show_progress="hidden")
    tab.rows.click(more, shown, [tab.limit, tab.rows], api_visibility="private", show_progress="hidden")


def listing(services: Services, words: Words, search: str, sort: Sort, limit: int) -> str:
    """The rows of the first voices that match."""
    found = public_voices(services.voices.voices(), search)
    if not found:
        return library_view.nothing_found(words, is_searched=bool(search.strip()))
    if sort is Sort.LANGUAGE:
        found = tuple(sorted(found, key=lambda voice: library_view.language_rank(words, voice.language)))
    speaking = {voice.id for voice in services.synthesis.voices()}
    shown = [_row(words, voice, can_speak=f"{LIBRARY}/{voice.id}" in speaking) for voice in found[:limit]]
    return library_view.row_list(words, shown, len(found))


def _row(words: Words, voice: PublicVoice, *, can_speak: bool) -> str:
    look = VoiceLook.READY if can_speak else VoiceLook.UNPREPARED
    about = (words(f"voice_kind.{voice.kind.value}"), library_view.language_name(words, voice.language))
    parts = (
        library_view.preview(words, voice, is_offered=can_speak),
        f'<div class="studio-voice-main"><h2>{escape(voice.name)}</h2>'
        f'<p class="studio-voice-about">{escape(" · ".join(part for part in about if part))}</p></div>',
        library_view.badge(words, look),
        library_view.button(words, VoiceAction.USE, voice.id, voice.name, is_offered=can_speak),
    )
    return library_view.row(voice.id, look, "".join(parts))
