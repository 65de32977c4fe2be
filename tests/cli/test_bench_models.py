"""What `bench` measures of a model: real takes, real loads, and another engine in a process of its own."""

from __future__ import annotations

import json
import os
from argparse import Namespace
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.cli.conftest import Run
from tests.engines.qwen.formula_checkpoint import write_checkpoint
from tts_core.cli.bench.hearing import Chunk, Playback
from tts_core.cli.bench.model import model_folder
from tts_core.cli.bench.synth import ratios
from tts_core.platform.paths import Paths

pytestmark = pytest.mark.thorough

FRAMES = 6
PEER = """
import os
import time
import numpy as np
import torch

class Talker:
    codec_head = torch.nn.Linear(4, 10)

class TalkerConfig:
    spk_id, codec_eos_token_id = {"ann": 0}, 9

class Config:
    talker_config = TalkerConfig

class Inner:
    tts_model_type, config, talker = "custom_voice", Config, Talker

class Qwen3TTSModel:
    model = Inner

    @classmethod
    def from_pretrained(cls, folder, dtype, device_map):
        print("a word on stdout that is no answer")
        assert os.path.isfile(os.path.join(folder, "config.json"))
        return cls()

    def generate_custom_voice(self, text, speaker, language, max_new_tokens):
        assert (speaker, language) == ("ann", "Auto")
        assert Talker.codec_head(torch.zeros(1, 4))[0].isinf().tolist() == 9 * [False] + [True]
        ACT
        sound = np.zeros((max_new_tokens - 1) * 1920)
        sound[2400:] = 0.5
        return [sound], 24_000
"""
"""A package of the published one's name and methods, whose model makes 0.1 s of silence and then a hum."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_checkpoint(tmp_path_factory.mktemp("models") / "custom_voice")


@pytest.fixture
def install_peer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Where the peer's Python finds it; what is given, it does when it speaks."""

    def install(act: str) -> None:
        package = tmp_path / "packages" / "qwen_tts"
        package.mkdir(parents=True)
        (package / "__init__.py").write_text(PEER.replace("ACT", act))
        monkeypatch.setenv("PYTHONPATH", str(package.parent))

    return install


def arguments(folder: Path, *options: str) -> tuple[str | Path, ...]:
    return ("bench", "synth", "--model-dir", folder, "--device", "cpu", "--frames", str(FRAMES), *options)


def test_takes_are_measured_and_their_parts_add_up(run: Run, folder: Path) -> None:
    answer = run(*arguments(folder, "--runs", "1"))
    report = json.loads(answer.out)
    settings = report["settings"]
    assert (answer.status, report["bench"], settings["frames"], report["frames"]) == (0, "synth", FRAMES, FRAMES)
    assert (settings["kind"], settings["device"], settings["precision"]) == ("custom_voice", "cpu", "float32")
    assert settings["prompt_positions"] > 10
    parts = report["frame_ms"]
    total = parts.pop("total")
    assert sum(parts.values()) == pytest.approx(total, abs=0.01)
    assert all(parts[name] > 0 for name in ("prefill", "talker", "code_predictor", "codec"))
    assert 0 < report["first_byte_s"]["median"] <= report["first_audible_s"]["median"]
    assert 1_000_000 < report["memory"]["weights_bytes"] < report["memory"]["peak_bytes"]
    assert report["rtf"]["median"] > 0
    assert f"{report['rtf']['median']:.2f} times real time" in answer.err
    assert "peer" not in report


def test_a_peer_speaks_in_turn_in_a_process_of_its_own(
    run: Run, folder: Path, install_peer: Callable[[str], None]
) -> None:
    install_peer("time.sleep(0.1)")  # what it takes to speak
    answer = run(*arguments(folder, "--runs", "2", "--peer", "qwen-tts"))
    report = json.loads(answer.out)
    assert (answer.status, report["frames"], report["peer"]["frames"]) == (0, FRAMES, FRAMES), answer
    peer = report["peer"]
    assert (peer["name"], peer["precision"], peer["versions"]["torch"]) == (
        "qwen-tts",
        "float32",
        report["versions"]["torch"],
    )
    assert peer["first_audible_s"]["median"] == pytest.approx(peer["first_byte_s"]["median"] + 0.1, abs=0.001)
    assert peer["memory"]["peak_bytes"] > 50_000_000
    ratio, mine, theirs = report["ratio"]["rtf"], report["rtf"], peer["rtf"]
    assert 0.99 * mine["min"] / theirs["max"] <= ratio["min"] <= ratio["max"] <= 1.01 * mine["max"] / theirs["min"]


@pytest.mark.parametrize(
    ("act", "code", "reason"),
    [
        ("os._exit(3)", "measurement_failed", "status 3"),
        ("raise ValueError('no voice today')", "measurement_failed", "ValueError: no voice today"),
    ],
)
def test_a_peer_that_fails_is_told_apart(
    run: Run, folder: Path, install_peer: Callable[[str], None], act: str, code: str, reason: str
) -> None:
    install_peer(act)
    answer = run(*arguments(folder, "--peer", "qwen-tts"))
    assert (answer.status, answer.out) == (2, "")
    assert reason in answer.err
    assert f"[{code}]" in answer.err


@pytest.mark.parametrize(
    ("options", "code"),
    [
        (("--peer", "qwen-tts"), "peer_missing"),
        (("--peer", "qwen-tts", "--peer-python", "no-such-python"), "peer_missing"),
        (("--peer", "faster-qwen3-tts"), "peer_needs_cuda"),
    ],
)
def test_a_peer_that_can_not_run_here_is_an_error(run: Run, folder: Path, options: tuple[str, ...], code: str) -> None:
    """The tests' own Python has none of them."""
    answer = run(*arguments(folder, *options))
    assert (answer.status, answer.out) == (2, "")
    assert f"[{code}]" in answer.err


def test_ratios_are_of_takes_made_right_after_each_other() -> None:
    ours = [heard(1.0, first=0.1), heard(2.0, first=0.1), heard(4.0, first=0.4)]
    theirs = [heard(2.0, first=2.0), heard(8.0, first=8.0), heard(8.0, first=8.0)]
    found = ratios(ours, theirs)
    assert found["rtf"] == {"median": 2.0, "min": 2.0, "max": 4.0}
    assert found["first_byte"] == {"median": 20.0, "min": 20.0, "max": 80.0}
    assert found["first_audible"] == found["first_byte"]


def test_sound_is_heard_when_it_is_played() -> None:
    """0.08 s at 1000 Hz each; the first is silent, the second comes 0.1 s late and is loud from its 20th sample on."""
    take = Playback((Chunk(1.0, 80, None), Chunk(1.18, 80, 20), Chunk(1.2, 80, 0)), wall_s=1.2, sample_rate=1000)
    assert take.first_byte_s == 1.0
    assert take.first_audible_s == pytest.approx(1.18 + 0.02)
    assert (take.underruns, take.frames) == (1, 3)
    assert take.rtf == pytest.approx(0.24 / 1.2)
    early = Playback((Chunk(1.0, 80, None), Chunk(1.01, 80, 20)), wall_s=1.1, sample_rate=1000)
    assert early.first_audible_s == pytest.approx(1.0 + 0.08 + 0.02)
    assert early.underruns == 0
    silent = Playback((Chunk(1.0, 80, None),), wall_s=1.1, sample_rate=1000)
    assert silent.first_audible_s == pytest.approx(1.08)


def test_random_weights_are_made_once(tmp_path: Path) -> None:
    paths = Paths(data_dir=tmp_path, models_dir=tmp_path / "models")
    asked = Namespace(model_dir=None, geometry="tiny", kind="voice_design")
    made = []
    for _ in range(2):
        folder = model_folder(asked, paths)
        made.append((folder / "model.safetensors").stat().st_mtime_ns)
    assert made[0] == made[1]
    assert json.loads((folder / "config.json").read_text())["tts_model_type"] == "voice_design"
    assert [path.name for path in paths.bench_dir.iterdir()] == [folder.name]


def test_many_at_once_are_measured(run: Run, folder: Path) -> None:
    options = ("--model-dir", folder, "--device", "cpu", "--clients", "3", "--frames", "4", "--runs", "1")
    answer = run("bench", "serve", *options)
    report = json.loads(answer.out)
    settings = report["settings"]
    assert (answer.status, report["bench"], settings["clients"], settings["slots"]) == (0, "serve", 3, 1)
    assert 0 < report["first_byte_s"]["p50"] <= report["first_byte_s"]["p95"]
    assert report["audio_s_per_s"] * report["frame_ms"] == pytest.approx(3 * 80, rel=0.01)


@pytest.mark.thorough
@pytest.mark.slow
def test_loading_is_measured_from_the_disk_and_again(run: Run, folder: Path) -> None:
    answer = run("bench", "load", "--model-dir", folder, "--device", "cpu", "--runs", "1")
    report = json.loads(answer.out)
    assert (answer.status, report["bench"], report["settings"]["precision"]) == (0, "load", "float32"), answer
    assert (report["cold"] is None) == (not hasattr(os, "posix_fadvise"))
    assert report["warm"]["load_s"]["median"] > 0
    memory = report["memory"]
    assert 1_000_000 < memory["weights_bytes"] < memory["memory_bytes"] <= memory["peak_bytes"]
    assert "from the cache" in answer.err


def test_a_folder_that_can_not_be_loaded_is_an_error(run: Run, tmp_path: Path) -> None:
    answer = run("bench", "load", "--model-dir", tmp_path, "--device", "cpu", "--runs", "1")
    assert (answer.status, answer.out) == (2, "")
    assert "[model_file_missing]" in answer.err


def heard(wall_s: float, *, first: float) -> Playback:
    """A take of a second."""
    return Playback((Chunk(first, 24_000, 0),), wall_s, 24_000)
