"""The voices that Hibari has: one comes with its package, the others are models to download."""

from __future__ import annotations

from dataclasses import dataclass

from tts_core.domain.values import Language

NAME = "hibari"
AMERICAN, BRITISH = Language("en-us", "English (America)"), Language("en-gb", "English (Great Britain)")


@dataclass(frozen=True, slots=True)
class HibariVoice:
    key: str
    """The voice's name in the package."""
    language: Language
    gender: str
    model_key: str = ""
    """The model in the catalogue that holds the voice; "" for the one in the package."""

    @property
    def id(self) -> str:
        return f"{NAME}/{self.key}"

    @property
    def name(self) -> str:
        return self.key.capitalize()


VOICES = (
    HibariVoice("heart", AMERICAN, "female"),
    HibariVoice("kore", AMERICAN, "female", "hibari_kore"),
    HibariVoice("fenrir", AMERICAN, "male", "hibari_fenrir"),
    HibariVoice("emma", BRITISH, "female", "hibari_emma"),
    HibariVoice("fable", BRITISH, "male", "hibari_fable"),
)
