"""The real Whisper code path, on a model of a few kilobytes that says what its test wrote into it."""

from __future__ import annotations

import json
import shutil
import socket
import threading
import time
from pathlib import Path
from typing import Any, NoReturn

import pytest
import torch
from safetensors.torch import load_file, save_file

from tests.engines.whisper.conftest import noise
from tests.engines.whisper.scripted_whisper import HELLO, change_json, write_whisper
from tts_core.domain.errors import Cancelled, InvalidRequest
from tts_core.engines.faults import (
    ModelFileMissing,
    ModelFolderInvalid,
    TranscriptionFailed,
    UnknownSpokenLanguage,
    WeightsMismatch,
    WeightsUnreadable,
)
from tts_core.engines.whisper import model as whisper
from tts_core.engines.whisper.model import WhisperModel
from tts_core.engines.whisper.transcript import Segment, TranscriptOptions

FILES = ("config.json", "generation_config.json", "model.safetensors", "preprocessor_config.json", "tokenizer.json")


@pytest.fixture
def copy(folder: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(folder, tmp_path / "copy"))


def test_it_writes_down_phrases_with_their_times_in_the_language_it_finds(model: WhisperModel) -> None:
    found = model.transcribe(noise(5, 48_000), 48_000)
    assert (found.text, found.language) == ("hello world", "zh")
    assert found.segments == (Segment(0.0, 2.0, "hello"), Segment(2.0, 4.0, "world"))
    assert (model.device, model.memory_bytes > 100_000) == ("cpu", True)


def test_no_phrase_ends_after_the_recording(model: WhisperModel) -> None:
    assert model.transcribe(noise(3), 16_000).segments[-1] == Segment(2.0, 3.0, "world")


def test_words_have_times_within_their_phrase(model: WhisperModel) -> None:
    found = model.transcribe(noise(5), 16_000, language="en", options=TranscriptOptions(with_words=True))
    assert [[word.text for word in one.words] for one in found.segments] == [["hello"], ["world"]]
    assert all(0 <= word.start_s <= word.end_s <= one.end_s for one in found.segments for word in one.words)


def test_words_of_a_later_block_have_the_recordings_times(model: WhisperModel, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(whisper, "BLOCK_S", 30.0)
    found = model.transcribe(noise(64), 16_000, language="en", options=TranscriptOptions(with_words=True))
    words = [word for one in found.segments for word in one.words]
    assert len(words) == len(found.segments)
    assert all(one.start_s <= one.words[0].end_s <= one.end_s for one in found.segments)


def test_a_model_that_cannot_time_words_says_so(copy: Path) -> None:
    data = json.loads((copy / "generation_config.json").read_text(encoding="utf-8"))
    del data["alignment_heads"]
    (copy / "generation_config.json").write_text(json.dumps(data), encoding="utf-8")
    with pytest.raises(InvalidRequest, match="words"):
        WhisperModel.load(copy).transcribe(noise(1), 16_000, options=TranscriptOptions(with_words=True))


def test_a_translation_is_in_english(model: WhisperModel, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    real: Any = model._model
    generate = real.generate

    def watched(**fields: Any) -> Any:
        asked.append(fields["task"])
        return generate(**fields)

    monkeypatch.setattr(model._model, "generate", watched)
    assert model.transcribe(noise(1), 16_000, options=TranscriptOptions(in_english=True)).language == "en"
    assert asked == ["translate"]


def test_a_language_that_is_asked_for_is_not_looked_for(model: WhisperModel, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(model._model, "detect_language", None)
    assert model.transcribe(noise(1), 16_000, language="de").language == "de"


def test_a_language_that_the_model_lacks_is_refused(model: WhisperModel, tmp_path: Path) -> None:
    with pytest.raises(UnknownSpokenLanguage, match="'fr'"):
        model.transcribe(noise(1), 16_000, language="fr")
    english = WhisperModel.load(write_whisper(tmp_path, HELLO, multilingual=False))
    with pytest.raises(UnknownSpokenLanguage):
        english.transcribe(noise(1), 16_000, language="de")
    found = english.transcribe(noise(5), 16_000)
    assert (found.text, found.language) == ("hello world", "en")


def test_a_long_recording_is_heard_window_by_window(model: WhisperModel) -> None:
    told: list[tuple[float, float]] = []
    found = model.transcribe(noise(70), 16_000, progress=lambda done_s, total_s: told.append((done_s, total_s)))
    assert [one.start_s for one in found.segments] == [0, 2, 30, 32, 60, 62]
    assert found.text == "hello world hello world hello world"
    assert told == [(0, 70), (30, 70), (60, 70), (70, 70)]


def test_a_phrase_that_a_block_may_cut_is_heard_again(model: WhisperModel, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(whisper, "BLOCK_S", 60.0)
    told: list[float] = []
    found = model.transcribe(noise(100), 16_000, language="en", progress=lambda done_s, _total_s: told.append(done_s))
    # Blocks from 0, 32 and 64: each begins where the last phrase of the one before, left out there, began.
    assert [one.start_s for one in found.segments] == [0, 2, 30, 32, 34, 62, 64, 66, 94, 96]
    assert told == sorted(told)


def test_one_phrase_of_a_block_is_kept(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(whisper, "BLOCK_S", 30.0)
    model = WhisperModel.load(write_whisper(tmp_path, ("<|en|>", "<|0.00|>", "a", "<|29.00|>", "<|endoftext|>")))
    found = model.transcribe(noise(50), 16_000, language="en")
    assert [(one.start_s, one.end_s) for one in found.segments] == [(0, 29), (30, 50)]


def test_it_stops_between_two_tokens(model: WhisperModel) -> None:
    asked: list[float] = []

    def cancelled() -> bool:
        asked.append(time.monotonic())
        return len(asked) > 5

    with pytest.raises(Cancelled):
        model.transcribe(noise(70), 16_000, cancelled=cancelled)
    assert len(asked) == 6
    assert model.transcribe(noise(1), 16_000).text.startswith("hello")  # it works as before


def test_who_waits_for_another_recording_can_stop(model: WhisperModel) -> None:
    begun, go_on = threading.Event(), threading.Event()

    def cancelled() -> bool:
        begun.set()
        return go_on.wait(30)

    def other() -> None:
        with pytest.raises(Cancelled):
            model.transcribe(noise(1), 16_000, cancelled=cancelled)

    thread = threading.Thread(target=other)
    thread.start()
    assert begun.wait(30)
    with pytest.raises(Cancelled):
        model.transcribe(noise(1), 16_000, cancelled=lambda: True)
    go_on.set()
    thread.join(30)
    assert not thread.is_alive()


def test_chance_is_the_same_each_time_and_nobody_else_s(tmp_path: Path) -> None:
    """A model that says nothing it is sure of tries every temperature."""
    folder = write_whisper(tmp_path, ("<|en|>",))
    change_json(folder / "generation_config.json", max_length=10)
    model = WhisperModel.load(folder)
    torch.manual_seed(7)
    expected = torch.rand(3)
    torch.manual_seed(7)
    first = model.transcribe(noise(1), 16_000, language="en")
    assert torch.equal(torch.rand(3), expected)
    assert model.transcribe(noise(1), 16_000, language="en") == first


def test_a_closed_model_says_so(folder: Path) -> None:
    model = WhisperModel.load(folder)
    model.close()
    with pytest.raises(TranscriptionFailed, match="closed"):
        model.transcribe(noise(1), 16_000)


def test_loading_tells_its_progress(folder: Path) -> None:
    told: list[tuple[int, int]] = []
    WhisperModel.load(folder, progress=lambda done, total: told.append((done, total)))
    size = (folder / "model.safetensors").stat().st_size
    assert (told[0], told[-1]) == ((0, size), (size, size))


def test_nothing_touches_the_network(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def forbidden(*_arguments: object) -> NoReturn:
        raise AssertionError("the network was touched")

    for name in ("connect", "connect_ex", "sendto"):
        monkeypatch.setattr(socket.socket, name, forbidden)
    monkeypatch.setattr(socket, "getaddrinfo", forbidden)
    assert WhisperModel.load(folder).transcribe(noise(1), 16_000).text.startswith("hello")


@pytest.mark.parametrize("name", FILES)
def test_a_missing_file_is_named_and_not_fetched(copy: Path, name: str) -> None:
    (copy / name).unlink()
    with pytest.raises(ModelFileMissing, match=name):
        WhisperModel.load(copy)


@pytest.mark.parametrize("name", FILES)
def test_a_file_with_other_contents_is_named(copy: Path, name: str) -> None:
    for contents in (b"<html>no</html>", b"[]", (copy / name).read_bytes()[:-20]):
        (copy / name).write_bytes(contents)
        with pytest.raises(ModelFolderInvalid, match=name):
            WhisperModel.load(copy)


def test_the_config_of_another_kind_is_refused(copy: Path) -> None:
    change_json(copy / "config.json", model_type="qwen3_tts")
    with pytest.raises(ModelFolderInvalid, match="no Whisper model"):
        WhisperModel.load(copy)


@pytest.mark.parametrize("fields", [{"d_model": "wide"}, {"d_model": 63}, {"encoder_layers": None}])
def test_a_config_that_makes_no_model_is_refused(copy: Path, fields: dict[str, object]) -> None:
    change_json(copy / "config.json", **fields)
    with pytest.raises(ModelFolderInvalid):
        WhisperModel.load(copy)


def test_weights_of_another_model_are_refused(copy: Path) -> None:
    change_json(copy / "config.json", decoder_layers=2)
    with pytest.raises(WeightsMismatch, match=r"decoder\.layers\.1"):
        WhisperModel.load(copy)
    change_json(copy / "config.json", decoder_layers=1)
    weights = load_file(copy / "model.safetensors")
    weights["model.encoder.conv1.weight"] = torch.zeros(3)
    save_file(weights, copy / "model.safetensors", {"format": "pt"})
    with pytest.raises(WeightsMismatch, match=r"wrong shape: model\.encoder\.conv1\.weight"):
        WhisperModel.load(copy)


def test_only_safetensors_are_read(copy: Path) -> None:
    """Older formats are pickles, which may run code."""
    (copy / "model.safetensors").rename(copy / "pytorch_model.bin")
    with pytest.raises(ModelFileMissing, match=r"model\.safetensors"):
        WhisperModel.load(copy)
    (copy / "model.safetensors").write_bytes(b"\x80\x04K\x01.")
    with pytest.raises(WeightsUnreadable):
        WhisperModel.load(copy)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no graphics card")
def test_a_graphics_card_computes_in_half_precision(folder: Path) -> None:
    model = WhisperModel.load(folder, device="cuda:0")
    assert model._model is not None
    assert model._model.dtype == torch.float16
    assert model.transcribe(noise(70), 16_000).text == "hello world hello world hello world"
