"""Shared parts of the panels around the models' folder: who may use them, typed paths, work with progress and Stop."""

from __future__ import annotations

import os
from collections.abc import Callable
from html import escape
from pathlib import Path

import gradio as gr

from tts_core.domain.engine import CancelCheck
from tts_core.domain.errors import Cancelled, StudioError
from tts_core.models.store.faults import NoFullPath
from tts_core.models.store.reports import Progress, StoreProgress
from tts_core.platform.desktop import asked_from_this_machine
from tts_core.ui.models.store import html
from tts_core.ui.widgets import fragments
from tts_core.ui.widgets.session_stops import SessionStops
from tts_core.ui.words import Words

Work = Callable[[Progress, CancelCheck], str]
"""A function that does the work and returns the outcome as HTML; raises StudioError."""


def is_here(request: gr.Request) -> bool:
    """Whether the request comes from this machine."""
    return asked_from_this_machine(request.client.host if request.client else None, request.headers)


def heading(words: Words, name: str) -> None:
    """The heading of one part of the panel, and what it is good for."""
    title, info = escape(words(f"store.{name}_title")), escape(words(f"store.{name}_info"))
    gr.HTML(f'<h3 class="studio-part">{title}</h3><p class="studio-hint">{info}</p>', js_on_load=None)


def path_box(label: str, example: str, elem_id: str) -> gr.Textbox:
    return gr.Textbox(
        label=label,
        placeholder=example_path(example),
        max_lines=1,
        min_width=260,
        elem_id=elem_id,
        elem_classes="studio-mono",
    )


def example_path(name: str) -> str:
    """An example of a full path as this system writes them."""
    return f"D:\\{name}" if os.name == "nt" else f"/media/{name}"


def typed_folder(text: str) -> Path:
    """The folder that was typed. Raises NoFullPath for a relative one: nobody at a page knows where the app was
    started."""
    folder = Path(text.strip().strip('"')).expanduser()  # Windows' "Copy as path" quotes
    if not folder.is_absolute() or not str(folder).isprintable():
        raise NoFullPath(example=example_path("models"))
    return folder


class StoreWork:
    """Runs one thing at a time for each browser session, for people at this machine only."""

    def __init__(self, words: Words) -> None:
        self._words = words
        self._stops = SessionStops()

    def run(self, work: Work, request: gr.Request, progress: gr.Progress) -> str:
        """Run long work; returns the outcome as HTML, whatever it is."""

        def show(step: StoreProgress) -> None:
            name = step.file or self._words("store.working")
            progress(step.done_bytes / (step.total_bytes or 1), desc=name)

        with self._stops.running(request.session_hash or "") as stop:
            return self.report(lambda: work(show, stop.is_set), request)

    def report(self, work: Callable[[], str], request: gr.Request) -> str:
        """Run short work, without progress; returns the outcome as HTML."""
        try:
            self.check(request)
            return work()
        except Cancelled:
            return fragments.done(self._words("store.stopped"))
        except StudioError as error:
            return html.failure(self._words, error)

    def check(self, request: gr.Request) -> None:
        """Check that the request comes from this machine. Raises gr.Error."""
        if not is_here(request):
            raise gr.Error(escape(self._words("store.only_here")), print_exception=False)

    def stop_work(self, request: gr.Request) -> None:
        self._stops.stop(request.session_hash or "")
