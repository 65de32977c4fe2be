"""Piper's voices in the studio: listed, spoken, refused where their files are wrong, and said to be missing."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import soundfile

from tests import ROOT
from tests.api.conftest import client_of
from tests.engines.piper.tiny_voice import HOP, write_voice
from tests.hubs.content import write_bytes
from tests.hubs.fixtures import hubs, small_model
from tests.hubs.hubs import Hubs
from tests.hubs.models import PublishedModel, write_catalogue
from tests.serving import serving
from tts_core.api.server import create_api
from tts_core.cli.main import main
from tts_core.domain.engine import never
from tts_core.domain.errors import EngineFailed, UnknownLanguage, UnknownVoice
from tts_core.domain.events import AudioChunk, Finished
from tts_core.domain.values import StopReason, SynthesisRequest
from tts_core.engines.piper.engine import SAMPLE_RATE, PiperEngine
from tts_core.models.catalogue import ModelKind
from tts_core.models.downloads.hubs import ordering as sources
from tts_core.models.faults import PiperVoiceInvalid
from tts_core.models.files.findings import Verification
from tts_core.models.memory import ModelMemory
from tts_core.platform.job import JobState
from tts_core.platform.logs import setup_logging
from tts_core.platform.settings.studio import Settings
from tts_core.services import Services, build_services
from tts_core.speech.synthesis import collect

__all__ = ["hubs", "small_model"]


TINY = "piper/en_us-tiny-medium"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "data" / "models" / "piper"


@pytest.fixture
def engine(folder: Path) -> Iterator[PiperEngine]:
    memory = ModelMemory(keep_alive_s=0.0)
    built = PiperEngine(lambda: (folder,), memory)
    yield built
    memory.close()


@pytest.fixture
def services(tmp_path: Path, folder: Path) -> Iterator[Services]:
    write_voice(folder)
    built = build_services(Settings.from_env({"TTS_STUDIO_DATA_DIR": str(tmp_path / "data")}))
    yield built
    built.close()


def spoken(engine: PiperEngine, request: SynthesisRequest, cancelled: Callable[[], bool] = never) -> np.ndarray:
    events = list(engine.stream(request, cancelled=cancelled))
    assert isinstance(events[-1], Finished)
    return np.concatenate([np.zeros(0, np.float32), *(one.samples for one in events if isinstance(one, AudioChunk))])


def test_each_speaker_of_each_file_is_a_voice(engine: PiperEngine, folder: Path) -> None:
    write_voice(folder)
    write_voice(folder / "deep" / "er", "de_DE-duo-low", speakers=("anna", "otto"), language={})
    assert [(voice.id, voice.name, voice.description) for voice in engine.voices()] == [
        ("piper/de_de-duo-low/anna", "Duo anna", "Piper, de-de, low"),
        ("piper/de_de-duo-low/otto", "Duo otto", "Piper, de-de, low"),
        (TINY, "Tiny", "Piper, English (United States), medium"),
    ]
    can = engine.capabilities("piper/de_de-duo-low/otto")
    assert [language.code for language in can.languages] == ["auto", "de-de"]
    assert (can.supports_speed, can.supports_sampling, can.can_clone) == (True, False, False)
    assert {one.code for one in engine.capabilities().languages} == {"auto", "de-de", "en-us"}


def test_two_qualities_of_one_voice_have_two_names(engine: PiperEngine, folder: Path) -> None:
    for name in ("en_US-amy-low", "en_US-amy-medium", "en_GB-amy-medium"):
        write_voice(folder, name)
    assert [voice.name for voice in engine.voices()] == ["en_GB-amy-medium", "Amy low", "en_US-amy-medium"]


def test_voices_come_and_go_with_their_files(engine: PiperEngine, folder: Path) -> None:
    assert engine.voices() == ()
    model = write_voice(folder)
    assert [voice.id for voice in engine.voices()] == [TINY]
    model.with_name(model.name + ".json").unlink()
    assert engine.voices() == ()
    with pytest.raises(UnknownVoice):
        engine.stream(SynthesisRequest("Hello.", voice=TINY), cancelled=never)


def test_it_speaks_sentence_by_sentence_at_one_rate(engine: PiperEngine, folder: Path) -> None:
    write_voice(folder)
    write_voice(folder, "en_US-slow-low", rate=16_000)
    request = SynthesisRequest("Hello there. How are you?\nFine.", voice=TINY)
    events = list(engine.stream(request, cancelled=never))
    assert events[-1] == Finished(StopReason.COMPLETE, seed=None)
    sound = spoken(engine, request)
    assert 1.0 < len(sound) / SAMPLE_RATE < 20.0
    assert 0.9 < np.abs(sound).max() <= 1.0  # Piper brings each sentence to full level
    pauses = np.flatnonzero(np.convolve(sound == 0, np.ones(2000), "valid") == 2000)
    assert len(np.flatnonzero(np.diff(pauses) > 1)) == 1  # two of them, between three sentences
    other = spoken(engine, SynthesisRequest(request.text, voice="piper/en_us-slow-low"))
    assert len(other) / len(sound) == pytest.approx(22_050 / 16_000, rel=0.1)  # the same samples, played more slowly


def test_speed_and_speaker_reach_the_model(engine: PiperEngine, folder: Path) -> None:
    write_voice(folder, "en_US-duo-low", speakers=("low", "high"))
    low, fast, high = (
        spoken(engine, SynthesisRequest("Hello there", voice=f"piper/en_us-duo-low/{who}", speed=speed))
        for who, speed in (("low", 1.0), ("low", 2.0), ("high", 1.0))
    )
    assert len(low) % HOP == 0
    assert len(fast) == len(low) / 2
    assert len(high) == len(low)
    crossings = [int(np.sum(np.diff(np.signbit(sound)))) for sound in (low, high)]
    assert crossings[1] / crossings[0] == pytest.approx(2.0, rel=0.1)


def test_it_stops_when_it_is_told_to_and_at_the_longest_length(engine: PiperEngine, folder: Path) -> None:
    write_voice(folder)
    events = list(engine.stream(SynthesisRequest("Hello there.", voice=TINY), cancelled=lambda: True))
    assert events[-1] == Finished(StopReason.CANCELLED, seed=None)
    assert not any(isinstance(event, AudioChunk) for event in events)
    short = SynthesisRequest("Hello there. " * 20, voice=TINY, max_seconds=0.5)
    assert len(spoken(engine, short)) == SAMPLE_RATE // 2


def test_another_language_is_refused_and_its_own_names_work(engine: PiperEngine, folder: Path) -> None:
    write_voice(folder)
    for language in ("en", "English", "en-us", "auto"):
        assert len(spoken(engine, SynthesisRequest("Hello.", voice=TINY, language=language)))
    with pytest.raises(UnknownLanguage):
        engine.stream(SynthesisRequest("Hallo.", voice=TINY, language="de"), cancelled=never)


@pytest.mark.parametrize(
    "wrong",
    [
        "",
        "{",
        "[]",
        "null",
        "[" * 100_000,
        '{"audio": 5}',
        '{"audio": {"sample_rate": 22050}}',
        '{"audio": {"sample_rate": 1e99}, "espeak": {"voice": "en"}, "phoneme_id_map": {"a": [1]}}',
        '{"audio": {"sample_rate": 22050}, "espeak": {"voice": "en"}, "phoneme_id_map": {"a": [1]},'
        ' "num_speakers": 1000000000}',
        '{"audio": {"sample_rate": 22050}, "espeak": {"voice": "en"}, "phoneme_id_map": {"a": [1]}, "num_speakers": 9,'
        ' "speaker_id_map": {"a": 99}}',
    ],
)
def test_a_description_that_is_none_hides_its_voice_alone(engine: PiperEngine, folder: Path, wrong: str) -> None:
    write_voice(folder)
    (write_voice(folder, "en_US-wrong-low").parent / "en_US-wrong-low.onnx.json").write_text(wrong)
    assert [voice.id for voice in engine.voices()] == [TINY]


def test_a_description_without_a_language_hides_its_voice_alone(engine: PiperEngine, folder: Path) -> None:
    write_voice(folder)
    (folder / "mine.onnx").write_bytes(b"")
    nameless = '{"audio": {"sample_rate": 22050}, "espeak": {"voice": ""}, "phoneme_id_map": {"a": [1]}}'
    (folder / "mine.onnx.json").write_text(nameless)
    assert [voice.id for voice in engine.voices()] == [TINY]


@pytest.mark.parametrize("kind", ["pinyin", "hebrew", "rubbish", 7])
def test_phonemes_that_would_need_the_network_are_left_out(engine: PiperEngine, folder: Path, kind: object) -> None:
    write_voice(folder, phoneme_type=kind)
    assert engine.voices() == ()


def test_a_model_that_is_none_says_so(engine: PiperEngine, folder: Path) -> None:
    request = SynthesisRequest("Hello.", voice=TINY)
    model = write_voice(folder)
    whole = model.read_bytes()
    for content in (b"", b"not onnx", whole[:200], whole + b"\xff" * 40):
        model.write_bytes(content)
        with pytest.raises(PiperVoiceInvalid, match=r"en_US-tiny-medium\.onnx"):
            spoken(engine, request)
    identity = onnx.helper.make_graph(
        [onnx.helper.make_node("Identity", ["x"], ["y"])],
        "other",
        [onnx.helper.make_tensor_value_info("x", onnx.TensorProto.FLOAT, [1])],
        [onnx.helper.make_tensor_value_info("y", onnx.TensorProto.FLOAT, [1])],
    )
    onnx.save(onnx.helper.make_model(identity, ir_version=8, opset_imports=[onnx.helper.make_opsetid("", 15)]), model)
    with pytest.raises(PiperVoiceInvalid, match="none that speaks"):
        spoken(engine, request)
    model.write_bytes(whole)
    assert len(spoken(engine, request))


@pytest.mark.parametrize(
    "fields",
    [
        {"espeak": {"voice": "no-such-language"}},
        {"phoneme_id_map": {"a": [1]}},
        {"inference": {"length_scale": float("inf")}},
        {"inference": {"length_scale": "long"}},
    ],
    ids=["language", "phonemes", "endless", "words"],
)
def test_values_that_break_it_are_typed_errors(engine: PiperEngine, folder: Path, fields: dict[str, Any]) -> None:
    write_voice(folder, **fields)
    with pytest.raises(EngineFailed):
        spoken(engine, SynthesisRequest("Hello.", voice=TINY))


def test_it_speaks_beside_the_built_in_voice(services: Services) -> None:
    """Both have a copy of espeak-ng, whose state is global."""
    lengths = []
    for voice in (TINY, "builtin/aria", TINY, "builtin/aria"):
        take = collect(services.synthesis.speak(SynthesisRequest("Hello there. 你好。", voice=voice)))
        lengths.append((take.voice.id, take.duration_s))
    assert lengths[:2] == lengths[2:]


def test_the_built_in_voice_stays_the_first_choice(services: Services) -> None:
    engines = [voice.engine for voice in services.synthesis.voices()]
    assert engines[0] == "builtin"
    assert "piper" in engines


def test_over_rest_by_id_and_by_name(services: Services) -> None:
    with serving(create_api(services)) as url, client_of(url) as client:
        speakers = client.get("/api/tts/qwen3/speakers").json()["data"]
        assert {"voice_id": TINY, "speaker": "Tiny", "model_key": "piper"}.items() <= speakers[-1].items()
        for voice in ({"voice_id": TINY}, {"speaker": "tiny"}, {"model_key": "piper"}):
            answer = client.post("/api/tts/qwen3/synthesize", json={"text": "Hello.", "format": "flac", **voice})
            assert answer.json()["data"]["voice_id"] == TINY
        refused = client.post("/api/tts/qwen3/synthesize", json={"text": "Hi", "voice_id": TINY, "language": "ja"})
        assert (refused.status_code, refused.json()["detail"]) == (422, "unknown_language")
        can = client.get("/api/tts/qwen3/models/piper/capabilities").json()["data"]
        assert can["languages"] == ["Auto", "English (United States)"]
        model = client.get("/api/tts/qwen3/models/piper_zh_cn_huayan_medium/capabilities").json()["data"]
        assert model["languages"] == ["Auto", "zh-cn"]


def test_on_the_command_line(
    services: Services, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("TTS_STUDIO_DATA_DIR", str(services.settings.paths.data_dir))
    assert main(["voices"]) == 0
    assert TINY in capsys.readouterr().out
    assert main(["speak", "Hello.", "--voice", TINY, "--out", str(tmp_path / "a.wav")]) == 0
    assert soundfile.info(tmp_path / "a.wav").samplerate == SAMPLE_RATE


def test_a_folder_of_ones_own_and_downloaded_voices(tmp_path: Path) -> None:
    own, downloaded = tmp_path / "own", tmp_path / "models" / "Piper-en_US-mine-medium"
    write_voice(own, "en_US-own-low")
    write_voice(downloaded / "en" / "en_US" / "mine" / "medium", "en_US-mine-medium")
    files = {path.relative_to(downloaded).as_posix(): path.stat().st_size for path in downloaded.rglob("*.onnx*")}
    entry = {
        "kind": "piper",
        "hf": "me/v",
        "local": downloaded.name,
        "files": {name: {"size": size} for name, size in files.items()},
    }
    (tmp_path / "catalogue.json").write_text(json.dumps({"piper_mine": entry}))
    services = build_services(
        Settings.from_env(
            {
                "TTS_STUDIO_DATA_DIR": str(tmp_path / "data"),
                "TTS_STUDIO_PIPER_DIR": str(own),
                "QWEN_TTS_MODELS_DIR": str(tmp_path / "models"),
                "TTS_STUDIO_CATALOG": str(tmp_path / "catalogue.json"),
            }
        )
    )
    assert services.models.status("piper_mine").valid
    assert "en/en_US/mine/medium/en_US-mine-medium.onnx " in services.models.manual_download("piper_mine").hf_command
    names = [voice.name for voice in services.synthesis.voices() if voice.engine == "piper"]
    assert names == ["Mine", "Own"]
    services.close()


def test_a_voice_of_the_catalogue_is_downloaded_and_speaks(
    tmp_path: Path, hubs: Hubs, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sources, "is_mainland", lambda: False)
    monkeypatch.setattr(sources, "PROBE_S", 120.0)
    model = write_voice(tmp_path / "made", "en_US-mine-medium")
    repository = "en/en_US/mine/medium"
    files = {
        f"{repository}/{path.name}": write_bytes(tmp_path / "published" / path.name, path.read_bytes())
        for path in (model, model.with_name(model.name + ".json"))
    }
    voice = PublishedModel("piper_mine", ModelKind.PIPER, "Piper-mine", files, "a" * 40)
    hubs.publish(voice)
    services = build_services(
        Settings.from_env(
            {
                **hubs.environ(),
                "TTS_STUDIO_DATA_DIR": str(tmp_path / "data"),
                "TTS_STUDIO_CATALOG": str(write_catalogue(tmp_path / "catalogue.json", [voice])),
            }
        )
    )
    assert "piper/en_us-mine-medium" not in {voice.id for voice in services.synthesis.voices()}
    services.downloads.start("piper_mine", "auto")
    *_, last = services.downloads.follow("piper_mine")
    assert last.state is JobState.DONE
    status = services.models.status("piper_mine")
    assert (status.valid, status.verification) == (True, Verification.VERIFIED)
    take = collect(services.synthesis.speak(SynthesisRequest("Hello.", voice=services.finder.find(name="Mine"))))
    assert take.voice.id == "piper/en_us-mine-medium"
    services.close()


def test_the_spoken_text_is_not_logged(
    engine: PiperEngine, folder: Path, tmp_path: Path, log_handlers_put_back: None
) -> None:
    setup_logging(tmp_path / "studio.log", console=False)
    write_voice(folder, phoneme_type="text", phoneme_id_map={"_": [0], "^": [1], "$": [2], "a": [3]})
    spoken(engine, SynthesisRequest("aXYZZYa", voice=TINY))
    log = (tmp_path / "studio.log").read_text()
    assert "phoneme" not in log  # it would warn of each that the model does not know


def test_without_the_package_voices_are_listed_and_say_what_to_install(folder: Path) -> None:
    write_voice(folder)
    data, out = str(folder.parent.parent), str(folder / "hello.wav")
    check = f"""
import sys
from importlib.abc import MetaPathFinder
class Missing(MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in ("piper", "onnxruntime"):
            raise ModuleNotFoundError(name)
sys.meta_path.insert(0, Missing())
sys.argv = ["tts_core", "voices"]
from tts_core.cli.main import main
assert main(["--data-dir", {data!r}, "voices"]) == 0
raise SystemExit(main(["--data-dir", {data!r}, "speak", "Hello.", "--voice", {TINY!r}, "--out", {out!r}]))
"""
    done = subprocess.run([sys.executable, "-c", check], cwd=ROOT, capture_output=True, text=True, check=False)
    assert TINY in done.stdout
    assert "pip install -r requirements-piper.txt [piper_missing]" in done.stderr
    assert done.returncode == 2


_SPEAK = """
import sys
from pathlib import Path
from tts_core.engines.piper.model import PiperModel
model = PiperModel.load(Path(sys.argv[1]))
print(sum(len(sound) for sound in model.speak("'s" * 150, speaker=None, speed=1.0)))
"""


def test_a_word_of_nothing_but_suffixes_does_not_end_the_process(tmp_path: Path) -> None:
    """Its own espeak-ng keeps a word's suffixes in a buffer of fixed size."""
    command = [sys.executable, "-c", _SPEAK, str(write_voice(tmp_path))]
    done = subprocess.run(command, text=True, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) > 0
