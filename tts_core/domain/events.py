"""The events a running job sends its watcher, as plain data. Presenters put them into words; failures are raised."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from tts_core.domain.values import StopReason, Take

Samples = npt.NDArray[np.float32]
"""Mono audio in [-1, 1], shape (samples,)."""
Codes = npt.NDArray[np.int64]
"""Codec codes, shape (frames, 16)."""


@dataclass(frozen=True, slots=True)
class Queued:
    """The request waits for the engine."""

    position: int
    """The place in the queue; 1 is next."""


@dataclass(frozen=True, slots=True)
class Started:
    """The engine has taken the request."""

    sample_rate: int
    """The rate of the chunks that follow, hertz."""


@dataclass(frozen=True, slots=True)
class Loading:
    """The model is being read into memory; comes a few times a second."""

    model: str
    """The model's name for people."""
    done_bytes: int
    total_bytes: int
    """The size of the model's files; 0 while unknown."""

    @property
    def percent(self) -> int:
        return min(100, 100 * self.done_bytes // self.total_bytes) if self.total_bytes else 0


@dataclass(frozen=True, slots=True)
class AudioChunk:
    """The next piece of speech."""

    samples: Samples
    codes: Codes | None = None
    """The codes the samples were made from; None where the engine knows no codes."""


@dataclass(frozen=True, slots=True)
class Finished:
    """An engine's last event."""

    stop_reason: StopReason
    seed: int | None
    retried: bool = False
    """Whether what went wrong was tried again already."""


@dataclass(frozen=True, slots=True)
class Restarted:
    """The attempt so far went wrong; forget its chunks. Another Started and the chunks of a new attempt follow."""

    reason: StopReason


@dataclass(frozen=True, slots=True)
class SegmentStarted:
    """The next part of a text that is spoken in several parts begins; it comes for the first one, too."""

    number: int
    """1 is the first."""
    count: int
    """The number of all parts."""


@dataclass(frozen=True, slots=True)
class SegmentRestarted:
    """The present part went wrong and is made again: its chunks come anew, while those of earlier parts stay."""

    number: int
    reason: StopReason
    samples: int
    """The number of samples to forget: what came since the part started."""


@dataclass(frozen=True, slots=True)
class TakeReady:
    """A use case's last event: the finished file."""

    take: Take


@dataclass(frozen=True, slots=True)
class CheckProgress:
    """A deep validation has hashed this many bytes so far."""

    file: str
    """The path inside the model's folder, with forward slashes."""
    done_bytes: int
    total_bytes: int


EngineEvent = Loading | AudioChunk | Finished
SpeakEvent = Queued | Started | Loading | AudioChunk | SegmentStarted | SegmentRestarted | Restarted | TakeReady
