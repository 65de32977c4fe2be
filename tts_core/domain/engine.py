"""The shape of an engine that upper layers may rely on. Whatever fits it can be added to the studio."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from pathlib import Path
from typing import Protocol, runtime_checkable

from tts_core.domain.errors import StudioError
from tts_core.domain.events import EngineEvent, Loading
from tts_core.domain.values import Capabilities, PreparedVoice, Recording, SynthesisRequest, Voice

CancelCheck = Callable[[], bool]
"""A function that answers True once the caller wants the work to stop; cheap, safe to call from any thread."""


def never() -> bool:
    """Answer the cancel check of a caller that does not stop."""
    return False


class Engine(Protocol):
    """A source of speech. Constructing one is cheap; heavy parts load on the first `stream`."""

    @property
    def name(self) -> str:
        """The engine's stable id, the first part of its voices' ids."""

    def sample_rate(self, voice: str) -> int:
        """The rate of every chunk of that voice, hertz; a cheap question."""

    def voices(self) -> tuple[Voice, ...]:
        """The voices it can speak with now, best first."""

    def capabilities(self, voice: str | None = None) -> Capabilities:
        """The requests that voice understands; those of any voice for None. Raises UnknownVoice."""

    def at_once(self, voice: str) -> int:
        """The number of requests for that voice it may speak at the same time now, at least 1; a cheap question."""

    def stream(self, request: SynthesisRequest, *, cancelled: CancelCheck) -> Iterator[EngineEvent]:
        """Speak `request.text` with `request.voice` (one of `voices()`).

        Yields Loading while its model is read, chunks as they are made, then one Finished.

        Raises UnknownLanguage at the call and EngineFailed when it can't speak; asks `cancelled` at least every chunk.
        """

    def close(self) -> None:
        """Free the engine's memory; the next `stream` loads again."""


@runtime_checkable
class CloningEngine(Engine, Protocol):
    """An engine that speaks with the voice heard in a recording."""

    def prepare(
        self, source: Recording | PreparedVoice, *, cancelled: CancelCheck
    ) -> Generator[Loading, None, PreparedVoice]:
        """Yield Loading while the model is read, then return the voice as the model knows it, for keeping and speaking.

        A voice that was prepared before is only checked. Raises VoicePromptInvalid where it does not fit the model,
        CloneNotSupported, InvalidRequest for a recording that can't be used, EngineFailed, Cancelled.
        """


@runtime_checkable
class PoolingEngine(Engine, Protocol):
    """An engine whose requests wait in one queue with those of others, as they need the same model or device."""

    def pool(self, voice: str) -> str:
        """The name of the queue for that voice's requests; a cheap question."""


def pool_of(engine: Engine, voice: str) -> str:
    """The name of the queue for a voice's requests: the engine's own where it shares none."""
    return engine.pool(voice) if isinstance(engine, PoolingEngine) else engine.name


class VoiceModel(Protocol):
    """A model that saved voices may belong to, whichever engine it is of and whether it is on this machine or not."""

    @property
    def key(self) -> str:
        """The key by which records of saved voices name the model."""

    @property
    def name(self) -> str:
        """The model's name for people."""

    @property
    def engine(self) -> Engine | None:
        """The engine that speaks with the model; None for a model that speaks no saved voice."""

    def problem(self) -> StudioError | None:
        """The reason why the model can't speak now; None where it can. A cheap question."""

    def capabilities(self) -> Capabilities:
        """The abilities of the model on this machine; those of the published one where it is not here."""

    def weights(self) -> tuple[Path, ...]:
        """The files that decide what a recording becomes when it is prepared; () where the model is not here."""
