"""The work of the model list and its buttons. Nothing is remembered here: everything is read from the services, so
every browser sees the same."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from html import escape
from typing import Any

import gradio as gr

from tts_core.domain.errors import StudioError
from tts_core.engines.whisper.conversion import active_conversion
from tts_core.models.download_task import Provider
from tts_core.platform.desktop import can_open_folders
from tts_core.services import Services
from tts_core.ui.models.deletion import deletion_dialog
from tts_core.ui.models.folder import show_folder
from tts_core.ui.models.list import RowFacts, about, model_list
from tts_core.ui.models.view import FETCHES, Action, ModelView, views_of
from tts_core.ui.widgets import fragments
from tts_core.ui.widgets.fragments import size
from tts_core.ui.words import Words

BUSY_REFRESH_S = 1.0
IDLE_REFRESH_S = 3.0


@dataclass(frozen=True, slots=True)
class Overview:
    """The models at one moment, as HTML."""

    summary: str
    rows: str
    piper_rows: str
    background: str
    views: Mapping[str, ModelView]

    @property
    def is_busy(self) -> bool:
        """Whether something is being downloaded or converted, or waits for it."""
        return any(view.look.is_active or view.is_converting for view in self.views.values())

    def updates(self, interval_s: float) -> list[Any]:
        """Updates for the summary, both lists, the background line and the timer that ticks every `interval_s`."""
        wanted = BUSY_REFRESH_S if self.is_busy else IDLE_REFRESH_S
        timer = gr.skip() if wanted == interval_s else gr.Timer(value=wanted)
        return [self.summary, self.rows, self.piper_rows, self.background, timer]


class ModelActions:
    def __init__(self, services: Services, words: Words) -> None:
        self._services = services
        self._words = words
        models = services.models
        self._names = {key: models.entry(key).display_name for key in models.keys()}  # noqa: SIM118
        can_open = can_open_folders(services.settings)
        self._facts = {
            key: RowFacts(
                about(words, models.entry(key), models.capabilities(key)), models.manual_download(key), can_open
            )
            for key in self._names
        }

    def views(self) -> list[ModelView]:
        return views_of(self._services.models.statuses(), self._services.jobs.jobs())

    def overview(self) -> Overview:
        words, views = self._words, self.views()
        piper = [view for view in views if view.entry.kind.is_single_voice]
        main = [view for view in views if not view.entry.kind.is_single_voice]
        ready = sum(view.status.valid for view in main)
        summary = words("models.summary", {"ready": ready, "total": len(main)})
        return Overview(
            summary=fragments.path_line(summary, words("models.folder"), self._services.settings.paths.models_dir),
            rows=model_list(words, main, self._facts),
            piper_rows=model_list(words, piper, self._facts),
            background=fragments.background_line(words, self._services.models.background, self._names),
            views={view.status.key: view for view in views},
        )

    def deletion(self, key: str) -> str:
        """The question before a model is deleted, as a dialog; raises gr.Error."""
        with self._errors_for_people():
            return deletion_dialog(self._words, self._names[key], self._services.store.removal(key))

    def perform(self, action: Action, key: str, provider: Provider, request: gr.Request) -> None:
        """Do a button's action. Raises gr.Error with the reason why not."""
        with self._errors_for_people():
            self._perform(action, key, provider, request)

    @contextmanager
    def _errors_for_people(self) -> Iterator[None]:
        try:
            yield
        except StudioError as error:
            raise gr.Error(escape(self._words.error(error)), print_exception=False) from error

    def _perform(self, action: Action, key: str, provider: Provider, request: gr.Request) -> None:
        downloads = self._services.downloads
        if action in FETCHES:
            downloads.start(key, provider)
        elif action is Action.RESUME:
            # A source that was chosen since then counts; otherwise the task keeps its own.
            downloads.resume(key) if provider == "auto" else downloads.start(key, provider)
        elif action is Action.PAUSE:
            downloads.pause(key)
        elif action is Action.CONVERT:
            self._services.conversion.start(self._services.jobs, key)
        elif action is Action.CANCEL and (job := active_conversion(self._services.jobs, key)) is not None:
            self._services.jobs.cancel(job.key)
        elif action is Action.CANCEL:
            downloads.cancel(key)
        elif action is Action.MOVE_UP:
            task = downloads.task(key)
            downloads.move(key, max(1, task.position - 1) if task is not None else 1)
        elif action is Action.DELETE:
            removal = self._services.store.delete(key)
            freed = {"model": self._names[key], "size": size(removal.freed_bytes)}
            gr.Info(escape(self._words("models.deleted", freed)))
        elif action is Action.OPEN:
            show_folder(self._services, self._words, key, request)
