"""The command line speaks with models: recorded codes, clones, the codec tool, random checkpoints, what is refused."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch

from tests.cli.conftest import Answer, Run
from tests.engines.qwen.formula_checkpoint import reference_audio, write_checkpoint
from tests.engines.qwen.golden import golden

FULL = ("--text", "hello world", "--greedy", "--max-frames", "24")
Speak = Callable[..., Answer]


@pytest.fixture(autouse=True, scope="module")
def one_thread() -> None:
    """See tests/engines/qwen/conftest.py."""
    torch.set_num_threads(1)


@pytest.fixture(scope="session")
def folders(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A formula checkpoint of each kind, in folders named after it, and the recorded clones' reference."""
    root = tmp_path_factory.mktemp("models")
    for kind in ("custom_voice", "base", "voice_design"):
        write_checkpoint(root / kind, kind=kind, geometry="a")
    soundfile.write(root / "reference.wav", reference_audio(), 24_000, subtype="FLOAT")
    return root


@pytest.fixture
def speak(run: Run, folders: Path, tmp_path: Path) -> Speak:
    def speak(kind: str, *arguments: str | Path) -> Answer:
        files = ("--out", tmp_path / "out.wav", "--codes", tmp_path / "out.npy", "--force", "--json")
        return run("speak", "--model-dir", folders / kind, "--device", "cpu", *files, *arguments)

    return speak


def check_recorded(folder: Path, case: str) -> None:
    codes, recorded = np.load(folder / "out.npy"), golden("a")
    np.testing.assert_array_equal(codes, recorded[f"{case}/codes"][0])
    sound, rate = soundfile.read(folder / "out.wav")
    assert (rate, len(sound)) == (24_000, 1920 * len(codes))
    if f"{case}/wav0" in recorded:
        np.testing.assert_allclose(sound, recorded[f"{case}/wav0"] / 32767, rtol=0, atol=1e-3)


@pytest.mark.parametrize("mode", ["full", "stream"])
def test_a_preset_speaker_says_the_recorded_codes(speak: Speak, tmp_path: Path, mode: str) -> None:
    answer = speak("custom_voice", *FULL, "--speaker", "Ryan", "--language", "English", "--text-mode", mode)
    facts = json.loads(answer.out)
    assert (answer.status, facts["voice"], facts["stop_reason"]) == (0, "folder/ryan", "max_length")
    check_recorded(tmp_path, f"custom_english/{mode}")


def test_an_instruction_that_a_small_model_ignores_is_left_out_and_said(speak: Speak, tmp_path: Path) -> None:
    answer = speak(
        "custom_voice", *FULL, "--speaker", "serena", "--language", "German", "--instruct", "speak brown fox"
    )
    assert "left out" in answer.err
    check_recorded(tmp_path, "custom_instruct/full")


def test_a_described_voice_says_the_recorded_codes(speak: Speak, tmp_path: Path) -> None:
    assert speak("voice_design", *FULL, "--language", "French", "--instruct", "a lazy dog voice").status == 0
    check_recorded(tmp_path, "design/full")


def test_clones_say_the_recorded_codes(speak: Speak, folders: Path, tmp_path: Path) -> None:
    reference = ("--ref-audio", folders / "reference.wav")
    assert speak("base", *FULL, *reference, "--ref-text", "over a lazy dog", "--language", "English").status == 0
    check_recorded(tmp_path, "clone_icl/full")
    assert speak("base", *FULL, *reference, "--x-vector-only").status == 0
    check_recorded(tmp_path, "clone_xvector/full")


def test_a_seed_repeats_a_take(speak: Speak, tmp_path: Path) -> None:
    takes = []
    for seed in ("7", "7", "8"):
        assert speak("custom_voice", "--text", "a fox", "--max-frames", "9", "--seed", seed).status == 0
        takes.append(np.load(tmp_path / "out.npy"))
    np.testing.assert_array_equal(takes[0], takes[1])
    assert not np.array_equal(takes[0], takes[2])


def test_a_terminal_sees_how_far_loading_is(speak: Speak, monkeypatch: pytest.MonkeyPatch) -> None:
    shown: list[str] = []
    monkeypatch.setattr("tts_core.cli.progress.show", shown.append)
    assert speak("custom_voice", "--text", "a fox", "--max-frames", "2").status == 0
    loading = [text for text in shown if text.startswith("Loading custom_voice … ")]
    assert loading[-1].endswith(" 100 %")


def test_int8_weights_speak_on_the_cpu(speak: Speak, tmp_path: Path) -> None:
    answer = speak("custom_voice", "--text", "a fox", "--max-frames", "4", "--device", "cpu", "--precision", "int8")
    assert answer.status == 0, answer.err
    assert np.load(tmp_path / "out.npy").shape == (3, 16)


@pytest.mark.parametrize(
    ("kind", "arguments", "code"),
    [
        ("custom_voice", ("--speaker", "nobody"), "voice_not_found"),
        ("custom_voice", ("--language", "Klingonese"), "unknown_language"),
        ("custom_voice", ("--precision", "int3"), "invalid_setting"),
        ("custom_voice", ("--device", "abacus"), "device_unavailable"),
        ("custom_voice", ("--speed", "1.5"), "speed_not_supported"),
        ("custom_voice", ("--ref-audio", "{models}/reference.wav", "--x-vector-only"), "clone_not_supported"),
        ("custom_voice", ("--max-frames", "0"), "invalid_value"),
        ("custom_voice", ("--ref-text", "hm"), "invalid_request"),
        ("voice_design", (), "instruct_required"),
        ("base", (), "reference_required"),
        ("base", ("--ref-audio", "{models}/reference.wav"), "invalid_request"),
        ("base", ("--ref-audio", "{models}/base/config.json", "--x-vector-only"), "audio_unreadable"),
        ("nothing", (), "model_file_missing"),
        ("base/speech_tokenizer", (), "model_config_invalid"),
    ],
)
def test_what_a_model_cannot_do_is_said(
    speak: Speak, folders: Path, tmp_path: Path, kind: str, arguments: tuple[str, ...], code: str
) -> None:
    answer = speak(kind, "--text", "hello", *(argument.replace("{models}", str(folders)) for argument in arguments))
    assert (answer.status, answer.err.count("\n"), answer.err.endswith(f"[{code}]\n")) == (2, 1, True), answer.err
    assert not (tmp_path / "out.wav").exists()


def test_the_codec_tool_goes_there_and_back(run: Run, folders: Path, tmp_path: Path) -> None:
    codes, sound = tmp_path / "a.npy", tmp_path / "a.wav"
    model = ("--model-dir", folders / "base")
    assert run("codec", "encode", *model, "--audio", folders / "reference.wav", "--out", codes).status == 0
    np.testing.assert_array_equal(np.load(codes), golden("a")["clone/ref_codes"])
    own_folder = ("--model-dir", folders / "base" / "speech_tokenizer")
    assert run("codec", "decode", *own_folder, "--codes", codes, "--out", sound).status == 0
    assert soundfile.info(sound).frames == 1920 * len(np.load(codes))
    assert "[out_exists]" in run("codec", "decode", *model, "--codes", codes, "--out", sound).err
    np.save(codes, np.full((3, 16), 2048))
    assert "[codes_unreadable]" in run("codec", "decode", *model, "--codes", codes, "--out", tmp_path / "b.wav").err


@pytest.mark.parametrize("kind", ["custom_voice", "base", "voice_design"])
def test_a_random_checkpoint_can_be_loaded(run: Run, folders: Path, tmp_path: Path, kind: str) -> None:
    folder = tmp_path / "random"
    assert run("make-checkpoint", folder, "--kind", kind).status == 0
    assert "[out_exists]" in run("make-checkpoint", folder).err
    voice: dict[str, tuple[str | Path, ...]] = {
        "base": ("--ref-audio", folders / "reference.wav", "--ref-text", "hello"),
        "voice_design": ("--instruct", "calm"),
    }
    out = ("--out", tmp_path / "a.wav", "--max-frames", "4")
    answer = run("speak", "--model-dir", folder, "--text", "hello", *out, *voice.get(kind, ()))
    assert answer.status == 0, answer.err
