"""The built-in voice for any text: which engine speaks which sentence, and what happens where one can't."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from tests import ROOT
from tts_core.domain.engine import never
from tts_core.domain.errors import UnknownLanguage, UnknownVoice
from tts_core.domain.events import AudioChunk, EngineEvent, Finished
from tts_core.domain.values import StopReason, SynthesisRequest
from tts_core.engines.builtin.engine import SAMPLE_RATE, VOICE, ByLanguageEngine
from tts_core.engines.espeak.engine import EspeakEngine
from tts_core.engines.hibari.engine import HibariEngine
from tts_core.models.memory import ModelMemory

ENGLISH, GERMAN, CHINESE = "Good morning.", "Das ist nicht die Stimme, und sie ist gut.", "今天天气很好。"


class Noting(EspeakEngine):
    """espeak-ng, which notes the texts it is given."""

    def __init__(self) -> None:
        super().__init__()
        self.texts: list[str] = []

    def stream(self, request: SynthesisRequest, *, cancelled: object) -> Iterator[EngineEvent]:
        self.texts.append(request.text)
        return super().stream(request, cancelled=never)


@pytest.fixture(scope="module")
def hibari() -> Iterator[HibariEngine]:
    memory = ModelMemory(keep_alive_s=600.0)
    yield HibariEngine(lambda _key: None, memory)
    memory.close()


@pytest.fixture
def espeak() -> Noting:
    return Noting()


@pytest.fixture
def engine(hibari: HibariEngine, espeak: Noting) -> ByLanguageEngine:
    return ByLanguageEngine(hibari, espeak)


def spoken(engine: ByLanguageEngine, text: str, language: str = "auto", **more: object) -> list[EngineEvent]:
    request = SynthesisRequest(text, voice=VOICE, language=language, **more)  # type: ignore[arg-type]
    return list(engine.stream(request, cancelled=never))


def sound(events: list[EngineEvent]) -> np.ndarray[tuple[int], np.dtype[np.float32]]:
    return np.concatenate([event.samples for event in events if isinstance(event, AudioChunk)])


def end(events: list[EngineEvent]) -> Finished:
    assert isinstance(events[-1], Finished)
    return events[-1]


@pytest.mark.parametrize(
    ("text", "language", "by_espeak"),
    [
        (ENGLISH, "auto", []),
        (ENGLISH, "English", []),
        (ENGLISH, "en-gb", [ENGLISH]),
        (ENGLISH, "de", [ENGLISH]),
        (f"{ENGLISH} {CHINESE}\n{GERMAN}\n{ENGLISH}", "auto", [f"{CHINESE}\n{GERMAN}"]),
    ],
)
def test_each_sentence_is_spoken_by_the_voice_for_its_language(
    engine: ByLanguageEngine, espeak: Noting, text: str, language: str, by_espeak: list[str]
) -> None:
    events = spoken(engine, text, language)
    assert espeak.texts == by_espeak
    assert end(events).stop_reason is StopReason.COMPLETE
    assert len(sound(events)) > 0.5 * SAMPLE_RATE
    assert engine.problem == ""


def test_the_same_seed_gives_the_same_sound(engine: ByLanguageEngine) -> None:
    first = spoken(engine, ENGLISH)
    seed = end(first).seed
    assert seed is not None
    again = spoken(engine, ENGLISH, seed=seed)
    assert end(again).seed == seed
    np.testing.assert_array_equal(sound(first), sound(again))


def test_speed_and_length_are_kept(engine: ByLanguageEngine) -> None:
    text = f"{ENGLISH} {CHINESE}"
    slow, fast = (len(sound(spoken(engine, text, speed=speed, seed=1))) for speed in (0.5, 2.0))
    assert slow > 2.5 * fast
    cut = spoken(engine, text, max_seconds=1.6, seed=1)
    assert len(sound(cut)) == pytest.approx(1.6 * SAMPLE_RATE, abs=SAMPLE_RATE * 0.3)
    assert end(cut).stop_reason is StopReason.MAX_LENGTH


@pytest.mark.parametrize(("speed", "allowed"), [(0.7, 0.03), (1.1, 0.01), (1.4, 0.01), (2.0, 0.01)])
def test_a_speed_is_the_one_that_was_asked_for(engine: ByLanguageEngine, speed: float, allowed: float) -> None:
    text = "The quick brown fox jumps over the lazy dog."
    plain, other = (len(sound(spoken(engine, text, speed=each, seed=1))) for each in (1.0, speed))
    assert plain / other == pytest.approx(speed, rel=allowed)


def test_what_stops_the_caller_stops_the_voice(engine: ByLanguageEngine) -> None:
    events = list(engine.stream(SynthesisRequest(ENGLISH, voice=VOICE), cancelled=lambda: True))
    assert [type(event) for event in events if not isinstance(event, AudioChunk)][-1] is Finished
    assert end(events).stop_reason is StopReason.CANCELLED


def test_other_voices_and_languages_are_refused(engine: ByLanguageEngine) -> None:
    with pytest.raises(UnknownVoice):
        engine.stream(SynthesisRequest(ENGLISH, voice="builtin/aria"), cancelled=never)
    with pytest.raises(UnknownLanguage):
        spoken(engine, ENGLISH, "no language")


def test_espeak_speaks_where_the_natural_voice_is_broken(
    espeak: Noting, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = tmp_path / "broken.onnx"
    broken.write_bytes(b"no network")
    monkeypatch.setattr("tts_core.engines.hibari.engine.packaged_file", lambda: broken)
    memory = ModelMemory(keep_alive_s=0.0)
    engine = ByLanguageEngine(HibariEngine(lambda _key: None, memory), espeak)
    for _ in range(2):
        assert end(spoken(engine, ENGLISH)).stop_reason is StopReason.COMPLETE
    assert espeak.texts == [ENGLISH, ENGLISH]
    assert "broken.onnx" in engine.problem
    memory.close()


WITHOUT = """
import importlib.util, sys
find_spec = importlib.util.find_spec
importlib.util.find_spec = lambda name, *rest: None if name == "onnxruntime" else find_spec(name, *rest)
from tts_core.platform.settings.studio import Settings
from tts_core.services import build_services
services = build_services(Settings.from_env({"TTS_STUDIO_DATA_DIR": sys.argv[1]}))
print(services.builtin.problem, [voice.id for voice in services.synthesis.voices() if voice.engine == "hibari"])
print({"hibari", "onnxruntime", "torch", "gradio"} & set(sys.modules))
"""


def test_without_its_packages_it_is_said_and_nothing_is_imported_to_look(tmp_path: Path) -> None:
    command = [sys.executable, "-c", WITHOUT, str(tmp_path)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == ["The package hibari-tts or onnxruntime is not installed. []", "set()"]
