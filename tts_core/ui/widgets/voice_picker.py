"""The choice of a voice: a button that shows the chosen one and opens a sheet of all voices.

The component's value is the voice's id, as a drop-down's would be. Its `choices` are (label, id) of the voices that
speak; a label's first line is the name, its second one the voice's character. The sheet's own list, which also has the
voices that can't speak yet, is asked for when the sheet opens.
"""

from __future__ import annotations

from typing import Any

import gradio as gr

from tts_core.domain.errors import StudioError
from tts_core.domain.values import Voice
from tts_core.services import Services
from tts_core.ui.widgets.voice_list import character, voice_list
from tts_core.ui.words import Words
from tts_core.voices.engine import NAME as LIBRARY

_TEXTS = (
    *("title", "search", "search_placeholder", "filters", "mine", "favourites", "language", "gender", "female", "male"),
    *("engine", "count", "none", "clear", "close", "preview", "stop", "favourite", "failed", "loading", "tab-models"),
    *("prepare", "by_language", "by_gender", "by_engine"),
)
API = {"en": "api/tts/qwen3", "zh": "../api/tts/qwen3"}
"""The address of the studio's routes, as seen from the page of each language."""


def voice_label(words: Words, voice: Voice) -> str:
    """The voice's name, and on a second line its character."""
    return f"{words.voice(voice)}\n{character(words, voice)}"


def voice_choices(words: Words, voices: list[Voice]) -> list[tuple[str, str]]:
    """The (label, id) of each voice."""
    return [(voice_label(words, voice), voice.id) for voice in voices]


def render(services: Services, words: Words, choices: list[tuple[str, str]], value: str, elem_id: str) -> gr.HTML:
    """Render the button and wire its sheet."""
    picker = gr.HTML(
        value=value,
        label=words("speak.voice"),
        html_template=_field(f'<span class="studio-voice-label">{words("speak.voice")}</span>'),
        js_on_load="studioVoices.attach(element, props, trigger, watch)",
        apply_default_css=False,
        elem_id=elem_id,
        choices=choices,
        voices=None,
        texts=texts(words),
        api=API[words.language],
    )

    def listed() -> Any:
        return gr.update(voices=voice_list(services, words))

    def prepared(event: gr.EventData) -> Any:
        try:
            services.voices.prepare(str(event.key).removeprefix(f"{LIBRARY}/"))
        except StudioError as error:
            raise gr.Error(words.error(error), print_exception=False) from error
        return listed()

    picker.expand(listed, None, picker, api_visibility="private", queue=False, show_progress="hidden")
    if not words.is_for_guests:
        picker.submit(prepared, None, picker, api_visibility="private", queue=False, show_progress="hidden")
    return picker


def render_place(words: Words, elem_id: str) -> gr.HTML:
    """Render the place where a narrow page shows the button of the picker with that id."""
    return gr.HTML(
        _field(""),
        label=words("speak.voice"),
        js_on_load=f"studioVoices.place(element, {elem_id!r})",
        apply_default_css=False,
        elem_classes="studio-voice-place",
    )


def texts(words: Words) -> dict[str, str]:
    """The sheet's texts in the page's language."""
    return {name: words(f"picker.{name}") for name in _TEXTS} | {"speaks": words.language}


def _field(label: str) -> str:
    return f'<div class="studio-voice-field">{label}</div>'
