"""Tags that a text may carry: pauses and one-off readings. Pure functions.

    [pause 0.5s]  [pause 500ms]  [pause:1.5]  [pause]  [停顿 0.5秒]     silence of exactly that length
    [[term|reading]]                                                 the term is written, the reading is spoken

A backslash before a tag makes it text again. A text with its tags in it is called tagged here.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import Enum

from tts_core.domain.letters import spoken_forms
from tts_core.domain.text import clean
from tts_core.domain.values import ReadAs
from tts_core.speech.reading import text_to_say

DEFAULT_PAUSE_S = 0.5
MAX_PAUSE_S = 10.0
SCENE_MARK = "***"
_TAG = re.compile(
    r"\\?(?:\[\[(?P<term>[^\[\]|\n]{1,200})\|(?P<reading>[^\[\]|\n]{0,200})\]\]"
    r"|\[(?:pause|停顿)(?P<length>(?:[ \t:：]{0,4}[\d.,+-][^\[\]\n]{0,20})?)[ \t]{0,4}\](?!\())",
    re.IGNORECASE,
)
_LENGTH = re.compile(
    r"[ \t:：]*(?P<number>\d{1,6}(?:[.,]\d{1,3})?|\.\d{1,3})\s*"
    r"(?P<unit>ms|msec|milliseconds?|毫秒|s|secs?|seconds?|秒|秒钟)?\s*",
    re.IGNORECASE,
)
_MILLISECONDS = ("ms", "mse", "mil", "毫秒")
_STAND_IN = "\U000e0001"
"""A character that nobody types and every reader of texts leaves as it is; it parts stand-ins of tags from text."""
_STOOD_IN = re.compile(f"{_STAND_IN}(\\d+){_STAND_IN}")
_SCENE = re.compile(r"(\n[ \t]*\r?\n[ \t]*)((?:\*[ \t]*){3,20}|(?:-[ \t]*){3,80}|(?:_[ \t]*){3,80})(?=\r?\n|$)")
"""A line that parts scenes, below an empty one; Markdown's reader would leave it out."""
_BLANKS = re.compile(r"[ \t]{2,}")


class TagKind(str, Enum):
    PAUSE = "pause"
    READING = "reading"
    TEXT = "text"
    """A tag behind a backslash: its signs are text."""
    IGNORED = "ignored"
    """A pause whose length can't be read; it is left out and named to the person."""


@dataclass(frozen=True, slots=True)
class Tag:
    """A tag and its place in the tagged text."""

    kind: TagKind
    start: int
    end: int
    source: str
    """The tag as it is typed."""
    seconds: float = 0.0
    """The length of a pause, at most MAX_PAUSE_S."""
    written: str = ""
    """The words that stand for the tag where the text is shown."""
    spoken: str = ""
    """The words that stand for the tag where the text is spoken."""
    is_shortened: bool = False
    """Whether a longer pause was asked for than there may be."""


def find_tags(tagged: str) -> Iterator[Tag]:
    """The tags of the text in order."""
    if "[" not in tagged:
        return
    for found in _TAG.finditer(tagged):
        yield _tag(found)


def tagged_text(text: str, read_as: ReadAs) -> str:
    """`text` without the signs that are not read, as `text_to_say` leaves it, with its tags as they were typed."""
    tags: list[str] = []

    def stand_in(kept: str) -> str:
        tags.append(kept)
        return f"{_STAND_IN}{len(tags) - 1}{_STAND_IN}"

    covered = _TAG.sub(lambda found: stand_in(_clean_tag(found.group())), text.replace(_STAND_IN, ""))
    covered = _SCENE.sub(lambda found: found[1] + stand_in(SCENE_MARK), covered)
    read = text_to_say(covered, read_as)
    return _STOOD_IN.sub(lambda found: tags[int(found[1])], read) if tags else read


def written_text(tagged: str) -> str:
    """The text as people read it: without pauses, with the terms of inline readings.

    >>> written_text("The [[SQL|sequel]] server [pause 1s] is up.")
    'The SQL server is up.'
    """
    return _without_tags(tagged, lambda tag: tag.written)


def parts_between_tags(tagged: str) -> Iterator[str | Tag]:
    """The text in order, each tag apart."""
    at = 0
    for tag in find_tags(tagged):
        if tag.start > at:
            yield tagged[at : tag.start]
        yield tag
        at = tag.end
    if at < len(tagged):
        yield tagged[at:]


def without_double_blanks(text: str) -> str:
    """`text` with one blank where a tag that was left out leaves two."""
    return _BLANKS.sub(" ", text).strip()


def _without_tags(tagged: str, instead: Callable[[Tag], str]) -> str:
    if "[" not in tagged:
        return tagged
    return without_double_blanks(
        "".join(part if isinstance(part, str) else instead(part) for part in parts_between_tags(tagged))
    )


def _tag(found: re.Match[str]) -> Tag:
    source, start, end = found.group(), found.start(), found.end()
    if source.startswith("\\"):
        return Tag(TagKind.TEXT, start, end, source, written=source[1:], spoken=source[1:])
    if found["term"] is not None:
        term, reading = found["term"].strip(), found["reading"].strip()
        return Tag(TagKind.READING, start, end, source, written=term, spoken=reading or term)
    seconds = _seconds(found["length"])
    if seconds is None:
        return Tag(TagKind.IGNORED, start, end, source)
    kept = min(seconds, MAX_PAUSE_S)
    return Tag(TagKind.PAUSE, start, end, source, seconds=kept, is_shortened=kept < seconds)


def _seconds(length: str) -> float | None:
    """The seconds of a pause; None where the length can't be read."""
    if not length.strip():
        return DEFAULT_PAUSE_S
    found = _LENGTH.fullmatch(length)
    if found is None:
        return None
    number = float(found["number"].replace(",", "."))
    is_milliseconds = (found["unit"] or "").lower().startswith(_MILLISECONDS)
    return number / 1000 if is_milliseconds else number


def _clean_tag(source: str) -> str:
    """The tag in plain letters and digits, so that its words are spoken as the rest of the text."""
    return clean(spoken_forms(source))
