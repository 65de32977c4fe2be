"""The Speak tab: text and voice on the left and right, sound below. Rendered first, wired when every tab exists."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any

import gradio as gr

from tts_core.audio.files import FORMATS
from tts_core.domain.values import AUTO_LANGUAGE, NEW_SEED, Sampling, Voice
from tts_core.engines.builtin.engine import NAME as BUILTIN, VOICE as BY_LANGUAGE
from tts_core.engines.hibari.voices import NAME as HIBARI
from tts_core.services import Services
from tts_core.ui.speak import player, preview_panel
from tts_core.ui.speak.handler import SpeakEndpoint, SpeakHandler
from tts_core.ui.speak.player import Player
from tts_core.ui.speak.preview_panel import TextWidgets
from tts_core.ui.widgets import fragments, voice_picker
from tts_core.ui.widgets.forms import SpeakForm
from tts_core.ui.widgets.voice_choices import best_voice, language_choices, speaking_voices, voice_named
from tts_core.ui.widgets.voice_picker import voice_choices
from tts_core.ui.words import Words

VOICE_ID = "speak-voice"
SAMPLES = ("sample_1", "sample_2", "sample_3")
SAMPLING_FIELDS = (
    "temperature",
    "top_k",
    "top_p",
    "repetition_penalty",
    "predictor_temperature",
    "predictor_top_k",
    "predictor_top_p",
)


@dataclass(frozen=True, slots=True)
class SpeakTab:
    """The tab's widgets; those of SpeakForm carry its field names."""

    text: gr.Textbox
    samples: list[gr.Button]
    voice: gr.HTML
    voice_note: gr.HTML
    language: gr.Dropdown
    instruct: gr.Textbox
    instruct_note: gr.HTML
    speed: gr.Slider
    format: gr.Radio
    sampling_note: gr.HTML
    sampling: gr.Column
    """The settings of voices that sample."""
    max_seconds: gr.Number
    seed: gr.Number
    seed_locked: gr.Checkbox
    temperature: gr.Slider
    top_k: gr.Slider
    top_p: gr.Slider
    repetition_penalty: gr.Slider
    predictor_temperature: gr.Slider
    predictor_top_k: gr.Slider
    predictor_top_p: gr.Slider
    read_as: gr.Radio
    player: Player
    is_chosen: gr.Checkbox
    """Whether somebody chose the voice; otherwise it is the best one there is."""


@dataclass(frozen=True, slots=True)
class VoicePanel:
    """The parts of the tab that depend on the chosen voice."""

    languages: list[tuple[str, str]]
    note: str
    instruct_note: str
    sampling_note: str
    supports_instruct: bool
    supports_sampling: bool


def voice_panel(services: Services, words: Words, voice_id: str) -> VoicePanel:
    voices = speaking_voices(services)
    voice = next((voice for voice in voices if voice.id == voice_id), best_voice(voices))
    can = services.synthesis.capabilities(voice.id)
    name = {"voice": words.voice(voice)}
    return VoicePanel(
        languages=language_choices(words, can),
        note=_builtin_note(words, voice, services, voices) if voice.engine == BUILTIN else "",
        instruct_note="" if can.supports_instruct else words("speak.instruct_unsupported", name),
        sampling_note="" if can.supports_sampling else words("speak.sampling_unsupported", name),
        supports_instruct=can.supports_instruct,
        supports_sampling=can.supports_sampling,
    )


def _builtin_note(words: Words, chosen: Voice, services: Services, voices: list[Voice]) -> str:
    is_natural = chosen.id == BY_LANGUAGE
    languages = {"languages": len(services.synthesis.capabilities(chosen.id).languages) - 1}
    if is_natural and (problem := services.builtin.problem):
        return fragments.to_models(words, words("speak.natural_missing", {"reason": problem}))
    better = any(voice.engine not in (BUILTIN, HIBARI) for voice in voices)
    kind = "natural_note" if is_natural else "builtin_note"
    ending = "_ready" if better else "_for_guests" if words.is_for_guests else ""
    return fragments.to_models(words, words(f"speak.{kind}{ending}", languages))


def render(services: Services, words: Words) -> SpeakTab:
    voices = speaking_voices(services)
    best = best_voice(voices).id
    panel = voice_panel(services, words, best)
    with gr.Row(equal_height=False, elem_classes="studio-speak"):
        with gr.Column(scale=7, min_width=320, elem_classes="studio-card"):
            voice_picker.render_place(words, VOICE_ID)
            text, samples = _render_text(services, words)
            sound = player.render(words, "speak", keeps_takes=True)
        with gr.Column(scale=4, min_width=300, elem_classes="studio-card"):
            voice = voice_picker.render(services, words, voice_choices(words, voices), best, VOICE_ID)
            voice_note = gr.HTML(panel.note, js_on_load=None)
            language = gr.Dropdown(
                panel.languages, value=AUTO_LANGUAGE, label=words("speak.language"), elem_id="speak-language"
            )
            speed = gr.Slider(0.5, 2.0, value=1.0, step=0.05, label=words("speak.speed"), elem_id="speak-speed")
            instruct = gr.Textbox(
                value="",
                label=words("speak.instruct"),
                placeholder=words("speak.instruct_placeholder"),
                lines=2,
                visible=panel.supports_instruct,
                elem_id="speak-instruct",
            )
            instruct_note = gr.HTML(
                fragments.hint(panel.instruct_note), js_on_load=None, elem_classes="studio-optional"
            )
            with gr.Accordion(words("speak.advanced"), open=False, elem_id="speak-advanced"):
                advanced = _render_advanced(words, panel)
    preview_panel.add(services, words, TextWidgets(text, voice, language, speed, advanced["read_as"]))
    return SpeakTab(
        text=text,
        samples=samples,
        voice=voice,
        voice_note=voice_note,
        language=language,
        instruct=instruct,
        instruct_note=instruct_note,
        speed=speed,
        player=sound,
        is_chosen=gr.Checkbox(value=False, visible=False),
        **advanced,
    )


def _render_text(services: Services, words: Words) -> tuple[gr.Textbox, list[gr.Button]]:
    text = gr.Textbox(
        label=words("speak.text"),
        placeholder=words("speak.text_placeholder"),
        lines=6,
        max_lines=16,
        autofocus=True,
        elem_id="speak-text",
    )
    limit = services.settings.limits.max_text_chars
    count = words("speak.count", {"count": "<b>0</b>", "limit": f"{limit:,}"})
    with gr.Row(elem_classes="studio-samples"):
        gr.HTML(f"<span>{words('speak.samples')}</span>", js_on_load=None, min_width=40)
        samples = [
            gr.Button(words(f"speak.{name}"), size="sm", min_width=60, elem_classes="studio-sample") for name in SAMPLES
        ]
        gr.HTML(f'<span class="studio-count" data-limit="{limit}">{count}</span>', js_on_load=None, min_width=120)
    return text, samples


def _render_advanced(words: Words, panel: VoicePanel) -> dict[str, Any]:
    """The folded widgets by name; those of sampling are there only for voices that sample."""
    file_format = gr.Radio(list(FORMATS), value="wav", label=words("speak.format"), elem_id="speak-format")
    read_as = player.read_as_choice(words)
    max_seconds = gr.Number(label=words("speak.max_seconds"), info=words("speak.max_seconds_info"), value=0)
    note = fragments.hint(panel.sampling_note)
    sampling_note = gr.HTML(note, js_on_load=None, elem_id="speak-sampling-note", elem_classes="studio-optional")
    with gr.Column(visible=panel.supports_sampling) as sampling:
        with gr.Row():
            seed = gr.Number(label=words("speak.seed"), info=words("speak.seed_info"), precision=0, value=NEW_SEED)
            seed_locked = gr.Checkbox(label=words("speak.seed_lock"), value=False, elem_id="speak-seed-locked")
        default = Sampling()
        ranges = {"temperature": (0.1, 2.0, 0.05), "top_k": (1, 200, 1), "top_p": (0.05, 1.0, 0.05)}
        ranges["repetition_penalty"] = (1.0, 1.5, 0.01)
        widgets: dict[str, Any] = {}
        for name in SAMPLING_FIELDS:
            if name in ("temperature", "predictor_temperature"):
                group = "predictor" if name.startswith("predictor") else "talker"
                gr.HTML(f"<h4>{words(f'speak.{group}')}</h4>", js_on_load=None)
            low, high, step = ranges[name.removeprefix("predictor_")]
            widgets[name] = gr.Slider(low, high, value=getattr(default, name), step=step, label=words(f"speak.{name}"))
    return {
        "format": file_format,
        "read_as": read_as,
        "max_seconds": max_seconds,
        "sampling_note": sampling_note,
        "sampling": sampling,
        "seed": seed,
        "seed_locked": seed_locked,
    } | widgets


def wire(
    tab: SpeakTab, places: tuple[gr.Blocks, gr.Tab], services: Services, handler: SpeakHandler, words: Words
) -> None:
    """Wire the tab. `places`: the page and the tab that hold the widgets; when they open, models may have come or
    gone."""
    endpoint = SpeakEndpoint("synthesize", SpeakForm, lambda form: form)
    spoken = player.wire(tab.player, tab, endpoint, services, handler, words)
    _wire_seed(tab, spoken)
    follow = _Followers(tab, services, words)
    _wire_voice(tab, places, follow)
    _wire_use_again(tab, follow)
    for button, name in zip(tab.samples, SAMPLES, strict=True):
        sample = words.quoted(f"speak.{name}_text")
        button.click(None, None, tab.text, js=f"() => {sample}", api_visibility="private")


def _wire_seed(tab: SpeakTab, spoken: gr.events.Dependency) -> None:
    """Wire the seed. The lock keeps the last take's seed in the box; unlocking asks for new ones again."""

    def keep(locked: bool, seed: float | None, details: dict[str, Any] | None) -> float | None:
        last = (details or {}).get("seed")
        return (seed if last is None else last) if locked else NEW_SEED

    def keep_of_take(locked: bool, seed: float | None, details: dict[str, Any] | None) -> Any:
        return gr.skip() if details is None else keep(locked, seed, details)

    for event, update in ((tab.seed_locked.input, keep), (spoken.success, keep_of_take)):
        event(
            update,
            [tab.seed_locked, tab.seed, tab.player.details],
            tab.seed,
            api_visibility="private",
            queue=False,
            show_progress="hidden",
        )


def _still_there(voices: list[Voice], wanted: str, words: Words) -> Voice:
    """The voice that was chosen, perhaps in an earlier visit. If it is gone, the best one, with a word about it."""
    found = voice_named(voices, wanted)
    if found is None:
        gr.Info(words("speak.voice_gone", {"now": words.voice(best_voice(voices))}))
    return found or best_voice(voices)


class _Followers:
    """Everything that depends on the chosen voice."""

    def __init__(self, tab: SpeakTab, services: Services, words: Words) -> None:
        self.outputs = [tab.voice_note, tab.language, tab.instruct, tab.instruct_note, tab.sampling_note, tab.sampling]
        self._services = services
        self._words = words
        self._rendered = tab.voice.value
        """The voice that the page was made with."""

    def follow(self, voice_id: str, language: str) -> list[Any]:
        """Updates for `outputs`."""
        panel = voice_panel(self._services, self._words, voice_id)
        codes = [code for _, code in panel.languages]
        languages = gr.update(choices=panel.languages)
        # What stays is not sent: it would undo what is chosen while this is on its way.
        languages |= {} if language in codes else {"value": AUTO_LANGUAGE}
        return [
            panel.note,
            languages,
            gr.update(visible=True) if panel.supports_instruct else gr.update(visible=False, value=""),
            fragments.hint(panel.instruct_note),
            fragments.hint(panel.sampling_note),
            gr.update(visible=panel.supports_sampling),
        ]

    def look_again(self, voice: str, is_chosen: bool, language: str) -> list[Any]:
        """Updates for the voice and `outputs` when the tab opens: the best voice there is, unless somebody chose
        another."""
        voices = speaking_voices(self._services)
        now = (_still_there(voices, voice, self._words) if is_chosen else best_voice(voices)).id
        choices = voice_choices(self._words, voices)
        chosen = gr.update(choices=choices) if now == voice else gr.update(choices=choices, value=now)
        return [chosen, *self.follow(now, language)]

    def loaded(self, voice: str, is_chosen: bool, language: str) -> list[Any]:
        """Updates when the page opens: what was rendered for the voice is right where the voice stays."""
        chosen, note, *rest = self.look_again(voice, is_chosen, language)
        return [chosen, note, *([gr.skip()] * len(rest) if voice == self._rendered and "value" not in chosen else rest)]

    def use_again(self, event: gr.EventData, voice: str) -> list[Any]:
        """Updates for the form of an earlier take, and `outputs`. A voice that is gone leaves the present one."""
        given = event.form
        form = SpeakForm(**{field.name: given.get(field.name) for field in fields(SpeakForm)})
        present = {one.id for one in speaking_voices(self._services)}
        now = form.voice if form.voice in present else voice
        values = [form.text, now, True, form.speed, form.format, form.max_seconds, form.seed, form.read_as]
        note, language, instruct, *rest = self.follow(now or voice, form.language)
        language = {"value": form.language, **language}
        instruct = {**instruct, "value": form.instruct} if instruct["visible"] else instruct
        return [*values, *(getattr(form, name) for name in SAMPLING_FIELDS), note, language, instruct, *rest]


def _wire_voice(tab: SpeakTab, places: tuple[gr.Blocks, gr.Tab], followers: _Followers) -> None:
    """Make everything that depends on the chosen voice follow it."""
    outputs = followers.outputs
    tab.voice.input(
        followers.follow, [tab.voice, tab.language], outputs, api_visibility="private", show_progress="hidden"
    )
    tab.voice.input(None, None, tab.is_chosen, js="() => true", api_visibility="private")
    page, item = places
    for opened, update in ((page.load, followers.loaded), (item.select, followers.look_again)):
        opened(
            update,
            [tab.voice, tab.is_chosen, tab.language],
            [tab.voice, *outputs],
            api_visibility="private",
            show_progress="hidden",
        )


def _wire_use_again(tab: SpeakTab, followers: _Followers) -> None:
    """Let the settings of an earlier take fill the form."""
    sampling = [getattr(tab, name) for name in SAMPLING_FIELDS]
    form = [tab.text, tab.voice, tab.is_chosen, tab.speed, tab.format, tab.max_seconds, tab.seed, tab.read_as]
    tab.player.shown.select(
        followers.use_again,
        tab.voice,
        [*form, *sampling, *followers.outputs],
        api_visibility="private",
        queue=False,
        show_progress="hidden",
    )
