"""The lexicon on the disk, and as files that people exchange."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tts_core.domain.errors import InvalidRequest
from tts_core.speech.faults import LexiconOutdated, LexiconUnwritable
from tts_core.speech.plan.exchange import as_csv, as_json, entries_in, merged
from tts_core.speech.plan.lexicon import LexiconEntry
from tts_core.speech.plan.store import LexiconState, LexiconStore

ENTRIES = (
    LexiconEntry("SQL", "sequel", "en", note="a, note"),
    LexiconEntry("行长", "航掌", "zh", whole_word=False, voices=("a/b", "c"), enabled=False),
    LexiconEntry("=2", "=SUM(A1)"),
)


@pytest.fixture
def store(tmp_path: Path) -> LexiconStore:
    return LexiconStore(tmp_path / "data" / "lexicon.json")


def file_of(tmp_path: Path) -> Path:
    return tmp_path / "data" / "lexicon.json"


def test_entries_are_kept_and_other_processes_see_them(store: LexiconStore, tmp_path: Path) -> None:
    assert store.state() == LexiconState()
    assert store.replace(ENTRIES).revision == 1
    other = LexiconStore(file_of(tmp_path))
    assert other.state() == LexiconState(1, ENTRIES)
    assert other.replace(ENTRIES[:1], revision=1).revision == 2
    assert store.state().entries == ENTRIES[:1]
    assert store.lexicon().applied("SQL") == "sequel"
    assert file_of(tmp_path).stat().st_mode & 0o077 == 0


def test_a_change_made_from_an_older_state_is_refused(store: LexiconStore) -> None:
    store.replace(ENTRIES)
    store.replace(ENTRIES[:1], revision=1)
    with pytest.raises(LexiconOutdated):
        store.replace([], revision=1)
    assert store.state().entries == ENTRIES[:1]


@pytest.mark.parametrize("broken", [b"{", b"[]", b'{"format": 9, "entries": []}', b'{"format": 1, "entries": [{}]}'])
def test_a_file_that_can_not_be_read_is_kept_aside(store: LexiconStore, tmp_path: Path, broken: bytes) -> None:
    file = file_of(tmp_path)
    file.parent.mkdir()
    file.write_bytes(broken)
    assert store.state().entries == ()
    assert file.read_bytes() == broken
    store.replace(ENTRIES)
    assert file.with_name("lexicon.json.broken-1").read_bytes() == broken
    assert LexiconStore(file).state().entries == ENTRIES


def test_what_can_not_be_written_changes_nothing(tmp_path: Path) -> None:
    (tmp_path / "data").write_text("no folder")
    store = LexiconStore(file_of(tmp_path))
    with pytest.raises(LexiconUnwritable):
        store.replace(ENTRIES)
    assert store.state() == LexiconState()
    with pytest.raises(InvalidRequest):
        store.replace([ENTRIES[0]] * 5_001)


def test_entries_survive_csv_and_json() -> None:
    assert tuple(entries_in(as_csv(ENTRIES).encode())) == ENTRIES
    assert tuple(entries_in(as_json(ENTRIES).encode())) == ENTRIES
    assert tuple(entries_in(json.dumps({"entries": [one.as_fields() for one in ENTRIES]}).encode())) == ENTRIES
    assert "'=SUM" in as_csv(ENTRIES)


def test_tables_of_other_programs_are_read() -> None:
    assert entries_in("\ufeffSQL;sequel\nAI;A I\n".encode()) == [
        LexiconEntry("SQL", "sequel"),
        LexiconEntry("AI", "A I"),
    ]
    assert entries_in(b"reading,term\nsequel,SQL\n") == [LexiconEntry("SQL", "sequel")]
    assert entries_in(b"SQL\tsequel\n\n") == [LexiconEntry("SQL", "sequel")]
    assert entries_in(b"") == []


@pytest.mark.parametrize("data", [b"\xff\xfe", b"[1]", b"{", b"term,reading\n,x\n", b"[" * 100_000])
def test_files_that_are_no_lexicon_are_refused(data: bytes) -> None:
    with pytest.raises(InvalidRequest):
        entries_in(data)


def test_a_later_entry_of_the_same_term_takes_the_earlier_ones_place() -> None:
    assert merged(ENTRIES, [LexiconEntry("SQL", "S Q L", "en")])[0].reading == "S Q L"
    assert len(merged(ENTRIES, [LexiconEntry("SQL", "S Q L")])) == 4
