"""The button Transcribe beside a box for a recording's text: Whisper listens and fills the box, never over what
somebody typed."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Any

import gradio as gr

from tts_core.domain.engine import CancelCheck
from tts_core.domain.errors import Cancelled, StudioError
from tts_core.engines.whisper.transcriber import Say
from tts_core.engines.whisper.transcript import Transcript
from tts_core.services import Services
from tts_core.ui.models.view import Action
from tts_core.ui.transcribe import offer as transcribe_offer, words as transcribe_words
from tts_core.ui.transcribe.handler import Listening, Stage
from tts_core.ui.transcribe.offer import Offered, Offers, WhisperOffer
from tts_core.ui.widgets import fragments
from tts_core.ui.widgets.scripts import ACTIONS
from tts_core.ui.widgets.visitors import visitor_of
from tts_core.ui.words import Words

logger = logging.getLogger(__name__)

USE, UNDO = "use", "undo"
"""The keys of the buttons in the outcome."""


@dataclass(frozen=True, slots=True)
class Transcribed:
    """The last transcript and its recording."""

    text: str
    language: str
    """The language as Whisper's code."""
    recording: Path


@dataclass(frozen=True, slots=True)
class Filled:
    """The text that Whisper put into the box; it may be replaced without asking."""

    text: str = ""
    before: str = ""
    """The text that stood in the box until then."""


@dataclass(frozen=True, slots=True)
class TranscribeButton:
    panel: gr.Column
    actions: gr.Row
    run: gr.Button
    stop: gr.Button
    status: gr.HTML
    transcribed: gr.State
    """The last transcript as Transcribed, or None."""
    filled: gr.State
    offer: WhisperOffer

    @property
    def fresh(self) -> list[Any]:
        """The widgets to set to "" and None when another recording is shown."""
        return [self.status, self.transcribed]


@dataclass(frozen=True, slots=True)
class Source:
    """The recording to transcribe, and the box for its text."""

    inputs: list[Any]
    """The widgets whose values say which recording it is."""
    recording: Callable[..., Path | None]
    """The function that finds the recording from those values; may raise StudioError."""
    transcript: gr.Textbox
    language: gr.Dropdown | None = None
    """The voice's language, which is compared with the language of the recording."""


def render(words: Words, tab_id: str) -> TranscribeButton:
    with gr.Column(elem_classes="studio-transcribe") as panel:
        with gr.Row(elem_classes="studio-actions") as actions:
            run = gr.Button(words("transcribe.run"), size="sm", min_width=130, elem_id=f"{tab_id}-transcribe")
            stop = gr.Button(
                words("speak.stop"), size="sm", visible=False, min_width=130, elem_id=f"{tab_id}-transcribe-stop"
            )
        status = gr.HTML(js_on_load=ACTIONS, elem_id=f"{tab_id}-transcribed", elem_classes="studio-optional")
        offer = transcribe_offer.render(f"{tab_id}-whisper")
    return TranscribeButton(panel, actions, run, stop, status, gr.State(None), gr.State(Filled()), offer)


def wire(
    button: TranscribeButton, source: Source, opened: list[Any], services: Services, words: Words
) -> gr.events.Dependency:
    """Wire the button, which is shown where a Whisper model is ready. `opened`: the events that show it. Returns the
    event after which `transcribed` holds the transcript."""
    _wire_offer(button, opened, Offers(services, words), words)
    hearing = _Hearing(source, services, words)
    started = button.run.click(
        hearing.listen,
        source.inputs,
        [button.status, button.transcribed, button.run, button.stop],
        concurrency_limit=None,
        api_visibility="private",
        show_progress="hidden",
    )
    button.stop.click(hearing.halt, None, None, api_visibility="private", queue=False)
    box = [source.transcript, button.filled, button.status]
    inputs = [button.transcribed, button.filled, source.transcript]
    language = [source.language] if source.language is not None else []
    done: gr.events.Dependency = started.success(
        hearing.place, [*inputs, *language, *source.inputs], box, api_visibility="private", show_progress="hidden"
    )
    button.status.click(hearing.act, inputs, box, api_visibility="private", show_progress="hidden")
    return done


def _wire_offer(button: TranscribeButton, opened: list[Any], offers: Offers, words: Words) -> None:
    outputs = [*button.offer.outputs, button.actions]

    def shown(now: Offered) -> list[Any]:
        return [*now.updates, gr.update(visible=now.is_ready)]

    def act(event: gr.EventData) -> list[Any]:
        return shown(offers.act(Action(event.action), event.key))

    for event in opened:
        event(lambda: shown(offers.look()), None, outputs, api_visibility="private", show_progress="hidden")
    transcribe_offer.wire(button.offer, act, outputs, words)
    button.offer.timer.tick(
        lambda: shown(offers.follow()), None, outputs, queue=False, api_visibility="private", show_progress="hidden"
    )


class _Hearing:
    """The events of one button."""

    def __init__(self, source: Source, services: Services, words: Words) -> None:
        self._source = source
        self._services = services
        self._words = words
        self._listening = Listening()

    def listen(self, request: gr.Request, *values: Any) -> Iterator[list[Any]]:
        """Updates for status, transcribed, run and stop, while Whisper listens."""
        words, idle = self._words, [gr.update(visible=True), gr.update(visible=False)]
        try:
            recording = self._source.recording(*values)
            if recording is None:
                yield [fragments.hint(words("transcribe.no_recording")), None, *idle]
                return
            yield [
                fragments.busy(words("transcribe.starting")),
                None,
                gr.update(visible=False),
                gr.update(visible=True),
            ]
            with self._services.login.quotas.work(visitor_of(request)):
                for step in self._listening.run(self._work(recording), request.session_hash or ""):
                    if isinstance(step, Stage):
                        yield [transcribe_words.stage(words, step), gr.skip(), gr.skip(), gr.skip()]
                    else:
                        yield ["", Transcribed(step.text, step.language, recording), *idle]
        except Cancelled:
            yield [fragments.hint(words("transcribe.stopped")), None, *idle]
        except StudioError as error:
            yield [fragments.alert(words("transcribe.failed"), words.error(error)), None, *idle]
        except Exception:  # the page's edge: the person gets a sentence, the log the stack
            logger.exception("Transcribing failed")
            yield [fragments.alert(words("transcribe.failed"), words("error.internal_error")), None, *idle]

    def halt(self, request: gr.Request) -> None:
        self._listening.stop(request.session_hash or "")

    def place(self, transcribed: Transcribed | None, filled: Filled, typed: str, *values: Any) -> list[Any]:
        """Updates for box, filled and status: the transcript goes where nobody has typed; else it is offered."""
        if transcribed is None:
            return [gr.skip()] * 3
        language, values = (values[0], values[1:]) if self._source.language is not None else ("", values)
        if self._recording(*values) != transcribed.recording:
            return [gr.skip(), gr.skip(), fragments.hint(self._words("transcribe.other_recording"))]
        if not transcribed.text:
            return [gr.skip(), gr.skip(), fragments.hint(self._words("transcribe.nobody"))]
        tip = self._tip(transcribed, language)
        if typed.strip() in ("", filled.text, transcribed.text):
            return [transcribed.text, Filled(transcribed.text, typed), self._language_line(transcribed) + tip]
        text = f'<p class="studio-transcript" lang="{escape(transcribed.language)}">{escape(transcribed.text)}</p>'
        return [
            gr.skip(),
            gr.skip(),
            self._language_line(transcribed, "transcribe.compare") + text + self._button(USE) + tip,
        ]

    def act(self, event: gr.EventData, transcribed: Transcribed | None, filled: Filled, typed: str) -> list[Any]:
        """Put the transcript in the place of the typed text, or back."""
        if event.action == USE and transcribed is not None:
            return [
                transcribed.text,
                Filled(transcribed.text, typed),
                self._language_line(transcribed) + self._button(UNDO),
            ]
        if event.action != UNDO:
            return [gr.skip()] * 3
        return [filled.before, Filled(), fragments.done(self._words("transcribe.undone"))]

    def _recording(self, *values: Any) -> Path | None:
        try:
            return self._source.recording(*values)
        except StudioError:  # it has gone meanwhile
            return None

    def _work(self, recording: Path) -> Callable[[CancelCheck, Say], Transcript]:
        transcriber = self._services.transcriber
        return lambda cancelled, say: transcriber.transcribe(recording, cancelled=cancelled, say=say)

    def _language_line(self, transcribed: Transcribed, key: str = "transcribe.heard") -> str:
        language = transcribe_words.language_name(self._words, transcribed.language)
        return fragments.done(self._words(key, {"language": language}))

    def _tip(self, transcribed: Transcribed, language: str) -> str:
        wanted = transcribe_words.unlike(language, transcribed.language) if language else ""
        return (
            fragments.hint(transcribe_words.language_tip(self._words, transcribed.language, wanted)) if wanted else ""
        )

    def _button(self, action: str) -> str:
        label = self._words(f"transcribe.{action}")
        return f'<button type="button" class="studio-small" data-action="{action}">{label}</button>'
