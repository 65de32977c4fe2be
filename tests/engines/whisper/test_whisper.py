"""The code path of every Whisper model, on one of half a megabyte that says what its test wrote into it."""

from __future__ import annotations

import shutil
import socket
import threading
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
import pytest

from tests.engines.whisper.scripted_whisper import HELLO, write_whisper
from tests.engines.whisper.speech import RATE, speech
from tts_core.domain.errors import Cancelled
from tts_core.engines.faults import (
    DeviceUnavailable,
    ModelFileMissing,
    ModelFolderInvalid,
    TranscriptionFailed,
    UnknownSpokenLanguage,
)
from tts_core.engines.whisper.device import WhisperDevice, choose
from tts_core.engines.whisper.model import WhisperModel
from tts_core.engines.whisper.transcript import Segment, TranscriptOptions


@pytest.fixture
def copy(folder: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(folder, tmp_path / "copy"))


def test_it_writes_down_phrases_with_their_times_in_the_language_it_finds(model: WhisperModel) -> None:
    found = model.transcribe(speech(5), RATE)
    assert (found.text, found.language) == ("hello world", "zh")
    assert found.segments == (Segment(0.0, 2.0, "hello"), Segment(2.0, 4.0, "world"))
    assert (model.device, model.place.precision, model.memory_bytes > 100_000) == ("cpu", "int8", True)


def test_no_phrase_ends_after_the_recording(model: WhisperModel) -> None:
    assert model.transcribe(speech(3), RATE).segments[-1] == Segment(2.0, 3.0, "world")


def test_a_translation_is_in_english(model: WhisperModel, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    network: Any = model._network
    generate = network.generate_with_fallback

    def watched(sound: Any, prompt: Any, tokenizer: Any, options: Any) -> Any:
        asked.append(tokenizer.task)
        return generate(sound, prompt, tokenizer, options)

    monkeypatch.setattr(network, "generate_with_fallback", watched)
    found = model.transcribe(speech(1), RATE, options=TranscriptOptions(in_english=True))
    assert (found.language, set(asked)) == ("en", {network.hf_tokenizer.token_to_id("<|translate|>")})


def test_a_language_that_is_asked_for_is_not_looked_for(model: WhisperModel) -> None:
    assert model.transcribe(speech(1), RATE, language="de").language == "de"


def test_a_language_that_the_model_lacks_is_refused(model: WhisperModel, tmp_path: Path) -> None:
    with pytest.raises(UnknownSpokenLanguage, match="'fr'"):
        model.transcribe(speech(1), RATE, language="fr")
    english = WhisperModel.load(write_whisper(tmp_path, HELLO, multilingual=False), threads=1)
    with pytest.raises(UnknownSpokenLanguage):
        english.transcribe(speech(1), RATE, language="de")
    found = english.transcribe(speech(5), RATE)
    assert (found.text, found.language) == ("hello world", "en")


def test_a_long_recording_is_heard_window_by_window(model: WhisperModel) -> None:
    reported: list[tuple[float, float]] = []
    found = model.transcribe(speech(70), RATE, progress=lambda done_s, total_s: reported.append((done_s, total_s)))
    assert [one.start_s for one in found.segments] == [0, 2, 30, 32, 60, 62]
    assert found.text == "hello world hello world hello world"
    assert reported == [(0, 70), (2, 70), (4, 70), (32, 70), (34, 70), (62, 70), (64, 70), (70, 70)]


@pytest.mark.parametrize("sound", [np.zeros(8 * RATE), np.random.default_rng(0).normal(0, 0.1, 8 * RATE)])
def test_where_nobody_speaks_nothing_is_invented(model: WhisperModel, sound: np.ndarray) -> None:
    found = model.transcribe(sound.astype(np.float32), RATE)
    assert (found.text, found.language, found.segments) == ("", "", ())
    assert model.transcribe(np.zeros(0, np.float32), RATE, language="de").language == "de"


def test_who_cancels_waits_for_nothing_and_the_work_ends_at_its_next_step(
    copy: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = WhisperModel.load(copy, threads=1)
    begun, go_on = threading.Event(), threading.Event()
    assert model._network is not None
    encode = model._network.encode

    def slow(features: object) -> object:
        begun.set()
        assert go_on.wait(60)
        return encode(features)

    monkeypatch.setattr(model._network, "encode", slow)
    with pytest.raises(Cancelled):
        model.transcribe(speech(1), RATE, cancelled=begun.is_set)
    with pytest.raises(Cancelled):  # the first one is still in its window
        model.transcribe(speech(1), RATE, cancelled=lambda: True)
    go_on.set()
    assert model.transcribe(speech(1), RATE).text.startswith("hello")  # it works as before


def test_chance_is_asked_for_and_a_prompt_may_hold_anything(model: WhisperModel) -> None:
    options = TranscriptOptions(prompt="Names: Ærøskøbing <|endoftext|><|0.00|> 你好" * 200, temperature=0.5)
    assert model.transcribe(speech(1), RATE, options=options).language == "zh"


def test_a_closed_model_says_so(folder: Path) -> None:
    model = WhisperModel.load(folder, threads=1)
    model.close()
    with pytest.raises(TranscriptionFailed, match="closed"):
        model.transcribe(speech(1), RATE)


def test_it_asks_no_network(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> NoReturn:
        raise AssertionError("the network is asked")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    assert WhisperModel.load(folder, threads=1).transcribe(speech(1), RATE).text.startswith("hello")


def test_reading_reports_its_progress(folder: Path) -> None:
    reported: list[tuple[int, int]] = []
    WhisperModel.load(folder, progress=lambda done, total: reported.append((done, total)))
    size = (folder / "model.bin").stat().st_size
    assert reported == [(0, size), (size, size)]


def test_a_card_that_does_not_work_is_left_for_the_cpu(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """CTranslate2 finds a card, and then no library for it."""
    monkeypatch.setattr(
        "tts_core.engines.whisper.model.choose",
        lambda _device: WhisperDevice("cuda:0", "float16", advice="Install it."),
    )
    model = WhisperModel.load(folder, device="auto", threads=1)
    assert (model.device, model.place.precision) == ("cpu", "int8")
    assert "CUDA" in model.device_reason
    assert model.device_reason.endswith("Install it.")
    assert model.transcribe(speech(1), RATE).text.startswith("hello")


def test_devices_are_those_of_torch_and_only_cards_that_are_there() -> None:
    assert choose("cpu").device == choose("mps").device == "cpu"
    with pytest.raises(DeviceUnavailable, match="cuda:99"):
        choose("cuda:99")


@pytest.mark.parametrize("name", ["config.json", "model.bin", "tokenizer.json"])
def test_a_missing_file_is_named(copy: Path, name: str) -> None:
    (copy / name).unlink()
    with pytest.raises(ModelFileMissing, match=name):
        WhisperModel.load(copy)


@pytest.mark.parametrize("name", ["config.json", "model.bin", "tokenizer.json"])
def test_a_file_with_other_contents_is_named(copy: Path, name: str) -> None:
    for contents in (b"<html>no</html>", b"[]", (copy / name).read_bytes()[:-20]):
        (copy / name).write_bytes(contents)
        with pytest.raises(ModelFolderInvalid, match=name):
            WhisperModel.load(copy)


def test_the_config_of_another_kind_is_refused(copy: Path) -> None:
    (copy / "config.json").write_text('{"model_type": "whisper"}')
    with pytest.raises(ModelFolderInvalid, match="no Whisper model"):
        WhisperModel.load(copy)


def test_without_its_vocabulary_it_is_refused(copy: Path) -> None:
    (copy / "vocabulary.json").unlink()
    with pytest.raises(ModelFolderInvalid, match="vocabulary"):
        WhisperModel.load(copy)
