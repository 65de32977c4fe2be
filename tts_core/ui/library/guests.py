"""The Library tab of guests: the voices there are, to hear and to use. Nothing here changes anything."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from html import escape
from typing import Any

import gradio as gr

from tts_core.domain.errors import StudioError
from tts_core.services import Services
from tts_core.ui.library import view as library_view
from tts_core.ui.library.handler import PAGE
from tts_core.ui.library.view import EVENTS, VoiceAction, VoiceLook
from tts_core.ui.speak.player import voice_sample
from tts_core.ui.widgets.scripts import ACTIONS
from tts_core.ui.widgets.visitors import visitor_of
from tts_core.ui.words import Words
from tts_core.voices.engine import NAME as LIBRARY
from tts_core.voices.public import PublicVoice, public_voice, public_voices


@dataclass(frozen=True, slots=True)
class GuestLibrary:
    search: gr.Textbox
    notice: gr.HTML
    sound: gr.Audio
    rows: gr.HTML
    limit: gr.State
    """The number of cards that are shown."""


def render(words: Words) -> GuestLibrary:
    with gr.Column(elem_classes="studio-card"):
        gr.HTML(f'<p class="studio-lead">{words("library.guest_intro")}</p>', js_on_load=None)
        search = gr.Textbox(
            value="",
            label=words("library.search"),
            placeholder=words("library.guest_search_placeholder"),
            elem_id="library-search",
        )
        with gr.Column(elem_classes="studio-near"):
            notice = gr.HTML(js_on_load=None, elem_id="library-notice")
            sound = voice_sample(words)
        rows = gr.HTML(js_on_load=ACTIONS, elem_id="library-list")
    return GuestLibrary(search, notice, sound, rows, gr.State(PAGE))


def wire(tab: GuestLibrary, places: tuple[gr.Blocks, gr.Tab], services: Services, words: Words) -> None:
    """Wire the tab. `places`: the page and the tab that hold the widgets."""

    def listed(search: str, limit: int) -> str:
        return listing(services, words, search, limit)

    def more(search: str, limit: int) -> list[Any]:
        return [limit + PAGE, listed(search, limit + PAGE)]

    def sample(event: gr.EventData, request: gr.Request) -> Iterator[tuple[Any, Any]]:
        """Let the voice speak a sentence for the page's player."""
        yield library_view.busy_notice(words), gr.update(visible=False, value=None)
        try:
            visitor, quotas = visitor_of(request), services.login.quotas
            with quotas.work(visitor):
                voice = public_voice(services.voices.voice(event.key))
                take = services.voices.sample(voice.id)
                quotas.keep(visitor, take.path.stat().st_size)
        except StudioError as error:
            yield "", gr.update(visible=False, value=None)
            raise gr.Error(escape(words.error(error)), print_exception=False) from error
        label = words("library.playing_sample", {"voice": voice.name})
        yield "", gr.update(value=str(take.path), label=label, visible=True)

    page, item = places
    for opened in (page.load, item.select, tab.search.change):
        opened(listed, [tab.search, tab.limit], tab.rows, api_visibility="private", show_progress="hidden")
    tab.rows.click(
        more, [tab.search, tab.limit], [tab.limit, tab.rows], api_visibility="private", show_progress="hidden"
    )
    listen = getattr(tab.rows, EVENTS[VoiceAction.SAMPLE])
    listen(sample, None, [tab.notice, tab.sound], api_visibility="private", show_progress="hidden")


def listing(services: Services, words: Words, search: str, limit: int) -> str:
    """The cards of the first voices that match."""
    found = public_voices(services.voices.voices(), search)
    if not found:
        return library_view.nothing_found(words, is_searched=bool(search.strip()))
    speaking = {voice.id for voice in services.synthesis.voices()}
    shown = [_card(words, voice, can_speak=f"{LIBRARY}/{voice.id}" in speaking) for voice in found[:limit]]
    return library_view.card_list(words, shown, len(found))


def _card(words: Words, voice: PublicVoice, *, can_speak: bool) -> str:
    look = VoiceLook.READY if can_speak else VoiceLook.UNPREPARED
    about = (words(f"voice_kind.{voice.kind.value}"), library_view.language_name(words, voice.language))
    buttons = "".join(
        library_view.button(words, action, voice.id, voice.name, is_offered=can_speak)
        for action in (VoiceAction.USE, VoiceAction.SAMPLE)
    )
    return f"""<li class="studio-voice" id="voice-{escape(voice.id)}" data-look="{look.value}">
<div class="studio-voice-head"><h3>{escape(voice.name)}</h3>{library_view.badge(words, look)}</div>
<p class="studio-voice-about">{escape(" · ".join(part for part in about if part))}</p>
<div class="studio-model-buttons">{buttons}</div></li>"""
