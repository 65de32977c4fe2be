"""The offer of a Whisper model to those who have none: one click gets it, and its progress is shown. The numbers are
those of the Models tab."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from html import escape
from typing import Any

import gradio as gr

from tts_core.domain.errors import StudioError
from tts_core.models.catalogue import ModelKind
from tts_core.services import Services
from tts_core.ui.models.view import FETCHES, Action, Look, ModelView, views_of
from tts_core.ui.widgets import download_words, fragments
from tts_core.ui.widgets.scripts import ACTIONS
from tts_core.ui.words import Words

REFRESH_S = 1.0


@dataclass(frozen=True, slots=True)
class WhisperOffer:
    note: gr.HTML
    timer: gr.Timer
    """The timer that ticks only while a Whisper model is on its way."""

    @property
    def outputs(self) -> list[Any]:
        return [self.note, self.timer]


@dataclass(frozen=True, slots=True)
class Offered:
    """The content of the offer, for `WhisperOffer.outputs`."""

    html: str
    is_ready: bool
    """Whether a model can be used now."""
    is_coming: bool

    @property
    def updates(self) -> list[Any]:
        return [self.html, gr.Timer(active=self.is_coming)]


def wire(offer: WhisperOffer, act: Callable[..., list[Any]], outputs: list[Any], words: Words) -> None:
    """`act` does what a button of the offer asks for. Guests are offered nothing."""
    if not words.is_for_guests:
        offer.note.click(act, None, outputs, api_visibility="private", show_progress="hidden")


def render(elem_id: str) -> WhisperOffer:
    note = gr.HTML(js_on_load=ACTIONS, elem_id=elem_id, elem_classes="studio-optional")
    return WhisperOffer(note, gr.Timer(REFRESH_S, active=False))


class Offers:
    """The offer's work. Nothing is remembered here: every browser sees the same."""

    def __init__(self, services: Services, words: Words) -> None:
        self._services = services
        self._words = words

    def look(self) -> Offered:
        if self._services.transcriber.ready():
            return Offered("", is_ready=True, is_coming=False)
        view = self._nearest()
        return Offered(self._html(view), is_ready=False, is_coming=view.look.is_active or view.is_converting)

    def follow(self) -> Offered:
        """Follow a download that was begun: the offer as it is now."""
        now = self.look()
        if not now.is_ready:
            return now
        name = self._services.transcriber.ready()[0].entry.display_name
        return Offered(fragments.done(self._words("whisper.ready", {"model": name})), is_ready=True, is_coming=False)

    def act(self, action: Action, key: str) -> Offered:
        """Do a button's action. Raises gr.Error with the reason why not."""
        try:
            if action in FETCHES:
                self._services.downloads.start(key, "auto")
            elif action is Action.CONVERT:
                self._services.conversion.start(self._services.jobs, key)
            elif action is Action.RESUME:
                self._services.downloads.resume(key)
            elif action is Action.CANCEL:
                self._services.downloads.cancel(key)
        except StudioError as error:
            raise gr.Error(escape(self._words.error(error)), print_exception=False) from error
        return self.follow()

    def _nearest(self) -> ModelView:
        """The model to show: the one that is on its way, else one that lies here in an older form, else the one to
        suggest."""
        statuses = [status for status in self._services.models.statuses() if status.entry.kind is ModelKind.WHISPER]
        suggested = self._services.transcriber.suggestion().key

        def order(view: ModelView) -> tuple[bool, bool, bool]:
            is_here = view.main_action is Action.CONVERT
            return not (view.look.is_active or view.is_converting), not is_here, view.status.key != suggested

        return min(views_of(statuses, self._services.jobs.jobs()), key=order)

    def _html(self, view: ModelView) -> str:
        words, task = self._words, view.task
        if words.is_for_guests:
            return fragments.hint(words("whisper.none_for_guests"))
        parts = [f"<p>{words('whisper.none')}</p>"]
        if task is not None and (view.look.is_active or view.look in (Look.PAUSED, Look.FAILED)):
            coming = words("whisper.coming", {"model": escape(view.entry.display_name)})
            parts = [f'<p role="status"><strong>{coming}</strong> {escape(download_words.doing(words, task))}</p>']
            if view.look is not Look.FAILED:
                numbers = download_words.numbers(words, task)
                parts.append(fragments.progress(numbers, task.progress, label=coming, is_spoken=False))
        if view.is_converting and view.conversion is not None:
            converting = words("models.converting", {"percent": round(view.conversion.progress)})
            parts = [f'<p role="status">{escape(converting)}</p>']
        buttons = self._button(view) if view.main_action is not None else ""
        models = '<button type="button" class="studio-link" data-studio="tab" data-tab="tab-models">'
        models += f"{words('whisper.models')} →</button>"
        return f'<div class="studio-note studio-offer">{"".join(parts)}<div>{buttons}{models}</div></div>'

    def _button(self, view: ModelView) -> str:
        """The button for the next step: get the model, go on, try again; or leave it."""
        action = Action.CANCEL if view.look.is_active else view.main_action or Action.DOWNLOAD
        size = fragments.size(view.entry.total_bytes)
        get = self._words("whisper.get", {"model": view.entry.display_name, "size": size})
        label = get if action in (Action.DOWNLOAD, Action.REPAIR) else self._words(f"action.{action.value}")
        return (
            f'<button type="button" class="studio-small" data-action="{action.value}" data-key="{view.status.key}">'
            f"{escape(label)}</button>"
        )
