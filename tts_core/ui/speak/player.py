"""The part of a tab that makes sound: Generate and Stop, live playback, the finished file and its facts."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import gradio as gr

from tts_core.domain.errors import Cancelled, StudioError
from tts_core.domain.values import ReadAs
from tts_core.services import Services
from tts_core.ui.speak import check_panel
from tts_core.ui.speak.check_panel import CheckPanel
from tts_core.ui.speak.handler import SpeakHandler, SpeakView
from tts_core.ui.theme import INK, VERMILION
from tts_core.ui.widgets import fragments
from tts_core.ui.widgets.forms import SpeakingForm, form_event, inputs_of
from tts_core.ui.widgets.visitors import visitor_of
from tts_core.ui.words import Words

logger = logging.getLogger(__name__)

Form = TypeVar("Form")
WAVE = gr.WaveformOptions(waveform_color=INK.c400, waveform_progress_color=VERMILION.c600)


@dataclass(frozen=True, slots=True)
class Player:
    run: gr.Button
    stop: gr.Button
    live: gr.HTML
    status: gr.HTML
    audio: gr.Audio
    details: gr.JSON
    check: CheckPanel


def render(words: Words, tab_id: str) -> Player:
    """Render the player. The widgets' ids begin with `tab_id`."""
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
    live = gr.HTML(fragments.empty(words("speak.empty")), label="player", js_on_load=None, elem_id=f"{tab_id}-live")
    status = gr.HTML("", label="progress", js_on_load=None, elem_id=f"{tab_id}-status")
    audio = gr.Audio(
        label=words("speak.result"),
        type="filepath",
        interactive=False,
        elem_id=f"{tab_id}-audio",
        elem_classes="studio-audio",
        buttons=["download"],
        waveform_options=WAVE,
    )
    details = gr.JSON(visible=False, label="details")
    return Player(run, stop, live, status, audio, details, check_panel.render(words, tab_id))


def read_as_choice(words: Words) -> gr.Radio:
    """The choice whether a text is read as Markdown; the same on every tab that speaks."""
    return gr.Radio(
        [(words(f"speak.read_as_{way.value}"), way.value) for way in ReadAs],
        value=ReadAs.MARKDOWN.value,
        label=words("speak.read_as"),
        info=words("speak.read_as_info"),
    )


@dataclass(frozen=True, slots=True)
class SpeakEvent:
    """A public endpoint that speaks: its name, its form, and what the form asks for."""

    name: str
    form: type[Any]
    to_speak: Callable[[Any], SpeakingForm]


def wire(
    player: Player, bundle: Any, event: SpeakEvent, services: Services, handler: SpeakHandler, words: Words
) -> gr.events.Dependency:
    """Wire the player. `bundle` holds the form's widgets under its field names."""

    def speak(form: Any, request: gr.Request) -> Iterator[list[Any]]:
        visitor, quotas = visitor_of(request), services.login.quotas

        def run() -> Iterator[SpeakView]:
            with quotas.work(visitor):
                for view in handler.run(event.to_speak(form), request.session_hash or ""):
                    if view.audio is not None:
                        quotas.keep(visitor, Path(view.audio).stat().st_size)  # the page keeps a copy
                    yield view

        return _speak(run(), words)

    def halt(request: gr.Request) -> None:
        handler.stop(request.session_hash or "")

    def generate() -> gr.events.Dependency:
        return player.run.click(
            form_event(event.form, speak, event.name),
            inputs_of(event.form, bundle),
            [player.audio, player.details, player.live, player.status, player.run, player.stop],
            api_name=event.name,
            concurrency_limit=None,
            show_progress="hidden",
        )

    player.stop.click(halt, None, None, api_visibility="private", queue=False)
    return check_panel.wire(player.check, player, [bundle.text, bundle.read_as], generate, services, words)


def _speak(views: Iterator[SpeakView], words: Words) -> Iterator[list[Any]]:
    yield [None, None, "", fragments.busy(words("speak.starting")), *_buttons(running=True)]
    try:
        for view in views:
            # The last view is what programs get, so it carries file, facts and idle buttons together.
            yield [*_parts(view), *(_buttons(running=False) if view.details else (gr.skip(), gr.skip()))]
    except Cancelled:
        yield _ended(fragments.hint(words("speak.cancelled")))
    except StudioError as error:
        yield from _failed(words, words.error(error))
    except Exception:  # the page's edge: the person gets a sentence, the log the stack
        logger.exception("Speaking failed")
        yield from _failed(words, words("error.internal_error"))


def _failed(words: Words, message: str) -> Iterator[list[Any]]:
    """Show a failure: on the page by the status, to programs by the error; a toast would say it twice."""
    yield _ended(fragments.alert(words("speak.error_title"), message))
    raise gr.Error(message, visible=False, print_exception=False)


def _ended(status: str) -> list[Any]:
    return [None, None, "", status, *_buttons(running=False)]


def _parts(view: SpeakView) -> list[Any]:
    parts = (view.audio, view.details, view.live, view.status)
    return [gr.skip() if part is None else part for part in parts]


def _buttons(*, running: bool) -> list[Any]:
    return [gr.update(interactive=not running), gr.update(interactive=running)]
