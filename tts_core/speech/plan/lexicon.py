"""A lexicon: how words are read. The spoken text changes, the written one never does. Pure functions.

The longest entry that fits wins, the text is gone through once, and a reading is never read again as a term.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tts_core.domain.errors import InvalidRequest
from tts_core.domain.letters import spoken_forms
from tts_core.domain.text import clean
from tts_core.speech.plan.markup import TagKind, parts_between_tags, without_double_blanks
from tts_core.speech.plan.pace import CJK
from tts_core.speech.plan.script import plain_code

MAX_TERM_CHARS, MAX_READING_CHARS, MAX_NOTE_CHARS = 100, 200, 500
MAX_VOICES = 50
_PARTED = re.compile(rf"[^\W_{CJK}\u0e00-\u0e7f]")
"""Letters and digits of scripts that part words by blanks."""


@dataclass(frozen=True, slots=True)
class LexiconEntry:
    """A term and its reading. Raises InvalidRequest for one that can't be."""

    term: str
    reading: str
    language: str = ""
    """A code or a name of the language in which it counts; "" for all."""
    whole_word: bool = True
    """Whether it counts only where no other letter stands beside it; Chinese, Japanese, Korean and Thai part no
    words."""
    match_case: bool = False
    voices: tuple[str, ...] = ()
    """The ids of the voices that read it so; () for all."""
    note: str = ""
    enabled: bool = True

    def __post_init__(self) -> None:
        for name, most in (("term", MAX_TERM_CHARS), ("reading", MAX_READING_CHARS), ("note", MAX_NOTE_CHARS)):
            value = clean(getattr(self, name)).replace("\n", " ")
            if len(value) > most:
                raise InvalidRequest(reason=f"the {name} of a lexicon entry has at most {most} characters.")
            object.__setattr__(self, name, value)
        if not self.term:
            raise InvalidRequest(reason="a lexicon entry needs a term.")
        if not self.reading:
            raise InvalidRequest(reason="a lexicon entry needs a reading.")
        if len(self.voices) > MAX_VOICES:
            raise InvalidRequest(reason=f"a lexicon entry names at most {MAX_VOICES} voices.")

    @classmethod
    def from_fields(cls, fields: Mapping[str, Any]) -> LexiconEntry:
        """The entry in a row of data, as of JSON or CSV. Raises InvalidRequest."""
        try:
            voices = fields.get("voices") or ()
            names = voices.split(";") if isinstance(voices, str) else list(voices)
            return cls(
                term=_text(fields, "term"),
                reading=_text(fields, "reading"),
                language=_text(fields, "language").strip(),
                whole_word=_switch(fields, "whole_word", default=True),
                match_case=_switch(fields, "match_case", default=False),
                voices=tuple(str(name).strip() for name in names if str(name).strip()),
                note=_text(fields, "note"),
                enabled=_switch(fields, "enabled", default=True),
            )
        except (TypeError, AttributeError) as error:
            raise InvalidRequest(reason="a lexicon entry is an object with a term and a reading.") from error

    def as_fields(self) -> dict[str, Any]:
        return {
            "term": self.term,
            "reading": self.reading,
            "language": self.language,
            "whole_word": self.whole_word,
            "match_case": self.match_case,
            "voices": list(self.voices),
            "note": self.note,
            "enabled": self.enabled,
        }


class Lexicon:
    """Entries made ready for reading; the first ones go before later ones of the same term."""

    def __init__(self, entries: Iterable[LexiconEntry] = ()) -> None:
        self.entries = tuple(entry for entry in entries if entry.enabled)
        self._by_start: dict[str, list[tuple[str, LexiconEntry, str]]] = {}
        for entry in self.entries:
            term = spoken_forms(entry.term)
            found = self._by_start.setdefault(_folded(term[:1]), [])
            found.append((term, entry, plain_code(entry.language) if entry.language else ""))
        for found in self._by_start.values():
            found.sort(key=lambda one: -len(one[0]))

    def spoken(self, tagged: str, *, language: str = "", voice: str | None = None) -> str:
        """A tagged text as it is spoken: inline readings first, then the entries in what is left; no pauses.

        `language` is the short code of the text, `voice` the id of who speaks it.
        """
        if "[" not in tagged:
            return self.applied(tagged, language=language, voice=voice)
        words = [
            part.spoken if not isinstance(part, str) else self.applied(part, language=language, voice=voice)
            for part in parts_between_tags(tagged)
        ]
        return without_double_blanks("".join(words))

    def applied(self, text: str, *, language: str = "", voice: str | None = None) -> str:
        """`text`, which has no tags, with the readings of its terms.

        >>> Lexicon([LexiconEntry("SQL", "sequel"), LexiconEntry("SQL Server", "server")]).applied("SQL Server, SQL")
        'server, sequel'
        """
        if not self._by_start:
            return text
        read, at, kept = [], 0, 0
        folded = _folded(text)
        while at < len(text):
            found = self._entry_at(text, folded, at, (language, voice))
            if found is None:
                at += 1
                continue
            term, reading = found
            read += [text[kept:at], reading]
            at = kept = at + len(term)
        return "".join([*read, text[kept:]])

    def _entry_at(self, text: str, folded: str, at: int, spoken: tuple[str, str | None]) -> tuple[str, str] | None:
        language, voice = spoken
        for term, entry, code in self._by_start.get(folded[at], ()):
            end = at + len(term)
            is_here = text.startswith(term, at) if entry.match_case else folded.startswith(_folded(term), at)
            if (
                is_here
                and (not code or not language or code == language)
                and (not entry.voices or voice in entry.voices)
                and not (entry.whole_word and _is_part_of_word(text, at, end))
            ):
                return term, entry.reading
        return None


NO_LEXICON = Lexicon()
LexiconSource = Callable[[], Lexicon]
"""A function that answers the lexicon as it is now; a cheap question."""


def no_lexicon() -> Lexicon:
    """Answer the lexicon without entries."""
    return NO_LEXICON


def with_project(project: Sequence[LexiconEntry], base: Lexicon) -> Lexicon:
    """A project's entries before all others."""
    own = {(entry.term, entry.language) for entry in project}
    rest = [entry for entry in base.entries if (entry.term, entry.language) not in own]
    return Lexicon([*project, *rest])


def ignored_tags(tagged: str) -> list[str]:
    """The tags of the text that are left out, or not as they were asked for, each as it was typed."""
    return [
        part.source
        for part in parts_between_tags(tagged)
        if not isinstance(part, str) and (part.kind is TagKind.IGNORED or part.is_shortened)
    ]


def _is_part_of_word(text: str, start: int, end: int) -> bool:
    before, after = text[start - 1 : start], text[end : end + 1]
    starts = bool(before and _PARTED.match(before) and _PARTED.match(text[start]))
    return starts or bool(after and _PARTED.match(after) and _PARTED.match(text[end - 1]))


def _folded(text: str) -> str:
    """`text` in small letters, of the same length."""
    small = text.lower()
    return (
        small if len(small) == len(text) else "".join(char.lower() if len(char.lower()) == 1 else char for char in text)
    )


def _text(fields: Mapping[str, Any], name: str) -> str:
    value = fields.get(name)
    if value is not None and not isinstance(value, str):
        raise InvalidRequest(reason=f"the {name} of a lexicon entry is text.")
    return value or ""


def _switch(fields: Mapping[str, Any], name: str, *, default: bool) -> bool:
    value = fields.get(name)
    if isinstance(value, str):
        value = {"": None, "0": False, "false": False, "no": False, "off": False}.get(value.strip().lower(), True)
    return default if value is None else bool(value)
