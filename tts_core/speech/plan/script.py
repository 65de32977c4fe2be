"""The language of a paragraph by its letters, and lines that a narrow page has wrapped."""

from __future__ import annotations

import re
from itertools import pairwise

from tts_core.domain.languages import short_code
from tts_core.domain.text import detect_language
from tts_core.domain.values import AUTO_LANGUAGE, Language

_SHARED = (
    # languages of one script: which of them it is can't always be seen from the letters
    frozenset({"zh", "yue", "ja"}),
    frozenset({"ru", "uk", "be", "bg", "sr", "mk", "kk", "ky", "tt"}),
    frozenset({"ar", "fa", "ur", "ps", "sd"}),
    frozenset({"hi", "mr", "ne", "sa"}),
    frozenset({"bn", "as"}),
)
_UNSHARED = ("ko", "el", "he", "pa", "gu", "or", "ta", "te", "kn", "ml", "si", "th", "my", "am", "ka", "hy", "chr")
_OTHER_SCRIPTS = frozenset((*_UNSHARED, *(code for group in _SHARED for code in group)))
_LEAST_WIDTH, _RAGGED = 40, 14
_LEAST_WIDE_WIDTH, _WIDE_RAGGED = 16, 2
_FULL_SHARE = 0.6
_OPEN_SHARE = 1 / 3
_BLOCKS = re.compile(r"(\n[ \t]*\n\s*)")
_ENDED = re.compile(r"[.!?。！？…：:;；\"'”’」』)\]）】》]$")
_WIDE_LETTER = re.compile(r"[\u3041-\u30ff\u3400-\u9fff，。！？、；：]")


def language_of(paragraph: str, preferred: str = AUTO_LANGUAGE) -> str:
    """The short code of the language that the letters suggest; `preferred` where they fit it as well.

    >>> language_of("東京へ行く"), language_of("北京", "Japanese"), language_of("Bonjour à tous", "fr")
    ('ja', 'ja', 'fr')
    """
    detected = plain_code(detect_language(paragraph))
    wanted = plain_code(preferred)
    if wanted in (AUTO_LANGUAGE, detected):
        return detected
    for group in _SHARED:
        if detected in group:
            return wanted if wanted in group and detected != "ja" else detected
    is_latin = detected not in _OTHER_SCRIPTS
    return wanted if is_latin and wanted not in _OTHER_SCRIPTS else detected


def plain_code(language: str) -> str:
    """The short code of a language by any name: "Chinese" and "cmn" are "zh"."""
    code = language.strip().lower().replace("_", "-")
    return short_code(Language(code, code)) if code else AUTO_LANGUAGE


def rejoined_lines(text: str) -> str:
    """`text` with one line for each paragraph, where a narrow page has parted it into lines of about one width.

    Poems, lists, and texts that have a line for each paragraph stay as they are.
    """
    blocks = _BLOCKS.split(text)
    return "".join(_rejoined(block) if number % 2 == 0 else block for number, block in enumerate(blocks))


def _rejoined(block: str) -> str:
    lines = block.split("\n")
    if len(lines) < 2:
        return block
    is_wrapped = _is_wrapped(lines)
    joined = lines[0]
    for before, line in pairwise(lines):
        if is_wrapped or _goes_on(before, line):
            is_wide = _WIDE_LETTER.match(before[-1:]) and _WIDE_LETTER.match(line[:1])
            joined += line if is_wide else f" {line}"
        else:
            joined += f"\n{line}"
    return joined


def _is_wrapped(lines: list[str]) -> bool:
    """Whether most lines are nearly as long as the longest, and many of them end amid a sentence."""
    full, width = lines[:-1], max(map(len, lines))
    is_wide = sum(map(len, map(_WIDE_LETTER.findall, lines))) > sum(map(len, lines)) / 2
    least, ragged = (_LEAST_WIDE_WIDTH, _WIDE_RAGGED) if is_wide else (_LEAST_WIDTH, _RAGGED)
    if len(lines) < 3 or width < least:
        return False
    near = sum(len(line) >= width - ragged for line in full)
    amid = sum(not _ENDED.search(line) for line in full)
    return near > _FULL_SHARE * len(full) and amid > _OPEN_SHARE * len(full)


def _goes_on(before: str, line: str) -> bool:
    """Whether a line goes on amid a sentence: it begins with a small letter, and the one before has no end."""
    return len(before) >= _LEAST_WIDTH and line[:1].islower() and not _ENDED.search(before)
