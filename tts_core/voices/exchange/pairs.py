"""Folders of recordings with texts of the same names, as other programs keep voices."""

from __future__ import annotations

import codecs
import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from tts_core.voices.faults import TranscriptUnreadable
from tts_core.voices.folders import SOUND_SUFFIXES

MAX_TRANSCRIPT_BYTES = 20_000
TEXT_SUFFIX = ".txt"
_BYTE_ORDER_MARKS = (
    *((codecs.BOM_UTF8, "utf-8-sig"), (codecs.BOM_UTF32_LE, "utf-32"), (codecs.BOM_UTF32_BE, "utf-32")),
    *((codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16")),
)


@dataclass(frozen=True, slots=True)
class FoundPair:
    name: str
    recording: Path
    text: Path


@dataclass(frozen=True, slots=True)
class FoundPairs:
    pairs: tuple[FoundPair, ...]
    alone: tuple[str, ...]
    """The names of recordings without a text, and of texts without a recording."""


def find_pairs(folder: Path) -> FoundPairs:
    """Recordings directly in `folder` that have a text of the same name beside them, in the order of their names.

    Names are the same however a system composes their letters (macOS takes "é" apart), and whatever their case where
    no other file has it exactly.
    """
    files = [path for path in sorted(folder.iterdir()) if path.is_file() and not path.name.startswith(".")]
    texts = [path for path in files if path.suffix.lower() == TEXT_SUFFIX]
    recordings = [path for path in files if path.suffix.lower() in SOUND_SUFFIXES]
    recordings.sort(key=lambda path: SOUND_SUFFIXES.index(path.suffix.lower()))
    exact, alike = _by_name(recordings), _by_name(recordings, folded=True)
    pairs, used = [], set()
    for text in texts:
        name = name_of(text)
        recording = exact.get(name) or alike.get(name.casefold())
        if recording is not None and recording not in used:
            pairs.append(FoundPair(name, recording, text))
            used |= {recording, text}
    names = {name_of(path).casefold() for path in used}
    alone = [path.name for path in (*texts, *recordings) if path not in used and name_of(path).casefold() not in names]
    return FoundPairs(tuple(pairs), tuple(sorted(alone)))


def name_of(path: Path) -> str:
    """A file's name without its suffix, its letters composed."""
    return unicodedata.normalize("NFC", path.stem)


def read_transcript(text: Path) -> str:
    """The text in a file: UTF-8, UTF-16, or GBK as Windows writes Chinese. Raises TranscriptUnreadable."""
    try:
        size, data = text.stat().st_size, text.read_bytes()
    except OSError as error:
        raise TranscriptUnreadable(file=text.name, reason=error.strerror or "it can't be opened") from error
    if size > MAX_TRANSCRIPT_BYTES:
        raise TranscriptUnreadable(file=text.name, reason=f"it has more than {MAX_TRANSCRIPT_BYTES} bytes")
    found = decoded(data)
    if found is None:
        raise TranscriptUnreadable(file=text.name, reason="its encoding is not known here")
    return unicodedata.normalize("NFC", found).strip()


def decoded(data: bytes) -> str | None:
    """The text that the bytes stand for; None where that is not sure, for a wrong text makes a wrong voice."""
    for mark, encoding in _BYTE_ORDER_MARKS:
        if data.startswith(mark):
            return _strict(data, encoding)
    if b"\0" in data:
        return _strict(data, "utf-16-le" if data[1::2].count(0) >= data[::2].count(0) else "utf-16-be")
    found = _strict(data, "utf-8")
    return found if found is not None else _chinese(data)


def _chinese(data: bytes) -> str | None:
    """GBK text. Western texts may be read as GBK, too, but then with rare signs and few of the usual ones."""
    found = _strict(data, "gb18030")
    if found is None:
        return None
    foreign = [sign for sign in found if not sign.isascii()]
    usual = [sign for sign in foreign if _strict(sign.encode("gb18030"), "gb2312") is not None]
    return found if len(usual) >= 0.8 * len(foreign) else None


def _strict(data: bytes, encoding: str) -> str | None:
    try:
        return data.decode(encoding)
    except UnicodeDecodeError:
        return None


def _by_name(files: Iterable[Path], *, folded: bool = False) -> Mapping[str, Path]:
    """The first file of each name."""
    found: dict[str, Path] = {}
    for file in files:
        found.setdefault(name_of(file).casefold() if folded else name_of(file), file)
    return found
