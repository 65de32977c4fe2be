"""The part of a tab that makes sound: Generate and Stop, the player of the take, and what becomes of it.

The page speaks by itself (`assets/scripts/player.js` and `stream.py`); Gradio learns of a take when it is finished.
Programs speak by an event of Gradio.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from dataclasses import dataclass, fields
from html import escape
from typing import Any

import gradio as gr

from tts_core.audio.files import FORMATS
from tts_core.domain.errors import Cancelled, StudioError
from tts_core.domain.values import ReadAs
from tts_core.services import Services
from tts_core.speech.faults import UnknownTake
from tts_core.speech.plan.plan import words_of
from tts_core.ui.speak import check_panel
from tts_core.ui.speak.check_panel import CheckPanel
from tts_core.ui.speak.handler import SpeakEndpoint, SpeakHandler, SpeakView
from tts_core.ui.theme import INK, VERMILION
from tts_core.ui.widgets.forms import form_event, inputs_of
from tts_core.ui.widgets.scripts import TAKES
from tts_core.ui.widgets.visitors import visitor_of
from tts_core.ui.words import Words

logger = logging.getLogger(__name__)

WAVE = gr.WaveformOptions(waveform_color=INK.c400, waveform_progress_color=VERMILION.c600)
TEXTS = ("live.", "speak.fact_", "speak.empty", "speak.starting", "speak.error_title")
"""The beginnings of the keys of texts that the page's script needs."""
LIVE_PATH = "api/tts/qwen3/live/"


@dataclass(frozen=True, slots=True)
class Player:
    run: gr.Button
    stop: gr.Button
    shown: gr.HTML
    """The player and the list of takes; see assets/scripts/player.js."""
    audio: gr.State
    """The path of the finished take's file; None while there is none."""
    details: gr.State
    """The take's facts as data."""
    check: CheckPanel
    programs: ForPrograms


@dataclass(frozen=True, slots=True)
class ForPrograms:
    """Invisible widgets of the event by which programs speak."""

    run: gr.Button
    outputs: list[Any]


def render(words: Words, tab_id: str, *, keeps_takes: bool = False) -> Player:
    """Render the player. The widgets' ids begin with `tab_id`. `keeps_takes`: whether the takes of this visit are
    listed."""
    with gr.Row(elem_classes="studio-actions"):
        run = gr.Button(
            words("speak.generate"),
            variant="primary",
            elem_id=f"{tab_id}-run",
            elem_classes="studio-run",
            min_width=150,
        )
        stop = gr.Button(
            words("speak.stop"),
            interactive=False,
            elem_id=f"{tab_id}-stop",
            elem_classes="studio-stop",
            min_width=90,
        )
        gr.HTML(f'<span class="studio-keys">{words("speak.shortcuts")}</span>', js_on_load=None, min_width=120)
    shown = gr.HTML(
        _player(words, tab_id, prepares=keeps_takes),
        js_on_load=TAKES,
        apply_default_css=False,
        elem_id=f"{tab_id}-player",
    )
    check = check_panel.render(words, tab_id)
    if keeps_takes:
        takes = f'<tts-takes class="player-part player-takes" data-tab="{tab_id}"></tts-takes>'
        gr.HTML(takes, js_on_load=None, apply_default_css=False, elem_id=f"{tab_id}-takes")
    return Player(run, stop, shown, gr.State(None), gr.State(None), check, for_programs())


def _player(words: Words, tab_id: str, *, prepares: bool) -> str:
    """The element that assets/scripts/player.js fills. Its texts come along, for they are in the page's language.
    `prepares`: whether the built-in voice is loaded when it is shown."""
    texts = {key: text for key, text in words.table.items() if key.startswith(TEXTS)}
    up = "" if words.language == "en" else "../"
    facts = {
        "data-tab": tab_id,
        "data-speak": "speak/",
        "data-takes": f"{up}api/tts/qwen3/audio/",
        "data-formats": json.dumps({name: kind.mime for name, kind in FORMATS.items()}),
        "data-texts": json.dumps(texts, ensure_ascii=False),
        "data-language": words.language,
        **({"data-prepares": ""} if prepares else {}),
    }
    attributes = " ".join(f'{name}="{escape(value)}"' for name, value in facts.items())
    return f'<tts-player class="player-part" {attributes}></tts-player>'


def for_programs() -> ForPrograms:
    return ForPrograms(
        gr.Button(visible=False),
        [
            gr.Audio(label="audio", type="filepath", visible=False),
            gr.JSON(label="details", visible=False),
            gr.HTML(label="player", visible=False, js_on_load=None),
            gr.HTML(label="progress", visible=False, js_on_load=None),
        ],
    )


def read_as_choice(words: Words) -> gr.Radio:
    """The choice whether a text is read as Markdown; the same on every tab that speaks."""
    return gr.Radio(
        [(words(f"speak.read_as_{way.value}"), way.value) for way in ReadAs],
        value=ReadAs.MARKDOWN.value,
        label=words("speak.read_as"),
        info=words("speak.read_as_info"),
    )


def wire(
    player: Player, bundle: Any, endpoint: SpeakEndpoint, services: Services, handler: SpeakHandler, words: Words
) -> gr.events.Dependency:
    """Wire the player; returns the event that comes with each finished take. `bundle` holds the form's widgets under
    its field names."""
    handler.endpoints[endpoint.name] = endpoint
    inputs = inputs_of(endpoint.form, bundle)
    names = json.dumps([field.name for field in fields(endpoint.form)])
    tab = json.dumps(str(player.shown.elem_id))
    player.run.click(
        None,
        inputs,
        None,
        js=f"(...values) => studioSpeak({tab}, '{endpoint.name}', {names}, values)",
        api_visibility="private",
        show_progress="hidden",
    )
    wire_programs(player.programs, inputs, endpoint, services, handler)

    def remember(event: gr.EventData) -> list[Any]:
        """The take that the page has just got, its facts and the words that it says; None while a new one is made."""
        form = event.form
        try:
            path = services.outputs.find(str(event.id))
            return [str(path), event.details, words_of(str(form["text"]), ReadAs.named(form.get("read_as")))]
        except UnknownTake:
            return [None, None, ""]

    remembered = player.shown.submit(
        remember,
        None,
        [player.audio, player.details, player.check.wanted],
        api_visibility="private",
        queue=False,
        show_progress="hidden",
    )
    check_panel.wire(player.check, player, remembered, services, words)
    return remembered


def wire_programs(
    programs: ForPrograms,
    inputs: list[Any],
    endpoint: SpeakEndpoint,
    services: Services,
    handler: SpeakHandler,
) -> None:
    def speak(form: Any, request: gr.Request) -> Iterator[list[Any]]:
        visitor, quotas = visitor_of(request), services.login.quotas

        def run() -> Iterator[SpeakView]:
            with quotas.work(visitor):
                for view in handler.run(endpoint.to_speak(form), request.session_hash or ""):
                    if view.take is not None:
                        quotas.keep(visitor, view.take.path.stat().st_size)  # the page keeps a copy
                    yield view

        return _answers(run(), handler.words)

    programs.run.click(
        form_event(endpoint.form, speak, endpoint.name),
        inputs,
        programs.outputs,
        api_name=endpoint.name,
        concurrency_limit=None,
        show_progress="hidden",
    )


def _answers(views: Iterator[SpeakView], words: Words) -> Iterator[list[Any]]:
    """The answers for programs: the file and its facts with the last one, before it what goes on and the address of the
    sound while it is made."""
    try:
        for view in views:
            if view != SpeakView():
                yield _answer(view)
    except Cancelled:
        yield [None, None, "", words("speak.cancelled")]
    except StudioError as error:
        raise gr.Error(words.error(error), visible=False, print_exception=False) from error
    except Exception as error:  # the page's edge: the program gets a sentence, the log the stack
        logger.exception("Speaking failed")
        raise gr.Error(words("error.internal_error"), visible=False, print_exception=False) from error


def _answer(view: SpeakView) -> list[Any]:
    live = view.live and f"{LIVE_PATH}{view.live.id}"
    parts = (view.take and str(view.take.path), view.details, live, view.status)
    return [gr.skip() if part is None else part for part in parts]
