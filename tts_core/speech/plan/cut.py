"""Cuts a sentence that is too long to be spoken at once where it hurts least."""

from __future__ import annotations

import re
import unicodedata
from bisect import bisect_right
from collections.abc import Callable, Iterator

from tts_core.speech.plan.markup import find_tags

_CONJUNCTIONS = (
    "and but or because which that while when where although though so if until unless"
    " und aber oder weil dass wenn während et mais ou parce qui que quand y pero porque cuando e ma perché mas"
    " и но или что который потому когда а"
)
_WIDE_CONJUNCTIONS = "但是|因为|所以|而且|然后|并且|或者|如果|虽然|可是|不过|그리고|하지만|しかし|そして|また"
_PLACES = (
    # best first: behind the match, or before it where it is empty
    re.compile(r"[；;：](?:[\"'”’」』)\]）】]*)\s*|(?<!\d):(?![\d/])\s*|[—–]+\s*|\.{3,}\s*|…+\s*"),
    re.compile(r"[，、،](?:[”’」』)）】]*)\s*|,(?!\d)\s*"),
    re.compile(rf"(?<=\s)(?=(?:{'|'.join(_CONJUNCTIONS.split())})\s)|(?<=.)(?={_WIDE_CONJUNCTIONS})", re.IGNORECASE),
    re.compile(r"\s+"),
)
_WHOLE = re.compile(
    r"(?:https?://|www\.)[^\s\u3000-\u9fff]+|[\w.+-]{1,64}@[\w-]+(?:\.[\w-]+)+"
    r"|\d(?:[\d.,:/% ]*\d)?|[^\W\d_]{0,20}\d[\w.]*"
    r"|[(（\[【][^()（）\[\]【】\n]{1,120}[)）\]】]"
)
_JOINED_TO_BEFORE = frozenset("\u200d\ufe0e\ufe0f\u20e3")
_MIDDLE = (0.25, 0.75)
"""The part of a sentence in which a better place to cut beats a place nearer to the middle."""


def shortened(sentence: str, is_too_long: Callable[[str], bool]) -> list[int]:
    """The places at which `sentence` is cut, so that no part is too long.

    Numbers, addresses, brackets and tags stay whole where they can, tags and letters with their marks always.
    """
    tags = [(tag.start, tag.end) for tag in find_tags(sentence)]
    whole = _merged([*tags, *((found.start(), found.end()) for found in _WHOLE.finditer(sentence))])
    return list(_cuts(sentence, 0, len(sentence), is_too_long, (whole, _merged(tags))))


Spans = list[tuple[int, int]]


def _cuts(
    sentence: str, start: int, end: int, is_too_long: Callable[[str], bool], kept: tuple[Spans, Spans]
) -> Iterator[int]:
    if not is_too_long(sentence[start:end]):
        return
    place = _best_place(sentence, start, end, kept)
    if place is None:
        return
    yield from _cuts(sentence, start, place, is_too_long, kept)
    yield place
    yield from _cuts(sentence, place, end, is_too_long, kept)


def _best_place(sentence: str, start: int, end: int, kept: tuple[Spans, Spans]) -> int | None:
    low, high = (start + share * (end - start) for share in _MIDDLE)
    for spans in kept:
        for pattern in _PLACES:
            places = [
                place
                for found in pattern.finditer(sentence, start, end)
                if low <= (place := found.end()) <= high and _may_part(sentence, place, spans)
            ]
            if places:
                return min(places, key=lambda place: abs(2 * place - start - end))
        for place in _from_the_middle(start + 1, end):
            if _may_part(sentence, place, spans):
                return place
    return None


def _from_the_middle(start: int, end: int) -> Iterator[int]:
    middle = (start + end) // 2
    for distance in range(end - start):
        if middle - distance >= start:
            yield middle - distance
        if distance and middle + distance < end:
            yield middle + distance


def _may_part(sentence: str, place: int, spans: Spans) -> bool:
    at = bisect_right(spans, place, key=lambda span: span[0]) - 1
    if at >= 0 and spans[at][0] < place < spans[at][1]:
        return False
    after, before = sentence[place], sentence[place - 1]
    return not (
        unicodedata.category(after)[0] == "M"
        or after in _JOINED_TO_BEFORE
        or before == "\u200d"
        or "\U0001f3fb" <= after <= "\U0001f3ff"
        or ("\U0001f1e6" <= after <= "\U0001f1ff" and "\U0001f1e6" <= before <= "\U0001f1ff")
    )


def _merged(spans: Spans) -> Spans:
    """The spans in order, those that overlap as one."""
    merged: Spans = []
    for start, end in sorted(spans):
        if merged and start < merged[-1][1]:
            merged[-1] = (merged[-1][0], max(merged[-1][1], end))
        else:
            merged.append((start, end))
    return merged
