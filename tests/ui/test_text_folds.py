"""The folds below the Speak tab, without a browser: how a text is spoken, and how words are read."""

from __future__ import annotations

from pathlib import Path

import pytest
import soundfile

from tts_core.domain.errors import InvalidRequest
from tts_core.domain.values import SynthesisRequest
from tts_core.services import Services
from tts_core.speech.faults import LexiconOutdated
from tts_core.speech.plan.lexicon import LexiconEntry
from tts_core.ui.speak.lexicon_handler import NEW, EntryForm, LexiconDesk, table
from tts_core.ui.speak.preview_panel import clock, preview
from tts_core.ui.words import load_words

WORDS = load_words("en")


@pytest.fixture
def desk(services: Services) -> LexiconDesk:
    return LexiconDesk(services, WORDS)


def test_the_preview_shows_parts_spoken_words_and_pauses_and_escapes_the_text(services: Services) -> None:
    services.lexicon.replace([LexiconEntry("SQL", "sequel")])
    shown = preview(services, WORDS, SynthesisRequest("The SQL <b>5 < 6</b>. [pause 2s] Bye [pause 12 parsecs]."))
    assert "<strong>Parts: 2 · about 0:0" in shown
    assert "<p>The SQL 5 &lt; 6.</p>" in shown
    assert "Spoken: The sequel 5 &lt; 6." in shown
    assert "then 2.0 s of silence (your pause)" in shown
    assert "as they stand: [pause 12 parsecs]" in shown
    assert "[pause 2s]" not in shown


@pytest.mark.parametrize("language", ["en", "zh"])
def test_every_reason_of_a_pause_has_words(services: Services, language: str) -> None:
    long = "word " * 100
    text = f"{long}{long}\n\n***\n\nOne two three four. {long}. {long}\nNext line."
    assert "preview." not in preview(services, load_words(language), SynthesisRequest(text))


def test_the_preview_says_why_there_is_nothing_to_show(services: Services) -> None:
    assert "no text to speak" in preview(services, WORDS, SynthesisRequest(""))
    assert "至少输入一个字" in preview(services, load_words("zh"), SynthesisRequest(" "))
    assert "at most" in preview(services, WORDS, SynthesisRequest("a" * 20_001))
    assert clock(151.2) == "2:31"


def test_an_entry_is_saved_changed_and_deleted(desk: LexiconDesk) -> None:
    state = desk.save(NEW, 0, EntryForm("SQL", "sequel", language="en", voices="builtin/aria; b/c"))
    assert state.entries == (LexiconEntry("SQL", "sequel", "en", voices=("builtin/aria", "b/c")),)
    assert desk.choices(state) == [("A new word", NEW), ("SQL → sequel", "0")]
    form = desk.form("0", state.revision)
    assert form.voices == "builtin/aria; b/c"
    changed = desk.save("0", state.revision, EntryForm("SQL", "S Q L", enabled=False))
    assert [(one.reading, one.enabled) for one in changed.entries] == [("S Q L", False)]
    assert desk.delete("0", changed.revision).entries == ()


def test_a_row_of_an_older_table_is_never_changed(desk: LexiconDesk) -> None:
    state = desk.save(NEW, 0, EntryForm("SQL", "sequel"))
    desk.save(NEW, state.revision, EntryForm("AI", "A I"))
    for work in (
        lambda: desk.form("0", state.revision),
        lambda: desk.delete("0", state.revision),
        lambda: desk.save("0", state.revision, EntryForm("x", "y")),
    ):
        with pytest.raises(LexiconOutdated):
            work()
    assert len(desk.state().entries) == 2


def test_what_can_not_be_is_refused(desk: LexiconDesk) -> None:
    with pytest.raises(InvalidRequest):
        desk.save(NEW, 0, EntryForm("SQL", " "))
    with pytest.raises(InvalidRequest):
        desk.delete(NEW, 0)
    with pytest.raises(InvalidRequest):
        desk.tried(EntryForm("SQL", "sequel"), "Nothing of it.", None)


def test_a_word_is_tried_as_it_is_written_and_as_it_is_read(desk: LexiconDesk) -> None:
    form = EntryForm("SQL", "a much longer reading of the word")
    before, after = desk.tried(form, "This is SQL.", "builtin/aria")
    assert soundfile.info(after).duration > soundfile.info(before).duration + 0.5
    assert desk.state().entries == ()


def test_words_go_out_and_come_in_as_files(desk: LexiconDesk, tmp_path: Path) -> None:
    desk.save(NEW, 0, EntryForm("行长", "航掌", note='a "note"'))
    for kind in ("csv", "json"):
        file = Path(desk.give_out(kind))
        assert file.name == f"lexicon.{kind}"
        state, count = desk.take_in(file)
        assert (count, len(state.entries)) == (1, 1)
    other = tmp_path / "words.csv"
    other.write_text("AI,A I\n", encoding="utf-8")
    assert [one.term for one in desk.take_in(other)[0].entries] == ["行长", "AI"]


def test_the_table_shows_everything_and_runs_nothing(desk: LexiconDesk) -> None:
    assert "No words yet" in table(WORDS, desk.state())
    state = desk.save(NEW, 0, EntryForm("<i>x</i>", "y", language="zh", enabled=False))
    shown = table(WORDS, state)
    assert "&lt;i&gt;x&lt;/i&gt;" in shown
    assert "Chinese · off" in shown
