"""The Library tab's work. Nothing is remembered here: everything is read from the services, so every browser sees the
same, also after a reload."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from enum import Enum
from html import escape
from pathlib import Path
from typing import Any

import gradio as gr

from tts_core.domain.errors import StudioError, UnknownModelKey
from tts_core.platform.job import Job
from tts_core.platform.whole_files import make_private
from tts_core.services import Services
from tts_core.ui.library import view as library_view
from tts_core.ui.library.view import VoiceAction, VoiceView
from tts_core.ui.words import Words
from tts_core.voices.engine import NAME as LIBRARY
from tts_core.voices.exchange.transfer import archive_name
from tts_core.voices.record import SavedVoice

ALL, FAVOURITES, DELETED = "all", "favourites", "deleted"
PAGE = 40
"""The number of rows at first, and of those that "Show more" adds."""


class Sort(str, Enum):
    """The orders of the list; the values are keys of the word tables (`library.sort_…`). Favourites come first in
    each."""

    NEWEST = "newest"
    NAME = "name"
    USED = "used"
    """The voice that spoke last comes first."""
    LANGUAGE = "language"


@dataclass(frozen=True, slots=True)
class ListView:
    """The choices that decide which rows the list shows."""

    search: str = ""
    show: str = ALL
    sort: Sort = Sort.NEWEST
    limit: int = PAGE


@dataclass(frozen=True, slots=True)
class VoiceList:
    html: str
    is_busy: bool
    """Whether a job of a shown voice is under way."""


class LibraryActions:
    def __init__(self, services: Services, words: Words) -> None:
        self._services = services
        self._words = words

    def listing(self, shown: ListView) -> VoiceList:
        found = self._found(shown)
        fault = self._services.voices.fault
        return found if fault is None else replace(found, html=library_view.fault(self._words, fault) + found.html)

    def _found(self, shown: ListView) -> VoiceList:
        voices = self._services.voices.voices(search=shown.search, deleted=shown.show == DELETED)
        if shown.show == FAVOURITES:
            voices = tuple(voice for voice in voices if voice.is_favourite)
        if not voices:
            is_searched = bool(shown.search.strip()) or shown.show != ALL
            return VoiceList(library_view.nothing_found(self._words, is_searched=is_searched), is_busy=False)
        jobs = self._services.jobs.jobs()
        newest = {job.subject: job for job in reversed(jobs)}
        found = self._sorted(voices, shown.sort, jobs)
        views = [self._view(voice, newest.get(voice.id)) for voice in found[: shown.limit]]
        is_busy = any(view.live_job is not None for view in views)
        return VoiceList(library_view.rows(self._words, views, len(voices)), is_busy)

    def _sorted(self, voices: Sequence[SavedVoice], sort: Sort, jobs: Sequence[Job]) -> list[SavedVoice]:
        """The voices in that order; they come newest first, and those of equal rank stay so."""
        used: dict[str, float] = {}
        for job in jobs:
            used[job.subject] = max(used.get(job.subject, 0.0), job.updated_at)
        ranks: dict[Sort, Callable[[SavedVoice], Any]] = {
            Sort.NEWEST: lambda _voice: 0,
            Sort.NAME: lambda voice: voice.name.casefold(),
            Sort.USED: lambda voice: -used.get(f"{LIBRARY}/{voice.id}", 0.0),
            Sort.LANGUAGE: lambda voice: library_view.language_rank(self._words, voice.language),
        }
        return sorted(voices, key=lambda voice: (not voice.is_favourite, ranks[sort](voice)))

    def view(self, voice_id: str) -> VoiceView:
        return self._view(self._services.voices.voice(voice_id), self._services.jobs.newest_of(voice_id))

    def perform(self, action: VoiceAction, key: str) -> str:
        """Do the action; returns the notice about it. Raises gr.Error with the reason why not."""
        with self.errors_shown():
            return self._perform(action, key)

    def removal(self, key: str) -> str:
        """The question before a voice is removed for good, as a dialog."""
        with self.errors_shown():
            return library_view.removal_dialog(self._words, self._services.voices.voice(key))

    def exported(self, key: str) -> str:
        """A zip of the voice for the page to hand out."""
        with self.errors_shown():
            voice = self._services.voices.voice(key)
            return str(self._services.voice_transfer.export(key, self._spot(archive_name(voice))))

    def check_name(self, name: str) -> None:
        """Check that there is a name. Raises gr.Error."""
        if not name.strip():
            raise gr.Error(self._words("save.name_missing"), print_exception=False)

    @contextmanager
    def errors_shown(self) -> Iterator[None]:
        """Turn errors inside the block into sentences for people."""
        try:
            yield
        except StudioError as error:
            raise gr.Error(escape(self._words.error(error)), print_exception=False) from error

    def notice(self, key: str, voice: SavedVoice, undo: tuple[VoiceAction, str] | None = None) -> str:
        return library_view.notice(self._words, self._words(key, {"voice": voice.name}), undo)

    def _perform(self, action: VoiceAction, key: str) -> str:
        voices = self._services.voices
        if action is VoiceAction.FAVOURITE:
            voices.change(key, {"favourite": not voices.voice(key).is_favourite})
        elif action is VoiceAction.DELETE:
            return self.notice("library.deleted", voices.delete(key), (VoiceAction.RESTORE, key))
        elif action is VoiceAction.RESTORE:
            return self.notice("library.restored", voices.restore(key))
        elif action is VoiceAction.REMOVE:
            voice = voices.voice(key)
            voices.remove(key, files=True)
            return self.notice("library.removed", voice)
        elif action is VoiceAction.PREPARE:
            voices.prepare(key)
        elif action is VoiceAction.CANCEL:
            job = self._services.jobs.newest_of(key)
            if job is not None:
                self._services.jobs.cancel(job.key)
        return ""

    def _view(self, voice: SavedVoice, job: Job | None) -> VoiceView:
        try:
            found = self._services.voice_models.model(voice.model_key)
            model, has_model = found.name, found.problem() is None
        except UnknownModelKey:
            model, has_model = voice.model_key, False
        return VoiceView(voice, model, has_model, job, self._services.voices.has_recording(voice))

    def _spot(self, name: str) -> Path:
        """A path below Gradio's cache that nobody can guess; Gradio removes the file after a day."""
        folder = self._services.settings.paths.page_cache_dir / secrets.token_hex(16)
        make_private(folder)
        return folder / name
