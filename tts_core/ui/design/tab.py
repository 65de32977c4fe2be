"""The Design tab: describe a voice, hear three candidates, save one or lock its voice for other texts. Its widgets are
shown once a VoiceDesign model is ready."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import gradio as gr

from tts_core.domain.values import AUTO_LANGUAGE, NEW_SEED
from tts_core.services import Services
from tts_core.ui.design import cards as design_cards, view
from tts_core.ui.design.candidates import Designer, Lock
from tts_core.ui.design.cards import Candidates, Cards, Keep
from tts_core.ui.design.making import Making
from tts_core.ui.speak import player
from tts_core.ui.speak.handler import SpeakEndpoint, SpeakHandler
from tts_core.ui.speak.player import WAVE, ForPrograms
from tts_core.ui.widgets import fragments
from tts_core.ui.widgets.forms import DesignForm, inputs_of
from tts_core.ui.widgets.scripts import ACTIONS, CLEAR_ALERT
from tts_core.ui.widgets.voice_choices import design_voices, language_choices
from tts_core.ui.words import Words

EXAMPLES = ("example_1", "example_2", "example_3")


@dataclass(frozen=True, slots=True)
class DesignTab:
    """The tab's widgets; those of DesignForm carry its field names."""

    note: gr.HTML
    needs_model: gr.Column
    """The widgets that work only where a VoiceDesign model is ready."""
    voice: gr.Dropdown
    description: gr.Textbox
    text: gr.Textbox
    language: gr.Dropdown
    seed: gr.Number
    read_as: gr.Radio
    samples: gr.Row
    examples: list[gr.Button]
    lock_line: gr.HTML
    run: gr.Button
    stop: gr.Button
    status: gr.HTML
    take: gr.Column
    take_head: gr.HTML
    take_audio: gr.Audio
    cards: Cards
    lock: gr.State
    programs: ForPrograms
    """The event by which programs design, which makes one take."""

    @property
    def keep(self) -> Keep | None:
        return self.cards.keep


def render(words: Words) -> DesignTab:
    with gr.Column(elem_classes="studio-card"):
        gr.HTML(f'<p class="studio-lead">{words("design.intro")}</p>', js_on_load=None)
        note = gr.HTML(js_on_load=None, elem_id="design-note", elem_classes="studio-optional")
        with gr.Column(visible=False) as needs_model:
            form = _render_form(words)
            made = _render_made(words)
            cards = design_cards.render(words)
        programs = player.for_programs()
    return DesignTab(
        note=note, needs_model=needs_model, cards=cards, lock=gr.State(None), programs=programs, **form, **made
    )


def _render_form(words: Words) -> dict[str, Any]:
    description = gr.Textbox(
        label=words("design.description"),
        placeholder=words("design.description_placeholder"),
        lines=3,
        elem_id="design-description",
    )
    with gr.Row(elem_classes="studio-samples") as samples:
        gr.HTML(f"<span>{words('speak.samples')}</span>", js_on_load=None, min_width=40)
        examples = [
            gr.Button(words(f"design.{name}"), size="sm", min_width=60, elem_classes="studio-example")
            for name in EXAMPLES
        ]
    text = gr.Textbox(label=words("speak.text"), lines=3, value=words("design.text"), elem_id="design-text")
    language = gr.Dropdown(
        [(words("speak.language_auto"), AUTO_LANGUAGE)],
        value=AUTO_LANGUAGE,
        label=words("speak.language"),
        elem_id="design-language",
    )
    with gr.Accordion(words("speak.advanced"), open=False, elem_id="design-advanced"):
        read_as = player.read_as_choice(words)
        with gr.Row():
            voice = gr.Dropdown([], label=words("design.model"), elem_id="design-voice")
            seed = gr.Number(label=words("speak.seed"), info=words("design.seed_info"), precision=0, value=NEW_SEED)
    return {
        "description": description,
        "samples": samples,
        "examples": examples,
        "text": text,
        "language": language,
        "read_as": read_as,
        "voice": voice,
        "seed": seed,
    }


def _render_made(words: Words) -> dict[str, Any]:
    """The buttons, how far it is, and the take in a locked voice."""
    lock_line = gr.HTML(js_on_load=ACTIONS, elem_id="design-lock", elem_classes="studio-optional")
    with gr.Row(elem_classes="studio-actions"):
        run = gr.Button(
            words("design.run"), variant="primary", elem_id="design-run", elem_classes="studio-run", min_width=150
        )
        stop = gr.Button(
            words("speak.stop"), interactive=False, elem_id="design-stop", elem_classes="studio-stop", min_width=90
        )
        gr.HTML(f'<span class="studio-keys">{words("speak.shortcuts")}</span>', js_on_load=None, min_width=120)
    status = gr.HTML(js_on_load=None, elem_id="design-status", elem_classes="studio-optional")
    with gr.Column(visible=False, elem_classes="studio-candidate") as take:
        head = gr.HTML(js_on_load=None)
        audio = gr.Audio(
            label=words("design.new_text"),
            show_label=False,
            type="filepath",
            interactive=False,
            autoplay=True,
            buttons=["download"],
            waveform_options=WAVE,
            elem_id="design-take",
        )
    return {
        "lock_line": lock_line,
        "run": run,
        "stop": stop,
        "status": status,
        "take": take,
        "take_head": head,
        "take_audio": audio,
    }


def wire(tab: DesignTab, item: gr.Tab, services: Services, handler: SpeakHandler, words: Words) -> None:
    """Wire the tab. `item` is the tab that holds the widgets: it looks for ready models when it opens."""
    designer = Designer(services, words)
    _wire_models(tab, item, services, words)
    _wire_making(tab, designer, services, words)
    _wire_lock(tab, designer, words)
    design_cards.wire_saving(tab.cards, designer, words)
    endpoint = SpeakEndpoint("design", DesignForm, lambda form: form.to_speak(form.voice or designer.best_voice()))
    player.wire_programs(tab.programs, inputs_of(DesignForm, tab), endpoint, services, handler)
    for button, name in zip(tab.examples, EXAMPLES, strict=True):
        example = words.quoted(f"design.{name}_text")
        button.click(None, None, tab.description, js=f"() => {example}", api_visibility="private")


def _wire_models(tab: DesignTab, item: gr.Tab, services: Services, words: Words) -> None:
    def look(language: str) -> list[Any]:
        voices = design_voices(services)
        choices = [(words.engine(voice), voice.id) for voice in voices]
        auto = [(words("speak.language_auto"), AUTO_LANGUAGE)]
        languages = language_choices(words, services.synthesis.capabilities(voices[0].id)) if voices else auto
        known = [code for _, code in languages]
        return [
            "" if voices else fragments.missing(words, "design.no_model"),
            gr.update(choices=choices, value=choices[0][1] if choices else None),
            gr.update(choices=languages, value=language if language in known else AUTO_LANGUAGE),
            gr.update(visible=bool(voices)),
        ]

    item.select(
        look,
        tab.language,
        [tab.note, tab.voice, tab.language, tab.needs_model],
        api_visibility="private",
        show_progress="hidden",
    )


def _wire_making(tab: DesignTab, designer: Designer, services: Services, words: Words) -> None:
    making = Making(designer, services, words)
    tab.run.click(
        making.press,
        [*inputs_of(DesignForm, tab), tab.lock],
        [tab.status, tab.run, tab.stop, tab.take, tab.take_head, tab.take_audio, *tab.cards.outputs],
        api_visibility="private",
        show_progress="hidden",
        concurrency_limit=None,
    )
    tab.stop.click(making.halt, None, None, api_visibility="private", queue=False)
    for changed in (tab.description, tab.text, tab.language, tab.seed):
        changed.change(None, tab.status, tab.status, js=CLEAR_ALERT, api_visibility="private", show_progress="hidden")


def _wire_lock(tab: DesignTab, designer: Designer, words: Words) -> None:
    outputs = [tab.lock, tab.lock_line, tab.run, tab.description, tab.samples, *tab.cards.outputs]

    def shown(lock: Lock | None, candidates: Candidates) -> list[Any]:
        names = {key: name for name, key in designer.cloning_models()}
        return [
            lock,
            view.lock_line(words, lock, names),
            gr.update(value=words("speak.generate" if lock else "design.run")),
            gr.update(interactive=lock is None),
            gr.update(visible=lock is None),
            *design_cards.all_shown(words, candidates, lock, designer.cloning_models()),
        ]

    def locked(number: int, candidates: Candidates) -> list[Any]:
        if number > len(candidates):
            return [gr.skip()] * len(outputs)
        return shown(designer.lock(candidates[number - 1], number), candidates)

    for number, card in enumerate(tab.cards.cards, 1):
        card.lock.click(
            lambda candidates, number=number: locked(number, candidates),
            tab.cards.candidates,
            outputs,
            api_visibility="private",
            show_progress="hidden",
        )
    tab.lock_line.click(
        lambda candidates: shown(None, candidates),
        tab.cards.candidates,
        outputs,
        api_visibility="private",
        show_progress="hidden",
    )
