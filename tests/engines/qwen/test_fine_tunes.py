"""Checkpoints as trainers write them load and speak the same sound as the plain one, or say why not."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.numpy import load_file, save_file

from tests.engines.qwen.conftest import WriteCheckpoint
from tests.models.model_folders import catalogue_entry, write_catalogue
from tts_core.domain.engine import never
from tts_core.domain.events import AudioChunk, Samples
from tts_core.engines.faults import ModelConfigInvalid, ModelFolderInvalid, WeightsMismatch, WeightsUnreadable
from tts_core.engines.qwen.cloning.speaker import SpeakerEncoder
from tts_core.engines.qwen.codec.codec import Codec
from tts_core.engines.qwen.folder_check import FolderCheck
from tts_core.engines.qwen.speech_model import QwenModel, SpeechRequest
from tts_core.engines.qwen.talker.config import SpeechModelConfig, read_model_config, read_speech_tokenizer_config
from tts_core.engines.qwen.talker.expected import encoder_shapes, talker_shapes
from tts_core.engines.qwen.talker.prompt import PresetSpeaker, PromptRequest
from tts_core.engines.qwen.talker.talker import Talker
from tts_core.engines.qwen.talker.text_tokenizer import TextTokenizer
from tts_core.engines.qwen.talker.weights import build_on_meta
from tts_core.models.catalogue import ModelKind, load_catalogue
from tts_core.models.files.findings import ModelState, NextStep, Verification
from tts_core.models.status import ModelStatus, ModelStatuses

Json = dict[str, Any]
Variation = Callable[[Path], None]
PACKAGE_DEFAULTS = {"rms_norm_eps": 1e-6, "hidden_act": "silu", "attention_bias": False, "use_sliding_window": False}
"""Some of the defaults of qwen-tts 0.1.1, which it leaves out when it saves."""


def changed(file: Path, change: Callable[[Json], None]) -> None:
    data = json.loads(file.read_text())
    change(data)
    file.write_text(json.dumps(data))


def talker(change: Callable[[Json], None]) -> Variation:
    """Change both of the talker's configs."""

    def vary(folder: Path) -> None:
        def both(data: Json) -> None:
            change(data["talker_config"])
            change(data["talker_config"]["code_predictor_config"])

        changed(folder / "config.json", both)

    return vary


def mixed_case(folder: Path) -> None:
    def rename(data: Json) -> None:
        section = data["talker_config"]
        section["spk_id"] = {name.title(): number for name, number in section["spk_id"].items()}
        section["spk_is_dialect"] = {name.title(): dialect for name, dialect in section["spk_is_dialect"].items()}

    changed(folder / "config.json", rename)


def with_leftovers(folder: Path) -> None:
    weights = load_file(folder / "model.safetensors")
    weights["speaker_encoder.fc.weight"] = np.ones((4, 4), np.float32)
    weights["talker.model.rotary_emb.inv_freq"] = np.ones(8, np.float32)
    weights["talker.model.layers.0.self_attn.rotary_emb.original_inv_freq"] = np.ones(8, np.float32)
    save_file(weights, folder / "model.safetensors")


def as_transformers_5(section: Json) -> None:
    scaling = section.pop("rope_scaling", None) or {}
    section["rope_parameters"] = {"rope_type": "default", **scaling, "rope_theta": section.pop("rope_theta")}


def without_defaults(section: Json) -> None:
    for key, value in PACKAGE_DEFAULTS.items():
        if section.get(key) == value:
            del section[key]


def without_dialects(folder: Path) -> None:
    changed(folder / "config.json", lambda data: data["talker_config"].pop("spk_is_dialect"))


def one_tokenizer_file(folder: Path) -> None:
    TextTokenizer(folder)._tokenizer.save(str(folder / "tokenizer.json"))
    for name in ("vocab.json", "merges.txt", "tokenizer_config.json"):
        (folder / name).unlink()


def tokenizer_of_transformers_5(folder: Path) -> None:
    TextTokenizer(folder)._tokenizer.save(str(folder / "tokenizer.json"))
    for name in ("vocab.json", "merges.txt"):
        (folder / name).unlink()
    changed(folder / "tokenizer_config.json", lambda data: data.pop("added_tokens_decoder"))


def sharded(folder: Path) -> None:
    weights = load_file(folder / "model.safetensors")
    names = sorted(weights)
    half = len(names) // 2
    shards = {"model-00001-of-00002.safetensors": names[:half], "model-00002-of-00002.safetensors": names[half:]}
    for shard, inside in shards.items():
        save_file({name: weights[name] for name in inside}, folder / shard)
    index = {"metadata": {}, "weight_map": {name: shard for shard, inside in shards.items() for name in inside}}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))
    (folder / "model.safetensors").unlink()


def without_generation(folder: Path) -> None:
    (folder / "generation_config.json").unlink()


def part_of_generation(folder: Path) -> None:
    def drop_half(data: Json) -> None:
        for key in list(data)[::2]:
            del data[key]

    changed(folder / "generation_config.json", drop_half)


SPEAKING: dict[str, Variation] = {
    "mixed case": mixed_case,
    "left-over weights": with_leftovers,
    "transformers 5": talker(as_transformers_5),
    "omitted defaults": talker(without_defaults),
    "no dialects": without_dialects,
    "tokenizer.json alone": one_tokenizer_file,
    "tokenizer of transformers 5": tokenizer_of_transformers_5,
    "shards": sharded,
    "no generation_config": without_generation,
    "part of generation_config": part_of_generation,
}


def sound(folder: Path) -> Samples:
    model = QwenModel.load(folder, device="cpu")
    request = SpeechRequest(PromptRequest("hello world", PresetSpeaker("Ryan"), "English"), seed=1, max_frames=4)
    try:
        return np.concatenate([event.samples for event in model.stream(request) if isinstance(event, AudioChunk)])
    finally:
        model.close()


@pytest.fixture
def folder(checkpoint: WriteCheckpoint, tmp_path: Path) -> Path:
    return shutil.copytree(checkpoint("custom_voice", "a"), tmp_path / "model")


@pytest.fixture(scope="module")
def plain(checkpoint: WriteCheckpoint) -> Samples:
    return sound(checkpoint("custom_voice", "a"))


@pytest.mark.parametrize("name", SPEAKING)
def test_what_trainers_write_speaks_the_same_sound(name: str, folder: Path, plain: Samples) -> None:
    SPEAKING[name](folder)
    judged = FolderCheck()(folder)
    assert judged.reason == ""
    assert bool(judged.ignored) is (name == "left-over weights")
    assert np.array_equal(sound(folder), plain)


def sets(key: str, value: object, *path: str) -> Variation:
    def vary(folder: Path) -> None:
        def put(data: Json) -> None:
            for part in path:
                data = data[part]
            data[key] = value

        changed(folder / "config.json", put)

    return vary


def codec(key: str, value: object, *path: str) -> Variation:
    return lambda folder: sets(key, value, *path)(folder / "speech_tokenizer")


def many_tensors(folder: Path) -> None:
    names = {f"t{number}": {"dtype": "F32", "shape": [0], "data_offsets": [0, 0]} for number in range(50_000)}
    text = json.dumps(names).encode()
    (folder / "model.safetensors").write_bytes(len(text).to_bytes(8, "little") + text)


def foreign_weights(folder: Path) -> None:
    weights = load_file(folder / "model.safetensors")
    save_file({**weights, "talker.model.lora_A.weight": np.ones(3, np.float32)}, folder / "model.safetensors")


def elsewhere(folder: Path) -> None:
    sharded(folder)
    change: Callable[[Json], None] = lambda data: data["weight_map"].update(x="../other/model.safetensors")  # noqa: E731
    changed(folder / "model.safetensors.index.json", change)


def a_shard_short(folder: Path) -> None:
    sharded(folder)
    (folder / "model-00002-of-00002.safetensors").unlink()


HOSTILE: dict[str, tuple[Variation, type[ModelFolderInvalid]]] = {
    "layers": (sets("num_hidden_layers", 10**9, "talker_config"), WeightsMismatch),
    "code groups": (
        lambda folder: [
            sets("num_code_groups", 10**9, "talker_config")(folder),
            sets("num_code_groups", 10**9, "talker_config", "code_predictor_config")(folder),
        ][0],
        WeightsMismatch,
    ),
    "vocabulary": (sets("text_vocab_size", 10**9, "talker_config"), WeightsMismatch),
    "positions": (sets("max_position_embeddings", 10**9, "talker_config"), ModelConfigInvalid),
    "a number without end": (sets("hidden_size", 10**40, "talker_config"), ModelConfigInvalid),
    "another rope": (sets("rope_parameters", {"rope_type": "yarn"}, "talker_config"), ModelConfigInvalid),
    "too few text ids": (sets("text_vocab_size", 3, "talker_config"), ModelConfigInvalid),
    "codec layers": (codec("num_hidden_layers", 10**9, "decoder_config"), ModelConfigInvalid),
    "codec quantizers": (codec("num_quantizers", 10**9, "decoder_config"), ModelConfigInvalid),
    "codec window": (codec("sliding_window", 10**9, "decoder_config"), ModelConfigInvalid),
    "encoder layers": (codec("num_hidden_layers", 10**9, "encoder_config"), ModelConfigInvalid),
    "encoder size": (codec("hidden_size", 10**9, "encoder_config"), ModelConfigInvalid),
    "tensors": (many_tensors, WeightsUnreadable),
    "weights of somebody's own": (foreign_weights, WeightsMismatch),
    "shards elsewhere": (elsewhere, ModelConfigInvalid),
    "a shard short": (a_shard_short, ModelFolderInvalid),
}


@pytest.fixture
def models(checkpoint: WriteCheckpoint, tmp_path: Path) -> ModelStatuses:
    """The plain checkpoint is the published model, and the folder of the test lies in its place."""
    plain = checkpoint("custom_voice", "a")
    paths = (file.relative_to(plain).as_posix() for file in plain.rglob("*") if file.is_file())
    files = {path: (plain / path).read_bytes() for path in paths}
    entry = catalogue_entry(ModelKind.CUSTOM_VOICE, "model", files)
    catalogue = load_catalogue(write_catalogue(tmp_path / "catalogue.json", {"mine": entry}))
    return ModelStatuses(catalogue, tmp_path, tmp_path / "hashes.json", judge=FolderCheck())


@pytest.mark.parametrize("name", ["no dialects", "shards", "tokenizer.json alone", "left-over weights", "mixed case"])
def test_ready_is_what_speaks(name: str, folder: Path, models: ModelStatuses) -> None:
    SPEAKING[name](folder)
    if name == "tokenizer.json alone":
        without_dialects(folder)  # else nothing shows that the weights are others
    status = models.status("mine")
    assert (status.state, status.verification, status.missing) == (ModelState.READY, Verification.UNVERIFIED, ())
    assert ("ignored_weights" in {hint.code for hint in status.hints}) is (name == "left-over weights")
    assert models.files_to_fetch("mine") == ()
    speakers = models.capabilities("mine").speakers
    assert ("Ryan" if name == "mixed case" else "ryan") in speakers


def test_a_published_model_is_asked_nothing(folder: Path, models: ModelStatuses) -> None:
    *_, status = models.validate("mine", deep=True, cancelled=never)
    assert isinstance(status, ModelStatus)
    assert status.verification is Verification.VERIFIED


def test_nobody_is_sent_to_download_what_only_they_have(folder: Path, models: ModelStatuses) -> None:
    without_dialects(folder)
    weights = folder / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-100])
    status = models.status("mine")
    assert (status.state, status.next_step) == (ModelState.INCOMPLETE, NextStep.COPY)
    assert "ownload" not in (status.reason or "")
    assert models.files_to_fetch("mine") == ()
    weights.unlink()
    (folder / "vocab.json").unlink()
    assert models.status("mine").next_step is NextStep.COPY
    assert [file.path for file in models.files_to_fetch("mine")] == ["vocab.json"]


@pytest.mark.parametrize("name", HOSTILE)
@pytest.mark.timeout(20)
def test_what_can_not_load_is_said_with_its_reason(name: str, folder: Path, models: ModelStatuses) -> None:
    without_dialects(folder)  # whatever else is wrong: this is no damaged copy of the published model
    HOSTILE[name][0](folder)
    began = time.monotonic()
    status = models.status("mine")
    assert time.monotonic() - began < 2
    assert not status.valid
    assert status.reason
    assert "ownload" not in status.reason
    assert models.files_to_fetch("mine") == ()


@pytest.mark.parametrize("name", HOSTILE)
@pytest.mark.timeout(20)
def test_what_can_not_speak_is_not_ready_and_nothing_is_built(name: str, folder: Path) -> None:
    vary, error = HOSTILE[name]
    vary(folder)
    judged = FolderCheck()(folder)
    assert judged.reason
    assert "download" not in judged.reason.lower()
    with pytest.raises(error):
        QwenModel.load(folder, device="cpu")


def test_the_encoder_is_compared_with_its_weights_before_it_is_built(folder: Path) -> None:
    codec("intermediate_size", 2**20, "encoder_config")(folder)
    model = Codec.load(folder / "speech_tokenizer", torch.device("cpu"))
    with pytest.raises(WeightsMismatch):
        model.encoder()


def test_a_verdict_is_kept_until_a_file_changes(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    check, read = FolderCheck(), list[Path]()

    def counted(where: Path) -> SpeechModelConfig:
        read.append(where)
        return read_model_config(where)

    monkeypatch.setattr("tts_core.engines.qwen.folder_check.read_model_config", counted)
    assert check(folder) == check(folder)
    assert len(read) == 1
    sets("num_hidden_layers", 10**9, "talker_config")(folder)
    assert check(folder).reason
    assert len(read) == 2


@pytest.mark.parametrize("kind", ["custom_voice", "base", "voice_design"])
@pytest.mark.parametrize("geometry", ["a", "b"])
def test_the_names_without_torch_are_those_of_the_modules(
    kind: str, geometry: str, checkpoint: WriteCheckpoint
) -> None:
    config = read_model_config(checkpoint(kind, geometry))
    built = build_on_meta(lambda: Talker(config.talker)).state_dict()
    assert dict(talker_shapes(config.talker)) == {f"talker.{name}": tuple(t.shape) for name, t in built.items()}
    if (sizes := config.speaker_encoder) is not None:
        encoder = build_on_meta(lambda: SpeakerEncoder(sizes)).state_dict()
        assert dict(encoder_shapes(sizes)) == {f"speaker_encoder.{name}": tuple(t.shape) for name, t in encoder.items()}


def test_the_speech_tokenizer_may_leave_out_defaults_too(checkpoint: WriteCheckpoint, tmp_path: Path) -> None:
    folder = shutil.copytree(checkpoint("custom_voice", "a") / "speech_tokenizer", tmp_path / "codec")
    before = read_speech_tokenizer_config(folder)
    changed(folder / "config.json", lambda data: data["decoder_config"].pop("hidden_act", None))
    assert read_speech_tokenizer_config(folder).decoder == before.decoder
