"""The plan of a text: tags, readings, the lexicon, pauses."""

from __future__ import annotations

from typing import Any

import pytest

from tts_core.domain.errors import InvalidRequest
from tts_core.domain.values import ReadAs
from tts_core.speech.plan.lexicon import Lexicon, LexiconEntry, with_project
from tts_core.speech.plan.markup import TagKind, find_tags, tagged_text, written_text
from tts_core.speech.plan.plan import PlanChoices, plan, words_of
from tts_core.speech.plan.split import PauseReason


@pytest.mark.parametrize(
    ("tag", "seconds"),
    [
        ("[pause 0.5s]", 0.5),
        ("[pause 500ms]", 0.5),
        ("[pause:1.5]", 1.5),
        ("[pause]", 0.5),
        ("[PAUSE 2 seconds]", 2.0),
        ("[停顿 0.5秒]", 0.5),
        ("[停顿：３秒]", 3.0),
        ("[pause 0,5s]", 0.5),
        ("[pause 99s]", 10.0),
    ],
)
@pytest.mark.parametrize("read_as", list(ReadAs))
def test_a_pause_parts_the_text_and_is_never_read(tag: str, seconds: float, read_as: ReadAs) -> None:
    made = plan(f"Hello there {tag} and more.", PlanChoices(read_as=read_as))
    assert [(one.spoken, one.pause_after_s) for one in made.segments] == [("Hello there", seconds), ("and more.", 0.0)]
    assert made.has_pauses


def test_what_is_no_pause_stays_text_and_a_pause_that_is_unclear_is_named() -> None:
    assert plan(r"Type \[pause] and [pauses] or [pause for effect].").segments[0].spoken == (
        "Type [pause] and [pauses] or [pause for effect]."
    )
    made = plan("One here [pause 5 sek] two here [pause 20s] three here.")
    assert made.ignored == ("[pause 5 sek]", "[pause 20s]")
    assert [one.spoken for one in made.segments] == ["One here two here", "three here."]


def test_all_pauses_of_a_text_are_at_most_a_minute_and_one_at_an_end_counts() -> None:
    made = plan("[pause 10s] A b c. " + "[pause 10s]" * 6 + " D e f. [pause 1s]")
    assert (made.lead_s, [one.pause_after_s for one in made.segments]) == (10.0, [50.0, 0.0])
    assert plan("The end. [pause 2s]").segments[-1].pause_after_s == 2.0
    assert plan("The end. [pause 2s]").segments[-1].reason is PauseReason.OWN


def test_an_inline_reading_is_spoken_and_its_term_is_written() -> None:
    made = plan("The **[[SQL|sequel]]** server and `x`. 他是[[行长|航掌]]。")
    assert [(one.text, one.spoken) for one in made.segments] == [
        ("The SQL server and x. 他是行长。", "The sequel server and x. 他是航掌。")
    ]
    assert written_text(tagged_text("A [[b|]] c", ReadAs.PLAIN)) == "A b c"
    assert words_of("A [[b|bee]] c [pause 1s] d", ReadAs.MARKDOWN) == "A b c d"


def test_tags_in_markdown_outlive_its_signs() -> None:
    tagged = tagged_text(
        "# One\n\n- **two [pause 1s] three**\n\n| a | [[b|c]] |\n|---|---|\n| d | e |", ReadAs.MARKDOWN
    )
    assert [(tag.kind, tag.source) for tag in find_tags(tagged)] == [
        (TagKind.PAUSE, "[pause 1s]"),
        (TagKind.READING, "[[b|c]]"),
    ]
    assert "*" not in tagged


def test_the_longest_term_wins_and_a_reading_is_never_read_again() -> None:
    lexicon = Lexicon(
        [
            LexiconEntry("SQL", "sequel"),
            LexiconEntry("SQL Server", "sequel SQL server"),
            LexiconEntry("sequel", "film"),
            LexiconEntry("server", "waiter", match_case=True),
        ]
    )
    assert lexicon.applied("SQL Server, SQL, Server, server, sequel") == (
        "sequel SQL server, sequel, Server, waiter, film"
    )


@pytest.mark.parametrize(
    ("entry", "text", "spoken"),
    [
        (LexiconEntry("AI", "A I"), "AI said. Kairo. 用AI写。", "A I said. Kairo. 用A I写。"),
        (LexiconEntry("AI", "A I", whole_word=False), "Kairo", "KA Iro"),
        (LexiconEntry("行长", "航掌"), "他是行长吗", "他是航掌吗"),
        (LexiconEntry("cat", "dog"), "Cat CAT cats", "dog dog cats"),
        (LexiconEntry("cat", "dog", match_case=True), "Cat cat", "Cat dog"),
        (LexiconEntry("cat", "dog", enabled=False), "cat", "cat"),
        (LexiconEntry("cat", "dog", language="Chinese"), "cat", "cat"),
        (LexiconEntry("cat", "dog", language="English"), "cat", "dog"),
        (LexiconEntry("cat", "dog", voices=("a/b",)), "cat", "dog"),
        (LexiconEntry("cat", "dog", voices=("c/d",)), "cat", "cat"),
        (LexiconEntry("C++", "see plus plus"), "C++ and C", "see plus plus and C"),
        (LexiconEntry("１２３", "one two three"), "123", "one two three"),
    ],
)
def test_an_entry_counts_where_it_says(entry: LexiconEntry, text: str, spoken: str) -> None:
    assert Lexicon([entry]).applied(text, language="en", voice="a/b") == spoken


def test_only_the_segments_with_the_term_change_and_the_written_words_never_do() -> None:
    text = "Dr. Nguyen came to the house by the sea today. \n\nNobody else was there at that time of the day."
    before, after = plan(text), plan(text, lexicon=Lexicon([LexiconEntry("Nguyen", "win")]))
    changed = [one.spoken != two.spoken for one, two in zip(before.segments, after.segments, strict=True)]
    assert changed == [True, False]
    assert [one.text for one in before.segments] == [two.text for two in after.segments]
    assert "Nguyen" in after.segments[0].text
    assert "win" in after.segments[0].spoken


def test_an_inline_reading_goes_before_the_lexicon_and_a_project_before_the_rest() -> None:
    base = Lexicon([LexiconEntry("Ann", "on"), LexiconEntry("Bob", "bop")])
    assert plan("[[Ann|Anne]] met Ann.", lexicon=base).segments[0].spoken == "Anne met on."
    assert with_project([LexiconEntry("Ann", "Anna")], base).applied("Ann Bob") == "Anna bop"


def test_an_entry_keeps_its_form_as_fields_and_refuses_what_can_not_be() -> None:
    entry = LexiconEntry("a", "b", "en", whole_word=False, voices=("x/y", "z"), note="n", enabled=False)
    assert LexiconEntry.from_fields(entry.as_fields()) == entry
    row = {"term": "a", "reading": "b", "voices": "x/y; z", "whole_word": "false", "enabled": "no"}
    assert LexiconEntry.from_fields(row).voices == ("x/y", "z")
    bad: list[Any] = [{}, {"term": "a"}, {"term": "a" * 101, "reading": "b"}, {"term": 1, "reading": "b"}, []]
    for fields in bad:
        with pytest.raises(InvalidRequest):
            LexiconEntry.from_fields(fields)


@pytest.mark.parametrize("read_as", list(ReadAs))
@pytest.mark.parametrize("mark", ["***", "* * *", "---", "___"])
def test_a_line_of_signs_parts_scenes(read_as: ReadAs, mark: str) -> None:
    choices = PlanChoices(read_as=read_as, keeps_short_whole=True)
    made = plan(f"He went home.\r\n\r\n{mark}\r\n\r\nThe next day.", choices)
    assert [(one.spoken, one.reason) for one in made.segments] == [
        ("He went home.", PauseReason.SCENE),
        ("The next day.", PauseReason.END),
    ]
    assert len(plan("A title\n---\nThe text.", PlanChoices(keeps_short_whole=True)).segments) == 1


def test_short_lines_stay_together_where_voices_would_speak_single_words() -> None:
    verses = "\n".join(f"This is line {number} of a poem," for number in range(12))
    text = f"{verses}\n\nAnother verse.\n今天很好。\n明天也好。"
    parted, together = plan(text), plan(text, PlanChoices(keeps_short_whole=True))
    assert len(parted.segments) == 15
    assert [one.language for one in together.segments] == ["en", "en", "en", "en", "zh"]
    assert "\n".join(one.spoken for one in together.segments) == text.replace("\n\n", "\n")
    assert all(one.expected_s <= 16 for one in together.segments)


def test_nothing_to_say_has_no_segments() -> None:
    assert plan("[pause 1s] ... \n\n***").segments == ()
