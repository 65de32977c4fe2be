"""The values everything else speaks in: requests, voices, capabilities, takes. No behaviour beyond range checks."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path

import numpy as np
import numpy.typing as npt

from tts_core.domain.errors import InvalidValue

AUTO_LANGUAGE = "auto"
"""The language code that lets the engine decide from the text."""


@dataclass(frozen=True, slots=True)
class Language:
    code: str
    """Stable lower-case code, e.g. "auto", "en-us", "cmn"."""
    name: str
    """English name, e.g. "English (America)"."""


@dataclass(frozen=True, slots=True)
class Sampling:
    """How tokens are drawn. Defaults are those published with Qwen3-TTS; the code predictor has its own three."""

    temperature: float = 0.9
    top_k: int = 50
    top_p: float = 1.0
    repetition_penalty: float = 1.05
    predictor_temperature: float = 0.9
    predictor_top_k: int = 50
    predictor_top_p: float = 1.0

    def __post_init__(self) -> None:
        for name in ("temperature", "predictor_temperature"):
            _check_range(name, getattr(self, name), 0.01, 5.0)
        for name in ("top_k", "predictor_top_k"):
            _check_range(name, getattr(self, name), 1, 4096)
        for name in ("top_p", "predictor_top_p"):
            _check_range(name, getattr(self, name), 0.01, 1.0)
        _check_range("repetition_penalty", self.repetition_penalty, 0.5, 2.0)


class TextMode(str, Enum):
    """When a model gets the text."""

    FULL = "full"
    """All of it before the first frame."""
    STREAM = "stream"
    """Piece by piece along with the frames."""


@dataclass(frozen=True, slots=True)
class Recording:
    """Somebody's recorded speech, to be imitated."""

    path: Path
    transcript: str | None = None
    """What is said in it; None takes over the timbre only."""
    append_silence: bool = False
    """Half a second of silence is put at its end, so that its last syllable is not heard again."""


@dataclass(frozen=True, slots=True, eq=False)
class PreparedVoice:
    """Somebody's voice as one engine's model knows it: it can be kept, and imitated without the recording."""

    vector: npt.NDArray[np.float32]
    """The speaker embedding, shape (D,)."""
    codes: npt.NDArray[np.int64] | None = None
    """The recording in the model's codes, shape (frames, 16); None where only the timbre is taken over."""
    transcript: str = ""
    """What is said in the codes."""
    name: str = ""
    """What people call the voice, for messages about it."""


@dataclass(frozen=True, slots=True)
class Decoding:
    """How a model's frames are made, for scripts and checks; people need none of it."""

    text_mode: TextMode = TextMode.FULL
    greedy: bool = False
    """Always the likeliest code: no chance, no seed."""
    max_frames: int | None = None
    """What the published package calls max_new_tokens: without an end the take has one frame less."""
    chunk_frames: int | None = None
    """Frames of every chunk; None starts with one and grows."""
    verbatim: bool = False
    """The text reaches the model as it is given, blanks and control characters included."""

    def __post_init__(self) -> None:
        for name, value in (("max_frames", self.max_frames), ("chunk_frames", self.chunk_frames)):
            if value is not None:
                _check_range(name, value, 1, 100_000)


@dataclass(frozen=True, slots=True)
class SynthesisRequest:
    """One text to be spoken by one voice."""

    text: str
    voice: str | None = None
    """Voice id ("builtin/aria", later "custom_0_6b/vivian"); None takes the best voice that is ready."""
    language: str = AUTO_LANGUAGE
    instruct: str = ""
    """Style instruction; only voices whose capabilities support it accept one."""
    speed: float = 1.0
    """Factor on the speaking rate: 2.0 is twice as fast."""
    seed: int | None = None
    """None draws a new seed where the engine samples."""
    sampling: Sampling = field(default_factory=Sampling)
    max_seconds: float | None = None
    """Longest audio to make, seconds; None bounds it from the text."""
    source: Recording | PreparedVoice | None = None
    """Whom to sound like; only voices whose capabilities say `can_clone` need and take one."""
    decoding: Decoding = field(default_factory=Decoding)

    def __post_init__(self) -> None:
        _check_range("speed", self.speed, 0.5, 2.0)
        if self.seed is not None:
            _check_range("seed", self.seed, 0, 2**32 - 1)
        if self.max_seconds is not None:
            _check_range("max_seconds", self.max_seconds, 0.1, 3600.0)


@dataclass(frozen=True, slots=True)
class Voice:
    id: str
    """"<engine name>/<voice name>", stable across releases."""
    name: str
    """What people read, e.g. "Aria"."""
    engine: str
    """Name of the engine that speaks it."""
    description: str = ""


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What an engine (or a model on disk) can be asked to do."""

    languages: tuple[Language, ...]
    """"auto" first."""
    speakers: tuple[str, ...] = ()
    supports_instruct: bool = False
    supports_sampling: bool = False
    """Sampling values and the seed have an effect."""
    supports_speed: bool = False
    can_clone: bool = False
    can_design: bool = False


class StopReason(str, Enum):
    """Why a take ended."""

    COMPLETE = "complete"
    CANCELLED = "cancelled"
    MAX_LENGTH = "max_length"
    """The longest length that was asked for, or that the model can make, is reached."""
    RUNAWAY = "runaway"
    """Far longer than the text: the model missed its end."""
    LOOP = "loop"
    """The model repeats itself or hums."""

    @property
    def is_failure(self) -> bool:
        """The model lost its way: what was made is not what was asked for."""
        return self in (StopReason.RUNAWAY, StopReason.LOOP)


@dataclass(frozen=True, slots=True)
class Take:
    """One finished piece of speech and how it was made."""

    id: str
    path: Path
    format: str
    """A key of tts_core.audio.files.FORMATS."""
    sample_rate: int
    """Hertz, of the file."""
    duration_s: float
    first_audio_s: float
    """Time to first audio (TTFA): seconds from the request's turn to its first samples."""
    wall_s: float
    """Seconds from the request's turn to the last sample."""
    voice: Voice
    language: str
    seed: int | None
    """None where the engine does not sample."""
    stop_reason: StopReason
    retried: bool = False
    """The first attempt went wrong (RUNAWAY, LOOP) and was made again with this seed."""

    @property
    def rtf(self) -> float:
        """Audio seconds made per wall second; more is faster."""
        return self.duration_s / self.wall_s if self.wall_s > 0 else 0.0


def _check_range(name: str, value: float, low: float, high: float) -> None:
    if not low <= value <= high:  # also refuses nan
        raise InvalidValue(name=name, low=low, high=high)
