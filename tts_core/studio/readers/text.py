"""Pasted texts and files of plain text or Markdown, in whatever encoding, as drafts."""

from __future__ import annotations

import codecs
import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import PurePosixPath
from types import MappingProxyType

from tts_core.domain.text import speakable
from tts_core.studio.faults import FileNotRead, NothingToImport, TextUnreadable
from tts_core.studio.readers.draft import Draft
from tts_core.studio.readers.headings import chapters_in
from tts_core.studio.readers.markdown import read_markdown_book

Reader = Callable[[str], Draft]
_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_TRIED = ("gb18030", "big5", "shift_jis", "euc_kr", "cp1252")
"""The encodings that are tried in order where nothing better guesses; the last one reads almost anything."""
_SAMPLE_BYTES = 1 << 16
_MOST_STRANGE = 0.01
"""The share of control characters beyond which a file is no text."""
_LINE_END = re.compile(r"\r\n?|[\u2028\u2029\x85\v]")
_GUTENBERG = re.compile(r"^\*\*\* ?(START|END) OF (?:THE|THIS) PROJECT GUTENBERG.*$", re.MULTILINE | re.IGNORECASE)


def read_text(text: str, *, title: str = "") -> Draft:
    """The draft of a plain text. Raises NothingToImport."""
    chapters, skipped = chapters_in(_in_lines(text))
    return _checked(Draft(chapters, title=title, skipped=skipped), "the text")


def read_markdown(text: str, *, title: str = "") -> Draft:
    """The draft of a text in Markdown. Raises NothingToImport."""
    draft = read_markdown_book(_in_lines(text))
    return _checked(draft if draft.title else replace(draft, title=title), "the text")


READERS: Mapping[str, Reader] = MappingProxyType(
    {".txt": read_text, ".text": read_text, ".md": read_markdown, ".markdown": read_markdown}
)


def read_file(name: str, content: bytes) -> Draft:
    """The draft of a file, by the end of its name. Raises FileNotRead, TextUnreadable, NothingToImport."""
    path = PurePosixPath(name.replace("\\", "/"))
    reader = READERS.get(path.suffix.lower())
    if reader is None:
        raise FileNotRead(file=path.suffix or path.name, known=", ".join(READERS))
    text, encoding = decoded(content, path.name)
    draft = reader(text)
    return replace(draft, title=draft.title or path.stem, encoding=encoding)


def decoded(content: bytes, name: str) -> tuple[str, str]:
    """The text in a file's bytes, and the name of its encoding. Raises TextUnreadable for what is no text."""
    for mark, encoding in _MARKS:
        if content.startswith(mark):
            return _checked_text(content.decode(encoding, "replace"), name), encoding.removesuffix("-sig")
    try:
        return _checked_text(content.decode("utf-8"), name), "utf-8"
    except UnicodeDecodeError as error:
        if b"\0" in content:
            raise TextUnreadable(file=name, reason="it is no text") from error
    encoding = _guessed(content) or "cp1252"
    return _checked_text(content.decode(encoding, "replace"), name), encoding


def _guessed(content: bytes) -> str:
    """The encoding that fits best; charset-normalizer knows more than a try of each, and comes with requests."""
    try:
        from charset_normalizer import from_bytes  # noqa: PLC0415 - not everywhere installed
    except ImportError:
        found = None
    else:
        found = from_bytes(content[:_SAMPLE_BYTES]).best()
    guesses = (*([found.encoding] if found is not None else []), *_TRIED)
    for encoding in guesses:
        try:
            content.decode(encoding)
        except (UnicodeDecodeError, LookupError):
            continue
        return encoding
    return ""


def _checked_text(text: str, name: str) -> str:
    """Raises TextUnreadable for what is not made of letters and lines."""
    strange = sum(text.count(chr(code)) for code in range(32) if chr(code) not in "\t\n\r\f\v\x1a\x1b")
    if strange > max(8, _MOST_STRANGE * len(text)):
        raise TextUnreadable(file=name, reason="it is no text")
    return text


def _in_lines(text: str) -> str:
    """The text with plain ends of lines, without what publishers of free books put around them."""
    text = _LINE_END.sub("\n", text.replace("\f", "\n\n")).replace("\ufeff", "")
    found = {match[1].upper(): match for match in _GUTENBERG.finditer(text)}
    start, end = found.get("START"), found.get("END")
    if start is not None and end is not None and start.end() < end.start():
        text = text[start.end() : end.start()]
    return "\n".join(line.rstrip() for line in text.split("\n")).strip("\n")


def _checked(draft: Draft, name: str) -> Draft:
    if not any(speakable(chapter.text) for chapter in draft.chapters):
        raise NothingToImport(file=name)
    return draft
