"""The comparison of a transcript with the text that a take should say: what is wrong, and what only looks so.

Counting errors alone would hide what matters: a lost end, and many wrong words in a row.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

from tts_core.studio.making.sounds import LETTER_LANGUAGES, Pronounce, SoundRules, silent
from tts_core.studio.model import Difference, TakeFlag

_RUN_WORDS, _RUN_LETTERS = 4, 6
"""Units in a row that are wrong."""
_LAST_UNITS, _MOST_ADDED = 2, 3
_REPEATED_WIDE, _REPEATED = 4, 6
"""The letters of a repetition that is one, and not the way somebody speaks; the first where a letter is a syllable."""
_UNITS_PER_ERROR = 10
_MOST_UNITS = 2_000
"""Units of a transcript that are looked at: a model that loses its way fills pages."""


class PlainTexts(Protocol):
    """Two texts without what is not spoken, written alike."""

    @property
    def wanted(self) -> str: ...

    @property
    def transcribed(self) -> str: ...


Simplify = Callable[[str, str, str], PlainTexts]
"""A function from the text, the transcript and their language's short code to both without marks and in one script."""


@dataclass(frozen=True, slots=True)
class Expected:
    """The words that a take should say, and what is no mistake in them."""

    spoken: str
    """The text as the engine got it, readings in place of terms."""
    language: str
    """The short code of its language."""
    readings: tuple[tuple[str, str], ...] = ()
    """Terms of the lexicon with their readings: a transcript may have either."""
    names: tuple[str, ...] = ()
    """Words that Whisper may spell in any way."""
    tolerated: tuple[Difference, ...] = ()
    """Differences that a person found right."""


@dataclass(frozen=True, slots=True)
class Findings:
    """The result of a comparison."""

    flags: tuple[TakeFlag, ...]
    errors: int
    units: int
    differences: tuple[Difference, ...]


@dataclass(frozen=True, slots=True)
class _Gap:
    """Units of both texts between those that agree."""

    expected: tuple[str, ...]
    actual: tuple[str, ...]
    is_last: bool
    before: tuple[str, ...]
    """The units spoken before it."""
    after: tuple[str, ...]

    @property
    def size(self) -> int:
        return max(len(self.expected), len(self.actual))


def compared(expected: Expected, transcript: str, simplify: Simplify, pronounce: Pronounce = silent) -> Findings:
    """Compare what a take should say with its transcript."""
    rules = SoundRules(expected.language, pronounce)
    texts = (_with_terms(text, expected.readings) for text in (expected.spoken, transcript))
    plain = simplify(*texts, expected.language)
    wanted, actual = rules.units(plain.wanted), rules.units(plain.transcribed)[:_MOST_UNITS]
    known = _known_units(expected, simplify, rules)
    wrong = [gap for gap in _gaps(wanted, actual, rules) if not _is_right(gap, rules, known, expected.tolerated)]
    errors = sum(gap.size for gap in wrong)
    differences = tuple(Difference(rules.joined(gap.expected), rules.joined(gap.actual)) for gap in wrong)
    return Findings(tuple(_flags(wrong, errors, len(wanted), rules)), errors, len(wanted), differences)


def _flags(wrong: Sequence[_Gap], errors: int, units: int, rules: SoundRules) -> Iterator[TakeFlag]:
    run, repeated = (_RUN_LETTERS, _REPEATED_WIDE) if rules.by_letter else (_RUN_WORDS, _REPEATED)
    if errors > -(-max(1, units) // _UNITS_PER_ERROR) or errors >= max(1, units):
        yield TakeFlag.WRONG_WORDS
    if any(gap.size >= run or _is_repetition(gap, repeated) for gap in wrong):
        yield TakeFlag.WRONG_RUN
    last = next((gap for gap in wrong if gap.is_last), None)
    if last is not None and len(last.expected) - len(last.actual) >= min(_LAST_UNITS, units):
        yield TakeFlag.END_MISSING
    if last is not None and len(last.actual) - len(last.expected) > _MOST_ADDED:
        yield TakeFlag.END_ADDED


def _is_repetition(gap: _Gap, least: int) -> bool:
    """Whether units of `least` letters were added that stand right beside them once more."""
    size = len(gap.actual)
    if gap.expected or len("".join(gap.actual)) < least:
        return False
    return gap.actual in (gap.before[-size:], gap.after[:size])


def _is_right(gap: _Gap, rules: SoundRules, known: Sequence[tuple[str, ...]], tolerated: Sequence[Difference]) -> bool:
    if Difference(rules.joined(gap.expected), rules.joined(gap.actual)) in tolerated:
        return True
    if rules.are_alike(gap.expected, gap.actual):
        return True
    return bool(gap.actual) and any(
        _is_inside(gap.expected, name) and len(gap.actual) <= 2 * len(name) + 1 for name in known
    )


def _is_inside(part: tuple[str, ...], whole: tuple[str, ...]) -> bool:
    return bool(part) and any(whole[at : at + len(part)] == part for at in range(len(whole) - len(part) + 1))


def _known_units(expected: Expected, simplify: Simplify, rules: SoundRules) -> list[tuple[str, ...]]:
    """The units of names and terms, of which any spelling is right."""
    words = {*expected.names, *(term for term, _reading in expected.readings)}
    return [rules.units(simplify(word, "", expected.language).wanted) for word in sorted(words) if word.strip()]


def _with_terms(text: str, readings: Sequence[tuple[str, str]]) -> str:
    """`text` with terms in place of their readings, so that both spellings become one."""
    folded = text.casefold()
    if len(folded) != len(text):
        return text
    for term, reading in sorted(readings, key=lambda one: -len(one[1])):
        wanted = reading.casefold()
        at = folded.find(wanted) if wanted else -1
        while at >= 0:
            end = at + len(wanted)
            if not (_goes_on(folded, at - 1, at) or _goes_on(folded, end - 1, end)):
                text, folded = text[:at] + term + text[end:], folded[:at] + "\0" * len(term) + folded[end:]
                end = at + len(term)
            at = folded.find(wanted, end)
    return text


def _goes_on(text: str, before: int, after: int) -> bool:
    """Whether a word of a script that parts words goes on between these two places."""
    if before < 0 or after >= len(text):
        return False
    return all(text[at].isalpha() and ord(text[at]) < 0x2E80 for at in (before, after))


def _gaps(wanted: tuple[str, ...], actual: tuple[str, ...], rules: SoundRules) -> Iterator[_Gap]:
    """The places where two texts don't sound alike, by the alignment with the fewest wrong units."""
    pairs = list(_matches(wanted, actual, rules))
    at, there = 0, 0
    for one, other in [*pairs, (len(wanted), len(actual))]:
        if one > at or other > there:
            yield _Gap(
                wanted[at:one],
                actual[there:other],
                is_last=one == len(wanted),
                before=actual[:there],
                after=actual[other:],
            )
        at, there = one + 1, other + 1


def _matches(wanted: Sequence[str], actual: Sequence[str], rules: SoundRules) -> Iterator[tuple[int, int]]:
    """The pairs of places that sound alike on the cheapest way from one text to the other (Levenshtein).

    Among ways that cost the same it takes the one whose gaps come last, so that a lost end is one.
    """
    common = set(wanted) & set(actual)
    names = {unit: rules.keys(unit) for unit in {*wanted, *actual}} if len(common) < len({*wanted, *actual}) else {}
    costs = _costs(wanted[::-1], actual[::-1], names)  # of what is left from a place on
    one, other = len(wanted), len(actual)  # units that are left
    while one and other:
        here, unit, other_unit = costs[one][other], wanted[-one], actual[-other]
        if here == costs[one - 1][other - 1] + (not (is_same := _alike(unit, other_unit, names))):
            if is_same:
                yield len(wanted) - one, len(actual) - other
            one, other = one - 1, other - 1
        elif here == costs[one - 1][other] + 1:
            one -= 1
        else:
            other -= 1


def _costs(wanted: Sequence[str], actual: Sequence[str], names: dict[str, frozenset[str]]) -> list[list[int]]:
    costs = [list(range(len(actual) + 1))]
    for number, unit in enumerate(wanted, start=1):
        above, row = costs[-1], [number]
        for place, other in enumerate(actual, start=1):
            change = above[place - 1] + (not _alike(unit, other, names))
            row.append(min(change, above[place] + 1, row[-1] + 1))
        costs.append(row)
    return costs


def _alike(one: str, other: str, names: dict[str, frozenset[str]]) -> bool:
    return one == other or (bool(names) and not names[one].isdisjoint(names[other]))


def is_tiny(units: int, language: str) -> bool:
    """Whether a text is so short that models run away on it."""
    return units < (4 if language in LETTER_LANGUAGES else 3)
