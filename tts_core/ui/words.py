"""The texts of the page in English and Chinese, by key. The tables are strings/en.json and strings/zh.json."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from tts_core.access.visitor import Role
from tts_core.domain.errors import StudioError
from tts_core.domain.values import Voice
from tts_core.models.files.findings import FileProblem

LANGUAGES = ("en", "zh")
_TABLES = Path(__file__).parent / "strings"


class Explained(Protocol):
    """A fact with a stable code, its parameters and an English sentence (a hint, a reason)."""

    @property
    def code(self) -> str: ...
    @property
    def params(self) -> Mapping[str, object]: ...
    @property
    def message(self) -> str: ...


@dataclass(frozen=True, slots=True)
class Words:
    language: str
    table: Mapping[str, str]
    audience: Role = Role.ADMIN
    """The role of the page's visitors: a page for guests has nothing on it that they may not do."""

    @property
    def is_for_guests(self) -> bool:
        return self.audience is Role.GUEST

    def __call__(self, key: str, params: Mapping[str, object] | None = None) -> str:
        """The text of `key` with `params` filled in; an unknown key is our own mistake and raises KeyError."""
        return self.table[key].format_map(params or {})

    def quoted(self, key: str) -> str:
        """The text as a JavaScript string."""
        return json.dumps(self(key))

    def get(self, key: str, default: str) -> str:
        return self.table.get(key, default)

    def engine(self, voice: Voice) -> str:
        """The speaker behind a voice, for people: the built-in engine or a model's name."""
        return self.get(f"engine.{voice.id}", self.get(f"engine.{voice.engine}", voice.description))

    def voice(self, voice: Voice) -> str:
        """The name of a voice, for people: most are proper names, which are the same in every language."""
        return self.get(f"voice.{voice.id}", voice.name)

    def model(self, name: str) -> str:
        """The name of a model, for people: that of a product, after which some say their language."""
        return self.get(f"model.{name}", name)

    def error(self, error: StudioError) -> str:
        return self.explain("error", error.text_key, error.params, error.message)

    def fact(self, kind: str, fact: Explained) -> str:
        """The sentence about a fact; `kind` is hint or reason, the first part of the table's key."""
        return self.explain(kind, fact.code, fact.params, fact.message)

    def problem(self, problem: FileProblem) -> str:
        code, params = problem.explanation
        return self.explain("problem", code, params, problem.message)

    def explain(self, kind: str, code: str, params: Mapping[str, object], english: str) -> str:
        template = self.table.get(f"{kind}.{code}")
        return template.format_map(params) if template else english


def load_words(language: str, audience: Role = Role.ADMIN) -> Words:
    """The words of one of LANGUAGES."""
    table = json.loads((_TABLES / f"{language}.json").read_text(encoding="utf-8"))
    return Words(language, table, audience)
