"""Markdown as a book: its headings are chapters. What nobody reads aloud, as code, is left out and counted."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator

from tts_core.domain.values import ReadAs
from tts_core.speech.plan.script import rejoined_lines
from tts_core.studio.readers.draft import Draft, DraftChapter, Skipped

_FENCE = re.compile(r" {0,3}(?P<mark>`{3,}|~{3,})")
_HEADING = re.compile(r" {0,3}(?P<marks>#{1,6})[ \t]+(?P<title>.*?)(?:[ \t]+#+)?[ \t]*")
_UNDERLINE = re.compile(r" {0,3}(?P<mark>=+|-+)[ \t]*")
_TABLE_LINE = re.compile(r"\|?[ \t]*:?-{2,}:?(?:[ \t]*\|[ \t]*:?-{2,}:?)+(?:[ \t]*\|)?")
_IMAGE = re.compile(r"!\[[^\[\]\n]{0,500}\](?:\([^)\n]{0,2000}\)|\[[^\]\n]{0,200}\])")
_ADDRESS = re.compile(r"<?https?://[^\s<>()]{1,2000}>?")
_LINKED = re.compile(r"\]\(\s{0,20}<?[^()\s]{0,2000}>?(?:\s+\"[^\"\n]{0,500}\")?\s*\)")
_DEFINED = re.compile(r" {0,3}\[[^\]\n]{1,200}\]:\s*\S+.*")
_FACT = re.compile(r"(?P<name>title|author|language|lang)\s*:\s*(?P<value>.*)", re.IGNORECASE)
_SIGNS = re.compile(r"[*_`~]")
_CHAPTER_LEVEL = 2
"""The lowest level of headings that begin a chapter; deeper ones are paragraphs of their own."""


def read_markdown_book(text: str) -> Draft:
    """The draft of a text in Markdown."""
    facts, lines = _front_matter(text.split("\n"))
    skipped: Counter[str] = Counter()
    kept = list(_without_unspoken(lines, skipped))
    chapters = tuple(_chapters(kept))
    title = facts.get("title", "")
    if not title and len(chapters) > 1 and not chapters[0].text.strip() and chapters[0].title:
        title, chapters = chapters[0].title, chapters[1:]  # the only heading of the first level names the book
    return Draft(
        tuple(chapter for chapter in chapters if chapter.text.strip() or chapter.title),
        title=title,
        author=facts.get("author", ""),
        language=facts.get("language", facts.get("lang", "auto")),
        skipped=tuple(Skipped(kind, count) for kind, count in sorted(skipped.items())),
    )


def _front_matter(lines: list[str]) -> tuple[dict[str, str], list[str]]:
    """The facts between two lines of dashes at a text's begin, and the lines after them."""
    if not lines or lines[0].strip() != "---":
        return {}, lines
    for place, line in enumerate(lines[1:60], 1):
        if line.strip() in ("---", "..."):
            found = (_FACT.fullmatch(one.strip()) for one in lines[1:place])
            return {one["name"].lower(): one["value"].strip().strip("\"'") for one in found if one}, lines[place + 1 :]
    return {}, lines


def _without_unspoken(lines: list[str], skipped: Counter[str]) -> Iterator[str]:
    fence = ""
    place = 0
    while place < len(lines):
        line, place = lines[place], place + 1
        opened = _FENCE.match(line)
        if fence:
            if opened and opened["mark"].startswith(fence) and not line.strip().strip(fence[0]):
                fence = ""
        elif opened:
            fence = opened["mark"]
            skipped["code"] += 1
        elif place < len(lines) and "|" in line and _TABLE_LINE.fullmatch(lines[place].strip(" \t")):
            skipped["table"] += 1
            while place < len(lines) and "|" in lines[place]:
                place += 1
        elif not _DEFINED.fullmatch(line):
            yield _without_pictures_and_addresses(line, skipped)


def _without_pictures_and_addresses(line: str, skipped: Counter[str]) -> str:
    line, pictures = _IMAGE.subn("", line)
    line = _LINKED.sub("]()", line)
    line, addresses = _ADDRESS.subn("", line)
    skipped.update({kind: count for kind, count in (("image", pictures), ("address", addresses)) if count})
    return line


def _chapters(lines: list[str]) -> Iterator[DraftChapter]:
    title, kept = "", list[str]()
    place = 0
    while place < len(lines):
        line, place = lines[place], place + 1
        level, heading = _heading(line, lines[place] if place < len(lines) else "")
        if level and not line.lstrip().startswith("#"):
            place += 1  # the line below it
        if 0 < level <= _CHAPTER_LEVEL:
            if title or any(one.strip() for one in kept):
                yield _chapter(title, kept)
            title, kept = heading, []
        elif level:
            kept += ["", heading, ""]
        else:
            kept.append(line)
    yield _chapter(title, kept)


def _heading(line: str, below: str) -> tuple[int, str]:
    """The level and the words of a heading; 0 for any other line."""
    if found := _HEADING.fullmatch(line):
        return len(found["marks"]), _plain(found["title"])
    underline = _UNDERLINE.fullmatch(below)
    if (
        underline
        and line.strip()
        and not line.startswith(("    ", "\t"))
        and not re.match(r"\s*(?:[-*+>|]|\d+[.)])", line)
    ):
        return (1 if underline["mark"][0] == "=" else 2), _plain(line)
    return 0, ""


def _plain(title: str) -> str:
    return " ".join(_SIGNS.sub("", re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", title)).split())


def _chapter(title: str, lines: list[str]) -> DraftChapter:
    return DraftChapter(title, rejoined_lines("\n".join(lines)).strip("\n"), read_as=ReadAs.MARKDOWN)
