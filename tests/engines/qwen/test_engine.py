"""Ready models join the studio: voices, queue, cache, REST and retries work as with any engine."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
import torch

from tests.engines.qwen.formula_checkpoint import write_checkpoint
from tests.fakes import FakeEngine
from tests.serving import serving
from tests.studio.stage import book
from tts_core.api.server import create_api
from tts_core.domain.engine import CancelCheck
from tts_core.domain.errors import Cancelled
from tts_core.domain.events import AudioChunk, EngineEvent, Finished, Loading, Restarted, Started, TakeReady
from tts_core.domain.values import Decoding, StopReason, SynthesisRequest
from tts_core.engines.qwen.engine import QWEN
from tts_core.models.faults import ModelInUse
from tts_core.platform.faults import InvalidSetting
from tts_core.platform.settings.studio import Limits, Settings
from tts_core.services import Services, build_services
from tts_core.speech.faults import InstructNotSupported, InstructRequired, SpeedNotSupported
from tts_core.speech.queue import SpeechQueue
from tts_core.speech.synthesis import Synthesis, collect
from tts_core.speech.takes import Outputs
from tts_core.studio.making.runs import RunState, Scope
from tts_core.studio.model import CheckMode, Delivery, SegmentState

KINDS = {"custom_0_6b": "custom_voice", "base_0_6b": "base", "voice_design_1_7b": "voice_design"}
API = "/api/tts/qwen3"
SHORT = 0.4
"""Seconds."""
BRIEF = Decoding(max_frames=7)


@pytest.fixture(autouse=True, scope="module")
def one_thread() -> None:
    """See tests/engines/qwen/conftest.py."""
    torch.set_num_threads(1)


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """A catalogue of tiny models that all are ready."""
    root = tmp_path_factory.mktemp("studio")
    entries = {}
    for key, kind in KINDS.items():
        folder = write_checkpoint(root / "models" / key, kind=kind, geometry="b" if "1_7b" in key else "a")
        files = {path.relative_to(folder).as_posix(): path for path in folder.rglob("*") if path.is_file()}
        sizes = {name: {"size": path.stat().st_size} for name, path in files.items()}
        entries[key] = {"kind": kind, "local": key, "files": sizes}
    (root / "catalogue.json").write_text(json.dumps(entries))
    return Settings.from_env(
        {
            "TTS_STUDIO_DATA_DIR": str(root / "data"),
            "QWEN_TTS_MODELS_DIR": str(root / "models"),
            "TTS_STUDIO_CATALOG": str(root / "catalogue.json"),
            "TTS_STUDIO_DEVICE": "cpu",
        }
    )


@pytest.fixture
def services(settings: Settings) -> Iterator[Services]:
    built = build_services(settings)
    yield built
    built.close()


def test_the_voices_of_ready_models_come_first_and_those_that_need_more_last(services: Services) -> None:
    engines = list(dict.fromkeys(voice.engine for voice in services.synthesis.voices()))
    assert engines == ["custom_0_6b", "builtin", "hibari", "voice_design_1_7b", "base_0_6b"]
    assert ("custom_0_6b/uncle_fu", "Uncle Fu") in {(voice.id, voice.name) for voice in services.synthesis.voices()}
    assert services.memory.statuses() == ()  # looking loads nothing


def test_loading_is_told_while_a_take_waits_for_it(services: Services) -> None:
    def loading() -> list[Loading]:
        events = services.synthesis.speak(SynthesisRequest("hello", seed=1, max_seconds=SHORT))
        return [event for event in events if isinstance(event, Loading)]

    first = loading()
    assert {event.model for event in first} == {services.models.entry("custom_0_6b").display_name}
    assert (first[0].percent, first[-1].done_bytes > 1_000_000) == (0, True)
    assert first[-1].percent == 100
    assert [event.percent for event in first] == sorted(event.percent for event in first)
    assert loading() == []  # it is in memory now


def test_a_take_can_be_stopped_while_its_model_loads(services: Services) -> None:
    with pytest.raises(Cancelled):
        collect(services.synthesis.speak(SynthesisRequest("hello", seed=1), cancelled=lambda: True))


def test_a_model_is_loaded_by_its_first_take_and_used_again(services: Services) -> None:
    for _ in range(2):
        take = collect(services.synthesis.speak(SynthesisRequest("hello world", seed=1, max_seconds=SHORT)))
    assert (take.voice.engine, take.seed, take.stop_reason) == ("custom_0_6b", 1, StopReason.MAX_LENGTH)
    (model,) = services.memory.statuses()
    assert (model.key, model.users, model.device) == ("custom_0_6b", 0, "cpu")
    assert model.memory_bytes > 1_000_000


def test_a_model_that_speaks_cannot_be_unloaded(services: Services) -> None:
    events = services.synthesis.speak(SynthesisRequest("hello world", seed=1))
    while not isinstance(next(events), AudioChunk):
        pass
    with pytest.raises(ModelInUse):
        services.memory.unload(QWEN, "custom_0_6b")
    events.close()  # type: ignore[attr-defined]
    services.memory.unload(QWEN, "custom_0_6b")


def test_what_a_model_does_not_obey_is_refused(services: Services) -> None:
    speak = services.synthesis.speak
    with pytest.raises(InstructNotSupported):
        speak(SynthesisRequest("hello", voice="custom_0_6b/ryan", instruct="gladly"))
    with pytest.raises(SpeedNotSupported):
        speak(SynthesisRequest("hello", voice="custom_0_6b/ryan", speed=1.5))
    with pytest.raises(InstructRequired):
        speak(SynthesisRequest("hello", voice="voice_design_1_7b/design"))
    request = SynthesisRequest("hello", voice="voice_design_1_7b/design", instruct="calm", max_seconds=SHORT)
    assert collect(speak(request)).voice.name == "Design"


def test_rest_speaks_loads_and_unloads(services: Services) -> None:
    with serving(create_api(services)) as url, httpx.Client(base_url=url, timeout=60, trust_env=False) as client:
        body = {"text": "hello", "model_key": "custom_0_6b", "speaker": "Ryan", "language": "English", "seed": 3}
        said = client.post(f"{API}/synthesize", json={**body, "max_seconds": SHORT}).json()["data"]
        assert (said["voice_id"], said["seed"], said["stop_reason"]) == ("custom_0_6b/ryan", 3, "max_length")
        assert client.post(f"{API}/models/custom_0_6b/unload").status_code == 200
        again = client.post(f"{API}/models/custom_0_6b/unload")
        assert (again.status_code, again.json()["detail"]) == (409, "model_not_loaded")
        assert client.post(f"{API}/models/base_0_6b/load").json()["data"]["is_loaded"]
        assert client.post(f"{API}/models/tokenizer_12hz/load").json()["detail"] == "model_not_loadable"
        assert client.get("/health").json()["model_loaded"]


def test_a_project_is_made_with_seeds_and_the_same_seeds_make_the_same(services: Services) -> None:
    texts = ["One is here now.", "Two is here now.", "Three is here now."]
    made = []
    for _ in range(2):
        voice = services.synthesis.voices()[0].id
        assert voice.startswith("custom_0_6b/")
        new = book(texts, seed=3, defaults=Delivery(voice=voice), check=CheckMode.OFF, decoding=BRIEF)
        project = services.projects.create(new)
        services.making.runner.start(project.id, Scope())
        assert services.making.runner.wait(project.id).state is RunState.DONE
        assert {row.state for row in project.rows()} == {SegmentState.READY}
        takes = [(segment.id, segment.takes[0]) for segment in project.project.segments]
        assert [take.engine for _, take in takes] == ["custom_0_6b"] * 3
        made.append([(take.seed, project.sound_of(key, take.id).read_bytes()) for key, take in takes])
    assert made[0] == made[1]


class Lost(FakeEngine):
    """Loses its way with some seeds."""

    def __init__(self, *bad_seeds: int) -> None:
        super().__init__()
        self.bad_seeds = bad_seeds

    def stream(self, request: SynthesisRequest, *, cancelled: CancelCheck) -> Iterator[EngineEvent]:
        for event in super().stream(request, cancelled=cancelled):
            is_bad = isinstance(event, Finished) and request.seed in self.bad_seeds
            yield Finished(StopReason.LOOP, request.seed) if is_bad else event


@pytest.mark.parametrize(("bad", "ends"), [((7,), StopReason.COMPLETE), ((7, 8), StopReason.LOOP)])
def test_a_take_that_lost_its_way_is_made_once_more_and_marked(
    tmp_path: Path, bad: tuple[int, ...], ends: StopReason
) -> None:
    synthesis = Synthesis([Lost(*bad)], SpeechQueue(1), Outputs(tmp_path, Limits()), Limits())
    events = list(synthesis.speak(SynthesisRequest("Hi.", seed=7)))
    assert [type(event) for event in events].count(Started) == 2
    assert Restarted(StopReason.LOOP) in events
    assert isinstance(events[-1], TakeReady)
    take = events[-1].take
    assert (take.retried, take.seed, take.stop_reason) == (True, 8, ends)
    assert [path.name for path in tmp_path.iterdir()] == [take.path.name]


@pytest.mark.parametrize(
    ("value", "seconds"), [("", 300), ("0", 0), ("5m", 300), ("1h30m", 5400), ("90", 90), ("-1", None), ("-1m", None)]
)
def test_how_long_models_stay_is_said_as_in_ollama(value: str, seconds: float | None) -> None:
    assert Settings.from_env({"TTS_STUDIO_KEEP_ALIVE": value}).keep_alive_s == seconds


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("TTS_STUDIO_KEEP_ALIVE", "soon"),
        ("TTS_STUDIO_KEEP_ALIVE", "5 parsecs"),
        ("TTS_STUDIO_MODEL_MEMORY", "much"),
        ("TTS_STUDIO_PRECISION", "int3"),
    ],
)
def test_a_setting_that_makes_no_sense_is_named(name: str, value: str) -> None:
    with pytest.raises(InvalidSetting, match=name):
        Settings.from_env({name: value})


def test_memory_is_said_in_usual_units() -> None:
    sizes = {"8GB": 8 * 10**9, "1.5 GiB": 3 * 2**29, "1000": 1000}
    for value, size in sizes.items():
        assert Settings.from_env({"TTS_STUDIO_MODEL_MEMORY": value}).model_memory_bytes == size
