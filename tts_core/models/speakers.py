"""The preset speakers of the published models, as people are shown them before a byte of a model is here."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache

from tts_core.models.catalogue import Gender
from tts_core.platform.paths import SPEAKERS_FILE


@dataclass(frozen=True, slots=True)
class PublishedSpeaker:
    name: str
    """The name that a model's config gives the speaker, such as "uncle_fu"."""
    gender: Gender
    language: str
    """The speaker's mother tongue by the code that models have for it; every speaker has the other languages, too."""
    about: Mapping[str, str]
    """A sentence about the voice, by the language of the page."""
    dialect: str = ""
    """The code of the dialect in which the speaker says Chinese; "" for the standard language."""

    @property
    def title(self) -> str:
        return speaker_title(self.name)


def speaker_title(name: str) -> str:
    """A speaker's name for people: "Uncle Fu"."""
    return name.replace("_", " ").title()


@cache
def preset_speakers() -> Mapping[str, PublishedSpeaker]:
    """The described speakers by name, in the order to show."""
    rows = json.loads(SPEAKERS_FILE.read_text(encoding="utf-8"))
    return {
        name: PublishedSpeaker(name, row["gender"], row["language"], row["about"], row.get("dialect", ""))
        for name, row in rows.items()
    }
