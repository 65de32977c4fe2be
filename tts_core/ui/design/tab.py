"""The Design tab: describe a voice, hear it. Its widgets work once a VoiceDesign model is ready."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import gradio as gr

from tts_core.domain.errors import ModelNotReady
from tts_core.domain.values import AUTO_LANGUAGE, NEW_SEED
from tts_core.services import Services
from tts_core.ui.design import keep as design_keep
from tts_core.ui.design.keep import KeepPanel
from tts_core.ui.speak import player
from tts_core.ui.speak.handler import SpeakEndpoint, SpeakHandler
from tts_core.ui.speak.player import Player
from tts_core.ui.widgets import fragments
from tts_core.ui.widgets.forms import DesignForm
from tts_core.ui.widgets.voice_choices import design_voices, language_choices
from tts_core.ui.words import Words

EXAMPLES = ("example_1", "example_2", "example_3")


@dataclass(frozen=True, slots=True)
class DesignTab:
    """The tab's widgets; those of DesignForm carry its field names."""

    note: gr.HTML
    voice: gr.Dropdown
    description: gr.Textbox
    text: gr.Textbox
    language: gr.Dropdown
    seed: gr.Number
    read_as: gr.Radio
    examples: list[gr.Button]
    player: Player
    keep: KeepPanel | None
    """The panel that keeps a voice; None on the page for guests, who keep nothing."""


def render(words: Words) -> DesignTab:
    with gr.Column(elem_classes="studio-card"):
        gr.HTML(f'<p class="studio-lead">{words("design.intro")}</p>', js_on_load=None)
        note = gr.HTML(js_on_load=None, elem_id="design-note")
        description = gr.Textbox(
            label=words("design.description"),
            placeholder=words("design.description_placeholder"),
            lines=3,
            elem_id="design-description",
        )
        with gr.Row(elem_classes="studio-samples"):
            gr.HTML(f"<span>{words('speak.samples')}</span>", js_on_load=None, min_width=40)
            examples = [
                gr.Button(words(f"design.{name}"), size="sm", min_width=60, elem_classes="studio-example")
                for name in EXAMPLES
            ]
        text = gr.Textbox(label=words("speak.text"), lines=4, value=words("design.text"), elem_id="design-text")
        with gr.Row():
            voice = gr.Dropdown([], label=words("design.model"), elem_id="design-voice")
            language = gr.Dropdown(
                [(words("speak.language_auto"), AUTO_LANGUAGE)],
                value=AUTO_LANGUAGE,
                label=words("speak.language"),
                elem_id="design-language",
            )
            seed = gr.Number(label=words("speak.seed"), info=words("speak.seed_info"), precision=0, value=NEW_SEED)
        read_as = player.read_as_choice(words)
        sound = player.render(words, "design")
        keep = None if words.is_for_guests else design_keep.render(words)
    return DesignTab(note, voice, description, text, language, seed, read_as, examples, sound, keep)


def wire(tab: DesignTab, item: gr.Tab, services: Services, handler: SpeakHandler, words: Words) -> None:
    """Wire the tab. `item` is the tab that holds the widgets: it looks for ready models when it opens."""

    def look() -> list[Any]:
        voices = design_voices(services)
        choices = [(words.engine(voice), voice.id) for voice in voices]
        auto = [(words("speak.language_auto"), AUTO_LANGUAGE)]
        languages = language_choices(words, services.synthesis.capabilities(voices[0].id)) if voices else auto
        works = gr.update(interactive=bool(voices))
        return [
            "" if voices else fragments.note(words("design.no_model"), words("speak.to_models"), "tab-models"),
            gr.update(choices=choices, value=choices[0][1] if choices else None, interactive=bool(voices)),
            gr.update(choices=languages, value=AUTO_LANGUAGE),
            works,
            works,
        ]

    item.select(
        look,
        None,
        [tab.note, tab.voice, tab.language, tab.description, tab.player.run],
        api_visibility="private",
        show_progress="hidden",
    )
    event = SpeakEndpoint("design", DesignForm, lambda form: form.to_speak(form.voice or _best_voice(services)))
    spoken = [tab.description, tab.text, tab.language, tab.read_as]
    if tab.keep is None:
        player.wire(tab.player, tab, event, services, handler, words)
    else:
        design_keep.wire(
            tab.keep,
            tab.player,
            spoken,
            lambda: player.wire(tab.player, tab, event, services, handler, words),
            services,
            words,
        )
    for button, name in zip(tab.examples, EXAMPLES, strict=True):
        example = words.quoted(f"design.{name}_text")
        button.click(None, None, tab.description, js=f"() => {example}", api_visibility="private")


def _best_voice(services: Services) -> str:
    """The id of the best voice that can be designed. Raises ModelNotReady."""
    voices = design_voices(services)
    if not voices:
        raise ModelNotReady(name="Qwen3-TTS VoiceDesign")
    return voices[0].id
