"""The user's choices about sources, and the environment's variables, which take precedence."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

from tts_core.models.catalogue import ModelEntry
from tts_core.models.download_faults import Offline
from tts_core.models.download_task import SourceId
from tts_core.models.downloads.hub import Hub
from tts_core.models.downloads.hubs.ordering import Candidate, hubs, probe, standing
from tts_core.platform.settings.preferences import (
    MIRROR_VARIABLE,
    RESUME_VARIABLE,
    SOURCES_VARIABLE,
    Preferences,
    PreferencesFile,
)
from tts_core.platform.settings.sources import MIRROR_ENDPOINT, SourceSettings, checked_endpoint
from tts_core.services import Services
from tts_core.ui.models.source_list import SourceMove
from tts_core.ui.models.view import views_of

Latencies = Mapping[SourceId, float]
"""The seconds until each source answered the last test; a source that is missing did not."""


class SourceChoices:
    """The choices as they are saved. Everything is read from the file at each call, so every browser sees the same."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._file = PreferencesFile(services.settings.paths.preferences_file)

    @property
    def settings(self) -> SourceSettings:
        return self._services.settings.sources_now()

    @property
    def is_own_order(self) -> bool:
        return bool(self._file.read().preferences.source_order)

    @property
    def order_fixed_by(self) -> str:
        """The variable that decides the order; "" if the user may."""
        return next((name for name in (SOURCES_VARIABLE, "USE_HF_MIRROR") if self.is_fixed(name)), "")

    @property
    def own_mirror(self) -> str:
        """The mirror's address if it is not the usual one."""
        endpoint = self.settings.mirror_endpoint
        return "" if endpoint == MIRROR_ENDPOINT else endpoint

    @property
    def resumes(self) -> bool:
        if self.is_fixed(RESUME_VARIABLE):
            return self._services.settings.sources.resume_at_start
        return bool(self._file.read().preferences.resume_downloads)

    def is_fixed(self, variable: str) -> bool:
        return variable in self._services.settings.fixed

    def standing(self, latencies: Latencies | None) -> tuple[Candidate, ...]:
        settings = self.settings
        known = hubs(settings)
        return standing(self._example(known), known, settings, latencies)

    def measure(self) -> Latencies:
        """Ask every source what it knows of one model: a few bytes, none of a file. Raises Offline, InvalidSetting."""
        settings = self.settings
        if settings.offline:
            raise Offline
        settings.check()
        known = hubs(settings)
        entry = self._example(known)
        return probe([hub for hub in known if hub.has(entry)], entry, cancelled=lambda: False)

    def move(self, source: str, step: SourceMove, latencies: Latencies | None) -> None:
        """Move a source one place up or down in the order that is shown; from now on it is the user's own order."""
        names = [candidate.hub.id for candidate in self.standing(latencies)]
        here = next((place for place, name in enumerate(names) if name == source), None)
        there = -1 if here is None else here + (1 if step is SourceMove.DOWN else -1)
        if here is None or not 0 <= there < len(names):
            return  # another browser was quicker
        names[here], names[there] = names[there], names[here]
        self._save(lambda now: replace(now, source_order=tuple(names)))

    def automatic(self) -> None:
        self._save(lambda now: replace(now, source_order=()))

    def set_mirror(self, address: str) -> None:
        """Set the mirror's address; an empty one means the usual mirror. Raises InvalidEndpoint."""
        endpoint = checked_endpoint(MIRROR_VARIABLE, address) if address.strip() else ""
        self._save(lambda now: replace(now, mirror_endpoint=endpoint))

    def set_resume(self, resumes: bool) -> None:
        self._save(lambda now: replace(now, resume_downloads=resumes))

    def _save(self, change: Callable[[Preferences], Preferences]) -> None:
        self._file.change(change)

    def _example(self, known: tuple[Hub, ...]) -> ModelEntry:
        """The model to test with: one that as many sources as possible have, and the first that people see."""
        entries = [view.entry for view in views_of(self._services.models.statuses())]
        return max(entries, key=lambda entry: sum(hub.has(entry) for hub in known))
