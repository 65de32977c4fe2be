"""The event that makes candidates: what is shown while they come, when it fails and when it is stopped."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from typing import Any

import gradio as gr

from tts_core.domain.errors import StudioError
from tts_core.services import Services
from tts_core.ui.design import view
from tts_core.ui.design.candidates import Designer, Lock
from tts_core.ui.design.cards import Candidates, all_shown, width
from tts_core.ui.widgets import fragments
from tts_core.ui.widgets.forms import DesignForm
from tts_core.ui.widgets.visitors import visitor_of
from tts_core.ui.words import Words

logger = logging.getLogger(__name__)


class Making:
    """Answers are updates for status, the two buttons, the take in a locked voice (three widgets), and the cards."""

    def __init__(self, designer: Designer, services: Services, words: Words) -> None:
        self._designer = designer
        self._services = services
        self._words = words
        self._same_take = [gr.skip()] * 3
        self._same_cards = [gr.skip()] * width(words)

    def press(self, request: gr.Request, *values: Any) -> Iterator[list[Any]]:
        """Make candidates; or, with the lock that comes after the form's values, one take in its voice."""
        *fields, lock = values
        words = self._words
        yield self._answer(fragments.busy(words("speak.starting")), is_running=True)
        try:
            yield from self._made(DesignForm(*fields), lock, request)
        except StudioError as error:
            yield self._answer(fragments.alert(words("speak.error_title"), words.error(error)))
        except Exception:  # the page's edge: the person gets a sentence, the log the stack
            logger.exception("Designing failed")
            yield self._answer(fragments.alert(words("speak.error_title"), words("error.internal_error")))

    def halt(self, request: gr.Request) -> None:
        self._designer.stop(request.session_hash or "")

    def _made(self, form: DesignForm, lock: Lock | None, request: gr.Request) -> Iterator[list[Any]]:
        visitor, quotas = visitor_of(request), self._services.login.quotas
        new: Candidates = ()
        with quotas.work(visitor):
            for step in self._designer.run(form, lock, request.session_hash or ""):
                if step.made is None:
                    yield self._answer(view.doing(self._words, step, lock), is_running=True)
                    continue
                quotas.keep(visitor, step.made.take.path.stat().st_size)  # the page keeps a copy
                new = (*new, step.made)
                yield self._with_newest(new, lock)
        yield self._answer(view.ended(self._words, len(new), lock))

    def _with_newest(self, new: Candidates, lock: Lock | None) -> list[Any]:
        """Show the newest of the new takes: as a candidate, or as a text in the locked voice."""
        words, running = self._words, [gr.skip()] * 3
        if lock is None:
            models = self._designer.cloning_models()
            cards = all_shown(words, new, None, models, newest=len(new))
            return [*running, gr.update(visible=False), *self._same_take[1:], *cards]
        take = new[-1].take
        return [*running, gr.update(visible=True), view.take_head(words, lock, take), str(take.path), *self._same_cards]

    def _answer(self, status: str, *, is_running: bool = False) -> list[Any]:
        buttons = [gr.update(interactive=not is_running), gr.update(interactive=is_running)]
        return [status, *buttons, *self._same_take, *self._same_cards]
