"""The check below a finished take: Whisper transcribes it, and differences from the text are marked."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import gradio as gr

from tts_core.domain.engine import CancelCheck
from tts_core.domain.errors import Cancelled, StudioError
from tts_core.domain.values import AUTO_LANGUAGE
from tts_core.engines.whisper.transcriber import Say, SpokenCheck
from tts_core.services import Services
from tts_core.ui.models.view import Action
from tts_core.ui.transcribe import offer as transcribe_offer, words as transcribe_words
from tts_core.ui.transcribe.handler import Listening, Stage
from tts_core.ui.transcribe.offer import Offers, WhisperOffer
from tts_core.ui.widgets import fragments
from tts_core.ui.widgets.visitors import visitor_of
from tts_core.ui.words import Words

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class CheckPanel:
    run: gr.Button
    """The button that starts the check, shown once there is a take."""
    stop: gr.Button
    status: gr.HTML
    offer: WhisperOffer
    wanted: gr.State
    """The words that the take says, if it says the whole text."""


class TakeWidgets(Protocol):
    """The widgets that hold a take."""

    @property
    def audio(self) -> gr.State: ...
    @property
    def details(self) -> gr.State: ...


def render(words: Words, tab_id: str) -> CheckPanel:
    with gr.Row(elem_classes="studio-actions studio-check-actions"):
        run = gr.Button(words("check.run"), size="sm", visible=False, min_width=150, elem_id=f"{tab_id}-words")
        stop = gr.Button(words("speak.stop"), size="sm", visible=False, min_width=150, elem_id=f"{tab_id}-words-stop")
    status = gr.HTML(js_on_load=None, elem_id=f"{tab_id}-words-heard", elem_classes="studio-optional")
    return CheckPanel(run, stop, status, transcribe_offer.render(f"{tab_id}-words-whisper"), gr.State(""))


def wire(panel: CheckPanel, take: TakeWidgets, spoken: gr.events.Dependency, services: Services, words: Words) -> None:
    """Wire the check. `spoken`: the event that comes with each finished take."""
    checking = _Checking(services, words)
    spoken.success(
        lambda audio: [gr.update(visible=audio is not None), "", "", gr.Timer(active=False)],
        take.audio,
        [panel.run, panel.status, *panel.offer.outputs],
        api_visibility="private",
        show_progress="hidden",
        queue=False,
    )
    panel.run.click(
        checking.listen,
        [take.audio, take.details, panel.wanted],
        [panel.status, panel.run, panel.stop, *panel.offer.outputs],
        concurrency_limit=None,
        api_visibility="private",
        show_progress="hidden",
    )
    panel.stop.click(checking.halt, None, None, api_visibility="private", queue=False)
    outputs = panel.offer.outputs
    transcribe_offer.wire(panel.offer, checking.act, outputs, words)
    panel.offer.timer.tick(
        checking.follow, None, outputs, queue=False, api_visibility="private", show_progress="hidden"
    )


class _Checking:
    """The events of one panel."""

    def __init__(self, services: Services, words: Words) -> None:
        self._transcriber = services.transcriber
        self._login = services.login
        self._words = words
        self._offers = Offers(services, words)
        self._listening = Listening()

    def listen(
        self, take: str | None, details: Mapping[str, Any] | None, wanted: str, request: gr.Request
    ) -> Iterator[list[Any]]:
        """Updates for status, run, stop and the offer, while Whisper listens."""
        words, idle = self._words, [gr.update(visible=True), gr.update(visible=False)]
        offered = self._offers.look()
        if take is None or not offered.is_ready:
            yield ["", *idle, *offered.updates]
            return
        yield [
            fragments.busy(words("transcribe.starting")),
            gr.update(visible=False),
            gr.update(visible=True),
            "",
            gr.skip(),
        ]
        language = str((details or {}).get("language") or AUTO_LANGUAGE)
        try:
            with self._login.quotas.work(visitor_of(request)):
                for step in self._listening.run(self._work(Path(take), wanted, language), request.session_hash or ""):
                    if isinstance(step, Stage):
                        yield [transcribe_words.stage(words, step), *[gr.skip()] * 4]
                    else:
                        yield [transcribe_words.checked(words, step), *idle, gr.skip(), gr.skip()]
        except Cancelled:
            yield [fragments.hint(words("transcribe.stopped")), *idle, gr.skip(), gr.skip()]
        except StudioError as error:
            yield [fragments.alert(words("check.failed"), words.error(error)), *idle, gr.skip(), gr.skip()]
        except Exception:  # the page's edge: the person gets a sentence, the log the stack
            logger.exception("Checking a take failed")
            yield [fragments.alert(words("check.failed"), words("error.internal_error")), *idle, gr.skip(), gr.skip()]

    def halt(self, request: gr.Request) -> None:
        self._listening.stop(request.session_hash or "")

    def act(self, event: gr.EventData) -> list[Any]:
        return self._offers.act(Action(event.action), event.key).updates

    def follow(self) -> list[Any]:
        return self._offers.follow().updates

    def _work(self, take: Path, wanted: str, language: str) -> Callable[[CancelCheck, Say], SpokenCheck]:
        return lambda cancelled, say: self._transcriber.check(
            take, wanted, language=language, cancelled=cancelled, say=say
        )
