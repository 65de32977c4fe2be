"""Chapters in a plain text, by the lines that announce them: "第三章", "Chapter 7", "PROLOGUE", a line in capitals."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from tts_core.domain.text import speakable
from tts_core.speech.plan.script import rejoined_lines
from tts_core.studio.readers.draft import DraftChapter, Skipped

_MAX_HEADING_CHARS = 80
_NUMBER = r"(?:\d{1,4}|[ivxlcdm]{1,8}|one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|(?:thir|four|fif|six|seven|eigh|nine)teen|twenty(?:[- ]\w+)?|thirty(?:[- ]\w+)?)"  # noqa: E501 - words of one list
_WIDE_NUMBER = r"[0-9０-９零〇○一二三四五六七八九十百千两廿卅]{1,9}"
_ANNOUNCED = re.compile(
    rf"(?:chapter|part|book|volume|section|canto|act|letter|kapitel|teil|buch|chapitre|partie|capítulo|parte|capitolo"
    rf"|hoofdstuk|rozdział|глава|часть)\s+{_NUMBER}\b(?P<rest>.*)"
    r"|(?:prologue|epilogue|preface|foreword|introduction|afterword|conclusion|interlude|appendix|prolog|epilog|vorwort"
    r"|nachwort|einleitung|prologue|épilogue|avant-propos|prólogo|epílogo|prologo|epilogo|пролог|эпилог)"
    r"(?:\s*[.:—–-].*)?",
    re.IGNORECASE,
)
_ANNOUNCED_WIDE = re.compile(
    rf"第\s*{_WIDE_NUMBER}\s*[章节節回卷部篇集幕話话](?P<rest>[^。！？；]{{0,40}})"
    r"|(?:序章|序言|序|楔子|引子|引言|前言|尾声|尾聲|终章|終章|后记|後記|番外|プロローグ|エピローグ|あとがき|프롤로그|에필로그)"
    r"(?:[\s:：].{0,40})?"
    r"|제\s*\d{1,4}\s*[장부화](?:[\s:：].{0,40})?"
)
_SCENE = re.compile(r"[*⁂•◇◆※#=_~—–-][*⁂•◇◆※#=_~—–\s-]*")
_ENDED = re.compile(r"[.!?,;。！？，；…]$")
_CONTENTS = 3
"""So many headings in a row, without text between them, are a table of contents."""


@dataclass(frozen=True, slots=True)
class _Part:
    title: str
    lines: tuple[str, ...]

    @property
    def is_empty(self) -> bool:
        return not any(speakable(line) for line in self.lines)


def chapters_in(text: str) -> tuple[tuple[DraftChapter, ...], tuple[Skipped, ...]]:
    """The chapters of a plain text with lines rejoined that a narrow page has parted, and what was left out of it."""
    parts, skipped = _without_contents(list(_parts(text.split("\n"))))
    chapters = tuple(DraftChapter(part.title, rejoined_lines("\n".join(part.lines)).strip("\n")) for part in parts)
    return chapters, ((Skipped("contents", skipped),) if skipped else ())


def is_heading(line: str, before: str, after: str) -> bool:
    """Whether the line announces a chapter; `before` and `after` are the lines around it."""
    line = line.strip()
    if not line or len(line) > _MAX_HEADING_CHARS or _SCENE.fullmatch(line):
        return False
    if found := (_ANNOUNCED.fullmatch(line) or _ANNOUNCED_WIDE.fullmatch(line)):
        rest = (found.groupdict().get("rest") or "").strip()
        return not _goes_on(rest) and (not before.strip() or not after.strip() or not rest)
    return _is_in_capitals(line) and not before.strip() and not after.strip()


def _goes_on(rest: str) -> bool:
    """Whether what follows a chapter's number is a sentence about it, as in "Chapter 3 was the best one.\""""
    return bool(rest) and (rest[0].islower() or bool(_ENDED.search(rest) and len(rest.split()) > 8))


def _is_in_capitals(line: str) -> bool:
    letters = [char for char in line if char.isalpha()]
    cased = [char for char in letters if char.lower() != char.upper()]
    return len(cased) >= 4 and len(cased) == len(letters) and line == line.upper() and not _ENDED.search(line)


def _parts(lines: Sequence[str]) -> Iterator[_Part]:
    title, kept = "", list[str]()
    for place, line in enumerate(lines):
        before = lines[place - 1] if place else ""
        after = lines[place + 1] if place + 1 < len(lines) else ""
        if is_heading(line, before, after):
            yield _Part(title, tuple(kept))
            title, kept = " ".join(line.split()), []
        else:
            kept.append(line)
    yield _Part(title, tuple(kept))


def _without_contents(parts: list[_Part]) -> tuple[list[_Part], int]:
    """The parts with text, and the lines of a table of contents. A heading right before another one, as of a book's
    part before its first chapter, becomes the begin of its title."""
    kept: list[_Part] = []
    skipped, waiting = 0, list[str]()
    for place, part in enumerate(parts):
        if part.is_empty:
            waiting += [part.title] if part.title else []
            continue
        before = _without_listed(waiting, {one.title for one in parts[place:]})
        skipped += len(waiting) - len(before)
        kept.append(_Part(" – ".join([*before, *([part.title] if part.title else [])]), part.lines))
        waiting = []
    return kept, skipped


def _without_listed(headings: list[str], later: set[str]) -> list[str]:
    """The headings in a row that are not lines of a table of contents, which come again later."""
    before = [heading for heading in headings if heading not in later]
    return before if len(before) < _CONTENTS else []
