"""Finds a YourTTS model on this machine: in the studio's folder, then in every cache that Coqui TTS may have made.

A model is used where it lies, whichever Python environment fetched it. The log says which place was taken and why the
ones before it were not.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from pathlib import Path

from tts_core.engines.yourtts.model_folder import ModelFolder, missing_from, open_folder
from tts_core.platform.settings.yourtts import Location, YourTtsSettings

logger = logging.getLogger(__name__)

PUBLISHED_NAME = "tts_models--multilingual--multi-dataset--your_tts"
"""The folder's name in a cache of Coqui TTS."""
LOCAL_NAME = "YourTTS"
"""The folder's name in the models folder."""
_NAMES = (LOCAL_NAME, PUBLISHED_NAME, "your_tts")


@dataclass(frozen=True, slots=True)
class CheckedFolder:
    """A place where the model could have been."""

    folder: Path
    why: str
    """A description of the place, such as "the models folder"."""
    reason: str
    """The reason why the place was not taken; "" for the one that was."""


@dataclass(frozen=True, slots=True)
class Search:
    model: ModelFolder | None
    checked: tuple[CheckedFolder, ...]
    """The places in the order of the search."""

    def __str__(self) -> str:
        taken = [f"YourTTS's model is {one.folder} ({one.why})" for one in self.checked if not one.reason]
        passed = [f"{one.folder} ({one.why}): {one.reason}" for one in self.checked if one.reason]
        before = f"; looked before: {'; '.join(passed)}" if passed and taken else f": {'; '.join(passed)}"
        return (taken or ["YourTTS's model is not on this machine"])[0] + (before if passed else "")


class ModelFinder:
    """Looks anew at each call, some dozens of look-ups; logs when the outcome is another one than before."""

    def __init__(self, models_dir: Path, settings: YourTtsSettings) -> None:
        self._places = tuple(_places(models_dir, settings))
        self._last_outcome = ""

    def find(self) -> Search:
        """Search all places. Never raises."""
        checked: list[CheckedFolder] = []
        model: ModelFolder | None = None
        for place in self._places:
            reason = _reason(place.folder)
            if not reason:
                try:
                    model = open_folder(place.folder)
                except OSError as error:  # it has gone in this moment
                    reason = str(error)
            checked.append(CheckedFolder(place.folder, place.why, reason))
            if model is not None:
                break
        search = Search(model, tuple(checked))
        if (outcome := str(search)) != self._last_outcome:
            self._last_outcome = outcome
            logger.info("%s", outcome)
        return search


def _places(models_dir: Path, settings: YourTtsSettings) -> list[Location]:
    named = [Location(settings.model_dir, "the named folder")] if settings.model_dir else []
    local = [Location(models_dir / name, "the models folder") for name in _NAMES]
    cached = [Location(cache.folder / name, cache.why) for cache in settings.caches for name in _NAMES[1:]]
    return [*named, *local, *cached]


def _reason(folder: Path) -> str:
    """The reason why the folder holds no usable model, "" if it does."""
    try:
        if not folder.is_dir():
            return "no such folder"
    except OSError as error:
        return error.strerror or "it can't be looked at"
    missing = missing_from(folder)
    return f"lacks {', '.join(missing)}" if missing else ""
