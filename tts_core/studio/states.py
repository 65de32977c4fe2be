"""The things that follow from the document: a segment's state, the take that counts, and the keys by which a take is
known to fit its text.

A take fits as long as its key is the one that its segment asks for now, so that a text put back as it was needs no new
take.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection
from dataclasses import asdict, dataclass, field
from functools import lru_cache

from tts_core.domain.text import speakable
from tts_core.domain.values import Decoding, Sampling
from tts_core.studio.model import SegmentState, SegmentTake, TakeOrigin, TextSegment


@dataclass(frozen=True, slots=True)
class Manner:
    """The facts besides the text that decide how a take sounds, apart from its seed. No path is among them: folders
    move."""

    voice: str
    fingerprint: str
    """The recording, model and settings of the voice as a hash."""
    language: str
    style: str = ""
    sampling: Sampling = field(default_factory=Sampling)
    decoding: Decoding = field(default_factory=Decoding)
    engine_speed: float = 1.0
    """The speed that the engine itself speaks at; 1 where it is applied when takes are joined."""


@dataclass(frozen=True, slots=True)
class Keys:
    """The keys that fit a segment now."""

    made: str
    """The key of a take by the voice."""
    recorded: str
    """The key of a person's own recording: the voice and its settings don't matter to it."""

    def fits(self, take: SegmentTake) -> bool:
        return take.key == (self.recorded if take.origin is TakeOrigin.RECORDED else self.made)


def keys_of(spoken: str, manner: Manner, sources: tuple[str, ...] = ()) -> Keys:
    """The keys of a segment. `spoken` is its text after lexicon and markup, `sources` the keys of the takes that it
    goes on from."""
    made = _hashed("\n".join((_key_of_manner(manner), *sources, spoken)))
    return Keys(made=made, recorded=_hashed(f"recorded\n{spoken}"))


@lru_cache(maxsize=256)
def _key_of_manner(manner: Manner) -> str:
    return _hashed(json.dumps(asdict(manner), sort_keys=True))


def _hashed(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:32]


def take_seed(project_seed: int, segment_id: str, number: int) -> int:
    """The seed of a take where nobody chose one: the same project gives the same takes again."""
    digest = hashlib.sha256(f"{project_seed}/{segment_id}/{number}".encode()).digest()
    return int.from_bytes(digest[:4], "big")


def is_flagged(segment: TextSegment, take: SegmentTake) -> bool:
    """Whether a person should listen to the take."""
    return take.check is not None and bool(take.check.flags) and take.id not in segment.accepted


def take_that_counts(segment: TextSegment, keys: Keys) -> SegmentTake | None:
    """The take that is heard: among those that fit the chosen one, else the best; where none fits, the chosen one, else
    the newest. None where there is none.
    """
    takes = segment.takes
    fitting = [take for take in takes if keys.fits(take)]
    if chosen := next((take for take in fitting or takes if take.id == segment.chosen), None):
        return chosen
    return max(fitting, key=lambda take: _worth(segment, take), default=takes[-1] if takes else None)


def _worth(segment: TextSegment, take: SegmentTake) -> tuple[bool, bool, float, int]:
    """The worth of a take among those that fit: a person's word counts most, then the check, then the newer one."""
    errors = take.check.rate if take.check is not None and take.check.rate is not None else 0.0
    return take.origin is TakeOrigin.RECORDED, not is_flagged(segment, take), -errors, take.number


def state_of(segment: TextSegment, keys: Keys, making: Collection[str] = ()) -> SegmentState:
    """The segment's state; `making` are the ids of those that are being made now."""
    if segment.is_skipped:
        return SegmentState.SKIPPED
    if not speakable(segment.text):
        return SegmentState.EMPTY
    if segment.id in making:
        return SegmentState.MAKING
    take = take_that_counts(segment, keys)
    if take is not None and keys.fits(take):
        return SegmentState.FLAGGED if is_flagged(segment, take) else SegmentState.READY
    if segment.failure is not None and segment.failure.key == keys.made:
        return SegmentState.FAILED
    return SegmentState.WAITING if take is None else SegmentState.STALE
