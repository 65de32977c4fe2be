"""The lexicon editor's work, without Gradio: entries are chosen, changed, removed, tried, and exchanged as files."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Any

from tts_core.domain.errors import InvalidRequest
from tts_core.domain.values import ReadAs, SplitMode, SynthesisRequest
from tts_core.platform.whole_files import make_private, open_private
from tts_core.services import Services
from tts_core.speech.faults import LexiconOutdated
from tts_core.speech.jobs import speak_as_job
from tts_core.speech.plan.exchange import MAX_BYTES, as_csv, as_json, entries_in, merged
from tts_core.speech.plan.lexicon import Lexicon, LexiconEntry
from tts_core.speech.plan.store import LexiconState
from tts_core.speech.synthesis import collect
from tts_core.ui.words import Words

NEW = ""
"""The key of an entry that is not in the lexicon yet."""
TRY_MAX_S = 20.0
LANGUAGES = ("zh", "en", "ja", "ko", "de", "fr", "es", "pt", "it", "ru")


@dataclass(frozen=True, slots=True)
class EntryForm:
    """The form of an entry, in the order of its widgets."""

    term: str = ""
    reading: str = ""
    language: str = ""
    whole_word: bool = True
    match_case: bool = False
    voices: str = ""
    """Ids, parted by semicolons."""
    note: str = ""
    enabled: bool = True

    def entry(self) -> LexiconEntry:
        """Raises InvalidRequest."""
        return LexiconEntry.from_fields(
            {name: getattr(self, name) for name in EntryForm.__slots__ if getattr(self, name) is not None}
        )

    @classmethod
    def of(cls, entry: LexiconEntry) -> EntryForm:
        return cls(**{**entry.as_fields(), "voices": "; ".join(entry.voices)})

    def values(self) -> list[Any]:
        return [getattr(self, name) for name in EntryForm.__slots__]


class LexiconDesk:
    def __init__(self, services: Services, words: Words) -> None:
        self._services = services
        self._words = words

    def state(self) -> LexiconState:
        return self._services.lexicon.state()

    def choices(self, state: LexiconState) -> list[tuple[str, str]]:
        """The entries to choose from, a new one first, each with its place as the key."""
        entries = [(f"{entry.term} → {entry.reading}", str(place)) for place, entry in enumerate(state.entries)]
        return [(self._words("lexicon.new"), NEW), *entries]

    def form(self, key: str | None, revision: int) -> EntryForm:
        """The form of the entry with that key. Raises LexiconOutdated."""
        state = self._at(revision)
        return EntryForm() if not key else EntryForm.of(state.entries[int(key)])

    def save(self, key: str | None, revision: int, form: EntryForm) -> LexiconState:
        """Put the entry in the place of the one with that key, or at the end. Raises InvalidRequest, LexiconOutdated
        and the other errors of `LexiconStore.replace`."""
        entry, entries = form.entry(), list(self._at(revision).entries)
        if key:
            entries[int(key)] = entry
        else:
            entries = merged(entries, [entry])
        return self._services.lexicon.replace(entries, revision)

    def delete(self, key: str | None, revision: int) -> LexiconState:
        """Raises InvalidRequest without a key, LexiconOutdated and the like."""
        if not key:
            raise InvalidRequest(reason=self._words("lexicon.choose_first"))
        entries = list(self._at(revision).entries)
        del entries[int(key)]
        return self._services.lexicon.replace(entries, revision)

    def take_in(self, file: Path) -> tuple[LexiconState, int]:
        """Add the entries of a file; the lexicon and how many the file had. Raises InvalidRequest."""
        with file.open("rb") as stream:
            added = entries_in(stream.read(MAX_BYTES + 1))
        state = self.state()
        return self._services.lexicon.replace(merged(state.entries, added), state.revision), len(added)

    def give_out(self, kind: str) -> str:
        """The path of a new file with all entries; `kind` is csv or json."""
        entries = self.state().entries
        file = self._services.settings.paths.page_cache_dir / secrets.token_hex(16) / f"lexicon.{kind}"
        make_private(file.parent)
        with open_private(file, "wb") as stream:
            # Spreadsheets know UTF-8 by its mark; programs that read JSON stumble over it.
            stream.write(as_json(entries).encode() if kind == "json" else as_csv(entries).encode("utf-8-sig"))
        return str(file)

    def tried(self, form: EntryForm, sentence: str, voice: str | None) -> tuple[str, str]:
        """The paths of two takes of a sentence: as it is written, and with the entry. Raises StudioError."""
        entry = form.entry()
        written = sentence.strip() or entry.term
        spoken = Lexicon([entry]).applied(written)
        if spoken == written:
            raise InvalidRequest(reason=self._words("lexicon.not_in_it"))
        return self._spoken(written, voice), self._spoken(spoken, voice)

    def _spoken(self, text: str, voice: str | None) -> str:
        request = SynthesisRequest(
            text,
            voice=voice or None,
            seed=1,
            max_seconds=TRY_MAX_S,
            read_as=ReadAs.PLAIN,
            split=SplitMode.NEVER,  # the lexicon's other entries are left out
        )
        services = self._services
        return str(collect(speak_as_job(services.synthesis, services.jobs, request)).path)

    def _at(self, revision: int) -> LexiconState:
        state = self.state()
        if state.revision != revision:
            raise LexiconOutdated(revision=state.revision)
        return state


def table(words: Words, state: LexiconState) -> str:
    """The entries as an HTML table."""
    if not state.entries:
        return f'<p class="studio-empty">{escape(words("lexicon.empty"))}</p>'
    names = ("term", "reading", "where", "note")
    head = "".join(f'<th scope="col">{escape(words(f"lexicon.{name}"))}</th>' for name in names)
    rows = "".join(_row(words, entry) for entry in state.entries)
    return (
        f'<div class="studio-lexicon" tabindex="0" role="region" aria-label="{escape(words("lexicon.title"))}">'
        f"<table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table></div>"
    )


def _row(words: Words, entry: LexiconEntry) -> str:
    scope = [words.get(f"lexicon.language_{entry.language}", entry.language)] if entry.language else []
    scope += [words("lexicon.voices_count", {"count": len(entry.voices)})] if entry.voices else []
    scope += [] if entry.enabled else [words("lexicon.off")]
    cells = (entry.term, entry.reading, " · ".join(scope) or words("lexicon.everywhere"), entry.note)
    look = "" if entry.enabled else ' data-off=""'
    return f"<tr{look}>" + "".join(f"<td>{escape(cell)}</td>" for cell in cells) + "</tr>"
