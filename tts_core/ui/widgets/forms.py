"""The values of a tab's widgets. Field names are widget names and the public endpoint's parameter names."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import MISSING, Field, dataclass, fields
from inspect import Parameter, Signature
from math import isfinite
from typing import Any, Protocol

import gradio as gr

from tts_core.domain.errors import InvalidRequest, InvalidValue
from tts_core.domain.values import AUTO_LANGUAGE, MAX_SECONDS, NEW_SEED, ReadAs, Sampling, SynthesisRequest

_DEFAULT = Sampling()
SHORTEST_LIMIT_S = 0.1
"""The shortest limit of a sound's length that requests know, seconds."""
IN_CONTEXT, TIMBRE_ONLY = "in_context", "timbre_only"
"""The two ways to imitate a recording: go on from it, with its transcript; or take over only its timbre."""
OWN_VOICE, OWNER_AGREED = "own_voice", "owner_agreed"
"""The two consents, of which one is given before a recording is kept."""


class SpeakingForm(Protocol):
    """A form of a tab that speaks."""

    @property
    def format(self) -> str: ...

    def to_request(self) -> SynthesisRequest:
        """The request. Raises StudioError naming what is wrong."""
        ...


@dataclass(frozen=True, slots=True)
class SpeakForm:
    """The Speak tab's form. Programs may send null, which means the default; whole numbers may arrive as floats
    (JSON)."""

    text: str
    voice: str | None = None
    language: str = AUTO_LANGUAGE
    instruct: str = ""
    speed: float = 1.0
    format: str = "wav"
    max_seconds: float = 0
    """The longest sound in seconds; 0: as long as the text needs."""
    seed: float = NEW_SEED
    temperature: float = _DEFAULT.temperature
    top_k: float = _DEFAULT.top_k
    top_p: float = _DEFAULT.top_p
    repetition_penalty: float = _DEFAULT.repetition_penalty
    predictor_temperature: float = _DEFAULT.predictor_temperature
    predictor_top_k: float = _DEFAULT.predictor_top_k
    predictor_top_p: float = _DEFAULT.predictor_top_p
    read_as: str = ReadAs.MARKDOWN.value

    def __post_init__(self) -> None:
        _fill_in_defaults(self)

    def to_request(self) -> SynthesisRequest:
        """The request. Raises InvalidValue naming the field that is out of range."""
        sampling = Sampling(
            temperature=self.temperature,
            top_k=whole("top_k", self.top_k),
            top_p=self.top_p,
            repetition_penalty=self.repetition_penalty,
            predictor_temperature=self.predictor_temperature,
            predictor_top_k=whole("predictor_top_k", self.predictor_top_k),
            predictor_top_p=self.predictor_top_p,
        )
        return SynthesisRequest(
            text=self.text,
            voice=self.voice or None,
            language=self.language,
            instruct=self.instruct,
            speed=self.speed,
            seed=whole("seed", self.seed),
            sampling=sampling,
            max_seconds=length_limit(self.max_seconds),
            read_as=ReadAs.named(self.read_as),
        )


@dataclass(frozen=True, slots=True)
class DesignForm:
    """The Design tab's form."""

    description: str
    text: str
    voice: str | None = None
    """A voice that can be designed; None is the best one that is ready."""
    language: str = AUTO_LANGUAGE
    seed: float = NEW_SEED
    read_as: str = ReadAs.MARKDOWN.value

    def __post_init__(self) -> None:
        _fill_in_defaults(self)

    def to_speak(self, voice: str) -> SpeakForm:
        """The same request as a form of the Speak tab, for the voice with that id."""
        return SpeakForm(
            text=self.text,
            voice=voice,
            language=self.language,
            instruct=self.description,
            seed=self.seed,
            read_as=self.read_as,
        )


@dataclass(frozen=True, slots=True)
class CloneForm:
    """The Clone tab's form: a text in the voice of a recording."""

    file: str | None
    """The recording's path."""
    text: str
    transcript: str = ""
    """The text spoken in the recording."""
    language: str = AUTO_LANGUAGE
    model: str | None = None
    """The key of a Base model; None is the best one that is ready."""
    mode: str = IN_CONTEXT
    append_silence: bool = True
    seed: float = NEW_SEED
    max_seconds: float = 0
    read_as: str = ReadAs.MARKDOWN.value

    def __post_init__(self) -> None:
        _fill_in_defaults(self)


@dataclass(frozen=True, slots=True)
class SaveForm:
    """The form of the Clone tab's lower part: the recording as a voice of the library."""

    name: str
    file: str | None
    transcript: str = ""
    language: str = AUTO_LANGUAGE
    model: str | None = None
    mode: str = IN_CONTEXT
    append_silence: bool = True
    consent: str | None = None
    """OWN_VOICE or OWNER_AGREED; without one nothing is kept."""
    consent_note: str = ""
    desk: Any = None
    """The page's memory of the recording (`clone.handler.Desk`); programs send nothing here."""

    def __post_init__(self) -> None:
        _fill_in_defaults(self)


def whole(name: str, value: float) -> int:
    """The whole number that a program sent, which may be a float in JSON. Raises InvalidRequest for infinity and the
    like."""
    if not isfinite(value):
        raise InvalidRequest(reason=f"{name} must be a whole number.", field=name)
    return int(value)


def length_limit(value: float) -> float | None:
    """The longest sound, seconds, that a form asks for; None for 0, which asks for none. Raises InvalidValue."""
    if not 0 <= value <= MAX_SECONDS:  # also refuses nan
        raise InvalidValue(name="max_seconds", low=0, high=MAX_SECONDS)
    return max(value, SHORTEST_LIMIT_S) if value else None


def _fill_in_defaults(form: Any) -> None:
    """Replace null, which programs may send, by the default."""
    for field in fields(form):
        if getattr(form, field.name) is None and field.default is not None:
            object.__setattr__(form, field.name, "" if field.default is MISSING else field.default)


def inputs_of(form: type[Any], bundle: object) -> list[Any]:
    """The bundle's widgets in the form's order; a missing widget fails when the page is built."""
    return [getattr(bundle, field.name) for field in fields(form)]


def form_event(
    form: type[Any], handler: Callable[[Any, gr.Request], Iterator[Any]], name: str
) -> Callable[..., Iterator[Any]]:
    """A Gradio event function that takes the form's fields by name, so that the public endpoint's parameters have
    fixed names whatever the widgets' labels say, and hands `handler` one value."""
    parameters = [
        Parameter(field.name, Parameter.POSITIONAL_OR_KEYWORD, default=_parameter_default(field))
        for field in fields(form)
    ]
    parameters.append(Parameter("request", Parameter.POSITIONAL_OR_KEYWORD, default=None, annotation=gr.Request))

    def event(*values: Any) -> Iterator[Any]:
        *given, asker = values
        yield from handler(form(*given), asker)

    event.__name__ = name
    event.__annotations__ = {"request": gr.Request}
    event.__signature__ = Signature(parameters)  # type: ignore[attr-defined]
    return event


def _parameter_default(field: Field[Any]) -> object:
    return Parameter.empty if field.default is MISSING else field.default
