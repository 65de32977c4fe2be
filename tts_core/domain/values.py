"""The values that all layers exchange: requests, voices, capabilities, takes. No behaviour beyond range checks."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from tts_core.domain.errors import InvalidChoice, InvalidValue

AUTO_LANGUAGE = "auto"
"""The language code that lets the engine decide from the text."""


Choice = TypeVar("Choice", bound=Enum)


def choice_named(kind: type[Choice], name: str, value: str) -> Choice:
    """The choice of that value; `name` is what is chosen, for the message. Raises InvalidChoice."""
    choices = [str(one.value) for one in kind]
    if value not in choices:
        raise InvalidChoice(name=name, value=value, choices=", ".join(choices))
    return kind(value)


@dataclass(frozen=True, slots=True)
class Language:
    code: str
    """A stable lower-case code, e.g. "auto", "en-us", "cmn"."""
    name: str
    """The English name, e.g. "English (America)"."""


@dataclass(frozen=True, slots=True)
class Sampling:
    """The way tokens are drawn. Defaults are those published with Qwen3-TTS; the code predictor has its own three."""

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
    """The moment when a model gets the text."""

    FULL = "full"
    """The whole text comes before the first frame."""
    STREAM = "stream"
    """The text comes piece by piece along with the frames."""


class ReadAs(str, Enum):
    """The way a text is read."""

    MARKDOWN = "markdown"
    """Signs of Markdown and HTML set the words and are not said; plain prose is read as it stands."""
    PLAIN = "plain"
    """Every sign is a part of the text."""

    @classmethod
    def named(cls, name: str | None) -> ReadAs:
        """The way of that name; the usual one for none. Raises InvalidChoice."""
        return choice_named(cls, "read_as", name) if name else cls.MARKDOWN


MAX_SECONDS = 3600.0
"""The longest sound that one request may ask for, seconds."""


class SplitMode(str, Enum):
    """Whether a text that is too long to be spoken at once is parted."""

    AUTO = "auto"
    """Long texts are spoken in segments, and pauses and readings in the text are understood."""
    NEVER = "never"
    """The text goes to the engine as a whole, and every tag in it is a part of it."""

    @classmethod
    def named(cls, name: str | None) -> SplitMode:
        """The mode of that name; the usual one for none. Raises InvalidChoice."""
        return choice_named(cls, "split", name) if name else cls.AUTO


NEW_SEED = -1
"""The seed that means, at every door, that a new one is drawn."""


@dataclass(frozen=True, slots=True)
class Recording:
    """A person's recorded speech, to be imitated."""

    path: Path
    transcript: str | None = None
    """The words said in the recording; None takes over the timbre only."""
    append_silence: bool = False
    """Whether half a second of silence is put at its end, so that a clone does not repeat its last syllable."""


@dataclass(frozen=True, slots=True, eq=False)
class PreparedVoice:
    """A person's voice as one engine's model knows it: it can be kept, and imitated without the recording."""

    vector: npt.NDArray[np.float32]
    """The speaker embedding, shape (D,)."""
    codes: npt.NDArray[np.int64] | None = None
    """The recording in the model's codes, shape (frames, 16); None where only the timbre is taken over."""
    transcript: str = ""
    """The words said in the codes."""
    name: str = ""
    """The voice's name for people, for messages about it."""


@dataclass(frozen=True, slots=True)
class Decoding:
    """The way a model's frames are made, for scripts and checks; people need none of it."""

    text_mode: TextMode = TextMode.FULL
    greedy: bool = False
    """Whether the likeliest code is always taken: no chance, no seed."""
    max_frames: int | None = None
    """The published package's max_new_tokens: a take that does not end by itself has one frame less."""
    chunk_frames: int | None = None
    """The frames of every chunk; None starts with one and grows."""
    verbatim: bool = False
    """Whether the text reaches the model as it is given, blanks and control characters included."""

    def __post_init__(self) -> None:
        for name, value in (("max_frames", self.max_frames), ("chunk_frames", self.chunk_frames)):
            if value is not None:
                _check_range(name, value, 1, 100_000)


@dataclass(frozen=True, slots=True)
class SynthesisRequest:
    """A text to be spoken by one voice."""

    text: str
    voice: str | None = None
    """Voice id ("builtin/aria", later "custom_0_6b/vivian"); None takes the best voice that is ready."""
    language: str = AUTO_LANGUAGE
    instruct: str = ""
    """A style instruction; only voices whose capabilities support it accept one."""
    speed: float = 1.0
    """The factor on the speaking rate: 2.0 is twice as fast."""
    seed: int | None = None
    """The seed of the sampling; None and NEW_SEED draw a new one where the engine samples."""
    sampling: Sampling = field(default_factory=Sampling)
    max_seconds: float | None = None
    """The longest audio to make, seconds; None derives a bound from the text."""
    source: Recording | PreparedVoice | None = None
    """The voice to imitate; only voices whose capabilities say `can_clone` need and take one."""
    decoding: Decoding = field(default_factory=Decoding)
    read_as: ReadAs = ReadAs.MARKDOWN
    split: SplitMode = SplitMode.AUTO

    def __post_init__(self) -> None:
        _check_range("speed", self.speed, 0.5, 2.0)
        if self.seed == NEW_SEED:
            object.__setattr__(self, "seed", None)
        if self.seed is not None:
            _check_range("seed", self.seed, 0, 2**32 - 1)
        if self.max_seconds is not None:
            _check_range("max_seconds", self.max_seconds, 0.1, MAX_SECONDS)


@dataclass(frozen=True, slots=True)
class Voice:
    id: str
    """The id "<engine name>/<voice name>", stable across releases."""
    name: str
    """The name for people, e.g. "Aria"."""
    engine: str
    """The name of the engine that speaks the voice."""
    description: str = ""


@dataclass(frozen=True, slots=True)
class Capabilities:
    """The requests that an engine (or a model on disk) understands."""

    languages: tuple[Language, ...]
    """The languages, "auto" first."""
    speakers: tuple[str, ...] = ()
    supports_instruct: bool = False
    supports_sampling: bool = False
    """Whether sampling values and the seed have an effect."""
    supports_speed: bool = False
    can_clone: bool = False
    can_design: bool = False
    timbre_only: bool = False
    """Whether a clone takes over the timbre alone, so that the words said in the recording are of no use."""


class StopReason(str, Enum):
    """The reason why a take ended."""

    COMPLETE = "complete"
    CANCELLED = "cancelled"
    MAX_LENGTH = "max_length"
    """The longest length that was asked for, or that the model can make, is reached."""
    RUNAWAY = "runaway"
    """The take is far longer than the text: the model missed its end."""
    LOOP = "loop"
    """The model repeats itself or hums."""

    @property
    def is_failure(self) -> bool:
        """Whether the model lost its way, so that the take is not what the request asked for."""
        return self in (StopReason.RUNAWAY, StopReason.LOOP)

    @property
    def warning(self) -> str:
        """An English sentence about what such a take may lack; "" for one that says the whole text."""
        if self is StopReason.MAX_LENGTH:
            return "Cut at the maximum length: the end of the text may be missing."
        if self.is_failure:
            return f"The model lost its way ({self.value}): listen before you use this."
        return ""


@dataclass(frozen=True, slots=True)
class Take:
    """A finished piece of speech and the way it was made."""

    id: str
    path: Path
    format: str
    """A key of tts_core.audio.files.FORMATS."""
    sample_rate: int
    """The rate of the file, hertz."""
    duration_s: float
    first_audio_s: float
    """Time to first audio (TTFA): seconds from the request's turn until its first samples were made. They are not
    yet on their way to a loudspeaker then."""
    wall_s: float
    """The seconds from the request's turn to its last sample."""
    voice: Voice
    language: str
    seed: int | None
    """The seed of the sampling; None where the engine does not sample."""
    stop_reason: StopReason
    retried: bool = False
    """Whether the first attempt went wrong (RUNAWAY, LOOP) and this is the second one, made with `seed`; or
    whether that is so of a segment of a long text, which went wrong again."""

    @property
    def rtf(self) -> float:
        """Audio seconds made per wall second; more is faster."""
        return self.duration_s / self.wall_s if self.wall_s > 0 else 0.0


def _check_range(name: str, value: float, low: float, high: float) -> None:
    if not low <= value <= high:  # also refuses nan
        raise InvalidValue(name=name, low=low, high=high)
