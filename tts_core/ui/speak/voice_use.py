"""The way from a saved voice to the Speak tab with one click; the voice is chosen there."""

from __future__ import annotations

from typing import Any

import gradio as gr

from tts_core.services import Services
from tts_core.ui.speak.tab import SpeakTab
from tts_core.ui.widgets.voice_choices import speaking_voices
from tts_core.ui.widgets.voice_picker import voice_choices
from tts_core.ui.words import Words

EVENT = "select"
"""The event of Gradio for buttons that ask for this; their key is the voice's id."""
_TO_SPEAK = "() => document.querySelector('#tab-speak-button').click()"


def wire(source: gr.HTML, speak: SpeakTab, services: Services, words: Words) -> None:
    """Wire the buttons. `source` holds them and runs actions.js. The tab follows its voice when it opens."""

    def use(event: gr.EventData) -> list[Any]:
        voices = voice_choices(words, speaking_voices(services))
        return [gr.update(choices=voices, value=f"library/{event.key}"), True]

    used = source.select(use, None, [speak.voice, speak.is_chosen], api_visibility="private", show_progress="hidden")
    used.success(None, None, None, js=_TO_SPEAK, api_visibility="private")
