"""Files and pasted texts as drafts: encodings, chapters, lines of narrow pages, Markdown without what nobody reads."""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence

import pytest

from tts_core.speech.plan.split import PauseReason, SplitPreset
from tts_core.studio.edits.segments import MAX_SEGMENT_CHARS
from tts_core.studio.faults import FileNotRead, NothingToImport, TextUnreadable
from tts_core.studio.readers.draft import Draft, DraftChapter, Skipped, SplitDraft, Splitting
from tts_core.studio.readers.headings import is_heading
from tts_core.studio.readers.text import decoded, read_file, read_markdown, read_text

CHINESE = "第一章 开始\n\n这是一个很长的故事，讲的是一位老人和他的船。他每天出海打鱼，已经八十四天没有收获了。\n" * 3
JAPANESE = (
    "吾輩は猫である。名前はまだ無い。どこで生れたかとんと見当がつかぬ。何でも薄暗いじめじめした所で泣いていた。" * 3
)
KOREAN = "옛날 옛적에 한 마을에 나무꾼이 살았습니다. 나무꾼은 매일 산에 올라가서 나무를 베었습니다." * 3
GERMAN = "Über die Brücke gingen drei Mädchen, und keines wußte, wohin. „Später“, sagte die Größte.\n" * 3


def titles(draft: Draft) -> list[str]:
    return [chapter.title for chapter in draft.chapters]


@pytest.mark.parametrize(
    ("text", "encoding"),
    [
        (CHINESE, "utf-8"),
        (CHINESE, "gb18030"),
        (CHINESE, "utf-16"),
        (CHINESE.replace("个", "個").replace("长", "長").replace("讲", "講").replace("经", "經"), "big5"),
        (JAPANESE, "shift_jis"),
        (JAPANESE, "utf-8-sig"),
        (KOREAN, "cp949"),
        (GERMAN, "cp1252"),
    ],
)
def test_texts_are_read_in_the_encoding_that_they_are_in(text: str, encoding: str) -> None:
    text = text.encode(encoding, "ignore").decode(encoding)
    assert decoded(text.encode(encoding), "book.txt")[0].removeprefix("\ufeff") == text


@pytest.mark.parametrize(("text", "encoding"), [(CHINESE, "gb18030"), (GERMAN, "cp1252"), (KOREAN, "utf-8")])
def test_the_commonest_encodings_need_no_library(text: str, encoding: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "charset_normalizer", None)
    assert decoded(text.encode(encoding), "book.txt")[0] == text


@pytest.mark.parametrize(
    "content", [b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR" * 20, bytes(range(256)) * 8, b"\x01\x02\x03" * 99]
)
def test_what_is_no_text_is_refused(content: bytes) -> None:
    with pytest.raises(TextUnreadable):
        read_file("photo.txt", content)


def test_an_unknown_kind_of_file_is_refused_with_those_that_are_known() -> None:
    with pytest.raises(FileNotRead) as refused:
        read_file("Book.EXE", b"MZ")
    assert ".txt" in refused.value.message
    assert refused.value.params["file"] == ".EXE"


@pytest.mark.parametrize("text", ["", " \n\n", "* * *\n---", "Chapter 1\n\nChapter 2\n"])
def test_there_must_be_something_to_say(text: str) -> None:
    with pytest.raises(NothingToImport):
        read_text(text)


@pytest.mark.parametrize(
    "line",
    [
        *("Chapter 1", "CHAPTER XIV", "Chapter Twenty-One. The Storm", "Part Two", "Prologue", "EPILOGUE: Home"),
        *("第一章", "第十二回 刘姥姥进大观园", "第 3 节　风", "楔子", "序章：雨", "尾声", "プロローグ", "제1장 시작"),
        *("Kapitel 3", "Chapitre II", "Capítulo 4: El mar", "Глава 7", "THE END OF THE WORLD", "DIE BRÜCKE"),
    ],
)
def test_lines_that_announce_a_chapter(line: str) -> None:
    assert is_heading(line, "", "")


@pytest.mark.parametrize(
    ("line", "before", "after"),
    [
        ("Chapter 3 was the best of all those that he had ever read.", "", ""),
        ("chapter one in his life had ended, and he knew it well.", "", ""),
        ("Part of it was lost.", "", ""),
        ("THE SIGN SAID STOP", "He looked up.", ""),
        ("STOP!", "", ""),
        ("NO", "", ""),
        ("* * *", "", ""),
        ("第一章写完了。", "", ""),
        ("第二天早上他走了", "", ""),
        ("1984", "", ""),
        ("Introduction to the subject of tea and its many uses", "", ""),
        ("序言性质的文字", "", ""),
    ],
)
def test_lines_that_announce_none(line: str, before: str, after: str) -> None:
    assert not is_heading(line, before, after)


def test_chapters_of_a_plain_text_with_its_table_of_contents_and_parts() -> None:
    contents = "Contents\n\n" + "\n".join(f"Chapter {number}" for number in (1, 2, 3)) + "\n\n"
    body = "PART ONE\n\nChapter 1\n\nIt began.\n\nChapter 2\nThen.\n\n* * *\n\nAnd on.\n\nChapter 3\n\nIt ended.\n"
    draft = read_text(contents + body, title="Tale")
    assert titles(draft) == ["", "PART ONE – Chapter 1", "Chapter 2", "Chapter 3"]
    assert draft.skipped == (Skipped("contents", 3),)
    made = SplitDraft.of(draft, Splitting("en")).chapters()
    assert [[one.text for one in chapter.segments] for chapter in made[2:]] == [
        ["Then.", "And on."],
        ["It ended."],
    ]
    assert [one.pause_reason for one in made[2].segments] == [PauseReason.SCENE, PauseReason.CHAPTER]


def test_lines_of_a_narrow_page_are_one_paragraph() -> None:
    page = (
        "The old man had gone eighty-four days now without taking a fish, and\n"
        "in the first forty days a boy had been with him, but after forty days\n"
        "without a fish the boy's parents had told him that the old man was now\n"
        "finally unlucky.\n\nThe next paragraph is short.\n"
    )
    draft = read_text(f"CHAPTER I.\n\n{page}\nCHAPTER II.\n\n{page}")
    assert titles(draft) == ["CHAPTER I.", "CHAPTER II."]
    assert [line for line in draft.chapters[0].text.split("\n") if line][1:] == ["The next paragraph is short."]


def test_what_publishers_of_free_books_put_around_a_book_is_left_out() -> None:
    book = "*** START OF THE PROJECT GUTENBERG EBOOK TALE ***\nIt is.\n*** END OF THE PROJECT GUTENBERG EBOOK TALE ***"
    assert read_text(f"Legal words.\n{book}\nMore of them.").chapters == (DraftChapter("", "It is."),)


def test_markdown_becomes_chapters_without_what_nobody_reads() -> None:
    draft = read_markdown(
        "---\ntitle: 'Tea'\nauthor: Ann\nlanguage: en\n---\n"
        "# One\n\nIt is **good**, see [here](https://example.org/tea) or https://example.org.\n\n"
        "```python\n# Not a chapter\nprint('no')\n```\n\n"
        "- first\n- second\n\n### Deeper\n\n![A pot](pot.png)\n\n"
        "| a | b |\n|---|---|\n| 1 | 2 |\n\nTwo\n---\n\nThe end.\n\n[pot]: https://example.org/pot\n"
    )
    assert (draft.title, draft.author, draft.language) == ("Tea", "Ann", "en")
    assert titles(draft) == ["One", "Two"]
    assert draft.skipped == (Skipped("address", 1), Skipped("code", 1), Skipped("image", 1), Skipped("table", 1))
    made = SplitDraft.of(draft, Splitting("en", SplitPreset.SENTENCES)).chapters()
    spoken = " / ".join(segment.text for segment in made[0].segments)
    assert "It is good, see here or" in spoken
    assert "first" in spoken
    assert "Deeper" in spoken
    assert not any(word in spoken for word in ("print", "pot", "http", "|", "**"))


def test_the_only_first_heading_names_the_book() -> None:
    draft = read_markdown("# The Book\n\n## First\n\nA.\n\n## Second\n\nB.\n")
    assert (draft.title, titles(draft)) == ("The Book", ["First", "Second"])


def test_the_file_names_the_book_where_nothing_else_does() -> None:
    draft = read_file("C:\\Books\\An old tale.txt", "Es war einmal.".encode("utf-16"))
    assert (draft.title, draft.encoding) == ("An old tale", "utf-16")


def test_the_preview_shows_what_is_worth_a_look() -> None:
    half = "这是一句中文。" * 30
    draft = Draft(
        (DraftChapter("One", f"Hello there, this is English text. {half}"), DraftChapter("Two", "a \ufffd b"))
    )
    first, second = SplitDraft.of(draft, Splitting("auto")).previews()
    assert first.first_line.startswith("Hello there")
    assert (first.languages[0], first.segments > 1, first.expected_s > 20) == ("zh", True, True)
    assert second.warnings == ("unknown_characters",)


@pytest.mark.parametrize("piece", ["](((", "![![", "-|-\n", "x\n==\n"])
def test_reading_takes_time_in_proportion_to_the_text(piece: str) -> None:
    """Whatever is repeated: a text of a few hundred pages is read in a moment."""
    text = f"{piece * (200_000 // len(piece))} and a word."
    started = time.process_time()
    read_text(text)
    read_markdown(text)
    assert time.process_time() - started < 5


def test_the_same_text_gives_the_same_ids() -> None:
    draft = read_text("Chapter 1\n\nOne. Two.\n\nChapter 2\n\nThree.")

    def ids() -> Sequence[tuple[str, Sequence[str]]]:
        made = SplitDraft.of(draft, Splitting("en")).chapters()
        return [(chapter.id, [one.id for one in chapter.segments]) for chapter in made]

    assert ids() == ids() == [("c001", ["s00001"]), ("c002", ["s00002"])]


def test_what_was_chosen_in_the_preview_counts() -> None:
    split = SplitDraft.of(read_text("Chapter 1\n\nOne.\n\nChapter 2\n\nTwo."), Splitting("en"))
    made = split.chapters(included=[False, True], titles=["I", "II"])
    assert [(chapter.title, chapter.is_included) for chapter in made] == [("I", False), ("II", True)]


def test_pauses_in_the_text_and_lines_too_long_for_a_segment() -> None:
    draft = read_text(f"One. [pause 2s] Two.\n{'x' * (MAX_SEGMENT_CHARS + 1)}")
    segments = SplitDraft.of(draft, Splitting("en", SplitPreset.PARAGRAPH)).chapters()[0].segments
    assert [(one.text, one.pause_reason, one.pause_s) for one in segments[:2]] == [
        ("One.", PauseReason.OWN, 2.0),
        ("Two.", PauseReason.PARAGRAPH, None),
    ]
    assert max(len(one.text) for one in segments) <= MAX_SEGMENT_CHARS
