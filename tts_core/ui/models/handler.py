"""The work of the model list and its buttons. Everything is read from the services, so every browser sees the same;
only the check of a model's files is its browser's own."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from html import escape
from typing import Any

import gradio as gr

from tts_core.domain.errors import StudioError
from tts_core.engines.whisper.conversion import active_conversion
from tts_core.models.catalogue import ModelEntry
from tts_core.models.download_task import Provider
from tts_core.platform.desktop import can_open_folders
from tts_core.services import Services
from tts_core.ui.models.checks import FileCheck, RunningChecks
from tts_core.ui.models.deletion import deletion_dialog
from tts_core.ui.models.details import DetailFacts, model_details
from tts_core.ui.models.folder import show_folder
from tts_core.ui.models.list import model_list, sized_text
from tts_core.ui.models.view import FETCHES, Action, Group, ModelView, views_of
from tts_core.ui.widgets import fragments
from tts_core.ui.widgets.fragments import size
from tts_core.ui.words import Words

BUSY_REFRESH_S = 1.0
IDLE_REFRESH_S = 3.0
CHECK_REFRESH_S = 0.4


@dataclass(frozen=True, slots=True)
class Viewer:
    """A browser session and the row that it has unfolded."""

    session: str = ""
    unfolded: str = ""
    """The model's key; "" for none."""


NOBODY = Viewer()


@dataclass(frozen=True, slots=True)
class Overview:
    """The models at one moment, as HTML."""

    summary: str
    rows: str
    small_rows: str
    background: str
    tab_label: str
    is_busy: bool
    """Whether something moves: a download or conversion is under way or waits, or files are being checked."""

    def updates(self, interval_s: float) -> list[Any]:
        """Updates for the summary, both lists, the background line, the timer that ticks every `interval_s`, and the
        tab's name."""
        wanted = BUSY_REFRESH_S if self.is_busy else IDLE_REFRESH_S
        timer = gr.skip() if wanted == interval_s else gr.Timer(value=wanted)
        return [self.summary, self.rows, self.small_rows, self.background, timer, gr.update(label=self.tab_label)]


class ModelActions:
    def __init__(self, services: Services, words: Words) -> None:
        self._services = services
        self._words = words
        self._checks = RunningChecks(services.models)
        entries = {key: services.models.entry(key) for key in services.models.keys()}  # noqa: SIM118
        self.names = {key: words.model(entry.display_name) for key, entry in entries.items()}
        self._briefs = {key: self._brief(entry) for key, entry in entries.items()}

    def views(self) -> list[ModelView]:
        return views_of(self._services.models.statuses(), self._services.jobs.jobs())

    def overview(self, viewer: Viewer = NOBODY) -> Overview:
        words, views = self._words, self.views()
        small = [view for view in views if view.group is Group.SMALL]
        main = [view for view in views if view.group is not Group.SMALL]
        ready = sum(view.status.valid for view in main)
        summary = words("models.summary", {"ready": ready, "total": len(main)})
        check = self._checks.of(viewer.unfolded, viewer.session)

        def unfolded(view: ModelView) -> str:
            return self._details(view, check) if view.status.key == viewer.unfolded else ""

        return Overview(
            summary=fragments.path_line(summary, words("models.folder"), self._services.settings.paths.models_dir),
            rows=model_list(words, main, self._briefs, unfolded),
            small_rows=model_list(words, small, self._briefs, unfolded),
            background=fragments.background_line(words, self._services.models.background, self.names),
            tab_label=tab_label(words, views),
            is_busy=any(view.look.is_active or view.is_converting for view in views)
            or (check is not None and check.is_running),
        )

    def check(self, key: str, viewer: Viewer) -> Iterator[Overview]:
        """Check a model's files: yields what to show, a few times a second. Raises gr.Error."""
        shown_at = 0.0
        with self._errors_for_people():
            for now in self._checks.run(key, viewer.session):
                if not now.is_running or time.monotonic() - shown_at > CHECK_REFRESH_S:
                    yield self.overview(viewer)
                    shown_at = time.monotonic()

    def fold(self, viewer: Viewer, key: str) -> Viewer:
        """The viewer after a click on a row: its details unfold, or fold where they were to be seen."""
        self._checks.forget(viewer.session)
        return replace(viewer, unfolded="" if viewer.unfolded == key else key)

    def _brief(self, entry: ModelEntry) -> str:
        counts = {"speakers": len(self._services.models.capabilities(entry.key).speakers)}
        brief = sized_text(self._words, "brief", entry, counts)
        return " · ".join(filter(None, (entry.gender and self._words(f"gender.{entry.gender}"), brief)))

    def _details(self, view: ModelView, check: FileCheck | None) -> str:
        models, key = self._services.models, view.status.key
        can_open = can_open_folders(self._services.settings)
        facts = DetailFacts(models.capabilities(key), models.manual_download(key), can_open, check)
        return model_details(self._words, view, facts)

    def deletion(self, key: str) -> str:
        """The question before a model is deleted, as a dialog; raises gr.Error."""
        with self._errors_for_people():
            return deletion_dialog(self._words, self.names[key], self._services.store.removal(key))

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
        elif action is Action.CANCEL:
            self._cancel(key)
        elif action is Action.MOVE_UP:
            task = downloads.task(key)
            downloads.move(key, max(1, task.position - 1) if task is not None else 1)
        elif action is Action.DELETE:
            removal = self._services.store.delete(key)
            freed = {"model": self.names[key], "size": size(removal.freed_bytes)}
            gr.Info(escape(self._words("models.deleted", freed)))
        elif action is Action.STOP_CHECK:
            self._checks.stop(request.session_hash or "")
        elif action is Action.OPEN:
            show_folder(self._services, self._words, key, request)

    def _cancel(self, key: str) -> None:
        conversion = active_conversion(self._services.jobs, key)
        if conversion is not None:
            self._services.jobs.cancel(conversion.key)
        else:
            self._services.downloads.cancel(key)


def tab_label(words: Words, views: Sequence[ModelView]) -> str:
    """The tab's name, with how far the downloads under way are, all together."""
    tasks = [view.task for view in views if view.task is not None and view.look.is_active]
    total = sum(task.bytes_total for task in tasks)
    percent = int(100 * sum(task.bytes_done for task in tasks) / total) if total else 0
    return f"{words('tab.models')} {percent} %" if tasks else words("tab.models")
