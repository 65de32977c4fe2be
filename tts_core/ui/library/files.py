"""The files chosen to be imported: what they are together, and recordings with texts under their own names."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from enum import Enum
from html import escape
from pathlib import Path
from tempfile import TemporaryDirectory

import gradio as gr

from tts_core.platform.whole_files import copy_private, make_private
from tts_core.ui.words import Words
from tts_core.voices.exchange.pairs import MAX_TRANSCRIPT_BYTES, TEXT_SUFFIX as TEXT, name_of
from tts_core.voices.folders import SOUND_SUFFIXES

ARCHIVE, PROMPT = ".zip", ".pt"
SUFFIXES = (ARCHIVE, PROMPT, TEXT, *SOUND_SUFFIXES)


class Chosen(Enum):
    NOTHING = "nothing"
    ARCHIVE = "archive"
    """An exported voice, which says everything itself."""
    PROMPT = "prompt"
    """A prompt of the official demo."""
    PAIRS = "pairs"
    """Recordings with texts of the same names, complete or not."""
    MIXED = "mixed"


def chosen(files: Sequence[str]) -> Chosen:
    suffixes = [_suffix(file) for file in files]
    if not suffixes:
        return Chosen.NOTHING
    if all(suffix in (TEXT, *SOUND_SUFFIXES) for suffix in suffixes):
        return Chosen.PAIRS
    alone = {ARCHIVE: Chosen.ARCHIVE, PROMPT: Chosen.PROMPT}
    return alone.get(suffixes[0], Chosen.MIXED) if len(suffixes) == 1 else Chosen.MIXED


def check(files: Sequence[str], words: Words) -> Chosen:
    """The kind of the files. Raises gr.Error with the reason why they can't be imported together, and what is
    missing."""
    kind = chosen(files)
    if kind is Chosen.MIXED:
        raise _refusal(words("additions.mixed"))
    if kind is Chosen.PAIRS:
        _check_pairs(files, words)
    return kind


def _check_pairs(files: Sequence[str], words: Words) -> None:
    texts = [file for file in files if _suffix(file) == TEXT]
    recordings = [file for file in files if _suffix(file) != TEXT]
    for group in (recordings, texts):
        # On some systems, names that differ only in case are the same.
        names = Counter(name_of(Path(file)).casefold() for file in group)
        if twice := [Path(file).name for file in group if names[name_of(Path(file)).casefold()] > 1]:
            raise _refusal(words("additions.twice", {"files": ", ".join(twice)}))
    if alone := _without(recordings, texts):
        raise _refusal(words("additions.no_text", {"files": ", ".join(alone)}))
    if alone := _without(texts, recordings):
        raise _refusal(words("additions.no_recording", {"files": ", ".join(alone)}))
    if long := [Path(file).name for file in texts if Path(file).stat().st_size > MAX_TRANSCRIPT_BYTES]:
        raise _refusal(words("additions.text_too_long", {"files": ", ".join(long)}))


@contextmanager
def beside_each_other(files: Sequence[str], cache: Path) -> Iterator[Path]:
    """Put checked pairs into a folder of their own below `cache`, each under the name that it came with.

    The page keeps every file in another folder. Raises OSError.
    """
    make_private(cache)
    with TemporaryDirectory(prefix="pairs-", dir=cache, ignore_cleanup_errors=True) as name:
        folder = Path(name)
        for file in map(Path, files):
            _place(file, folder / (file.stem + file.suffix.lower()))
        yield folder


def _place(source: Path, target: Path) -> None:
    """Give a file a second name where the disk can do so; else copy it."""
    try:
        target.hardlink_to(source)
    except OSError:
        copy_private(source, target)


def _suffix(file: str) -> str:
    return Path(file).suffix.lower()


def _without(files: Sequence[str], others: Sequence[str]) -> list[str]:
    """The names of the files that have no counterpart."""
    names = {name_of(Path(other)).casefold() for other in others}
    return [Path(file).name for file in files if name_of(Path(file)).casefold() not in names]


def _refusal(text: str) -> gr.Error:
    return gr.Error(escape(text), print_exception=False)
