from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import pytest

from tests.engines.qwen.formula_checkpoint import DATA, manifest
from tts_core.engines.faults import ModelConfigInvalid, ModelFileMissing
from tts_core.engines.qwen.talker.checkpoint_json import Section, read_json
from tts_core.engines.qwen.talker.config import (
    SpeakerEncoderConfig,
    SpeechModelConfig,
    SpeechTokenizerConfig,
    read_model_config,
)

FILE = Path("folder/config.json")


def config_with(change: dict[str, Any], *path: str) -> Section:
    """The tiny custom voice's config with some keys of the object at `path` replaced; None removes a key."""
    data = copy.deepcopy(manifest()["custom_voice-a"]["config"])
    inner = data
    for key in path:
        inner = inner[key]
    for key, value in change.items():
        if value is None:
            del inner[key]
        else:
            inner[key] = value
    return Section(data, FILE)


def test_a_released_config_is_understood() -> None:
    config = SpeechModelConfig.from_json(read_json(DATA / "custom_0_6b.config.json"))
    talker = config.talker
    assert (talker.transformer.layers, talker.transformer.hidden_size, talker.transformer.head_dim) == (28, 1024, 128)
    assert (talker.code_predictor.transformer.layers, talker.code_groups, talker.vocab_size) == (5, 16, 3072)
    assert talker.speaker_dialects == {"eric": "sichuan_dialect", "dylan": "beijing_dialect"}
    assert (len(config.languages), config.obeys_instruct, config.speaker_encoder) == (10, False, None)


def test_the_released_speech_tokenizer_is_understood() -> None:
    config = SpeechTokenizerConfig.from_json(read_json(DATA / "speech_tokenizer.config.json"))
    assert (config.samples_per_frame, config.encoder_quantizers, config.decoder.sliding_window) == (1920, 16, 72)


def test_a_released_speaker_encoder_states_two_values_only() -> None:
    config = SpeakerEncoderConfig.from_json(Section({"enc_dim": 2048, "sample_rate": 24000}, FILE))
    assert (config.embedding_size, config.channels, config.res2net_scale) == (2048, (512, 512, 512, 512, 1536), 8)


@pytest.mark.parametrize(
    ("change", "path", "complaint"),
    [
        ({"text_vocab_size": None}, ("talker_config",), "talker_config.text_vocab_size is missing"),
        ({"vocab_size": "many"}, ("talker_config",), "talker_config.vocab_size can't be 'many'"),
        ({"vocab_size": True}, ("talker_config",), "talker_config.vocab_size"),
        ({"rms_norm_eps": True}, ("talker_config",), "talker_config.rms_norm_eps"),
        ({"hidden_act": "gelu"}, ("talker_config",), "talker_config.hidden_act is 'gelu'"),
        ({"rope_type": "yarn"}, ("talker_config", "rope_scaling"), "rope_scaling.rope_type is 'yarn'"),
        ({"ryan": "x"}, ("talker_config", "spk_id"), "talker_config.spk_id"),
        ({"ryan": "x"}, ("talker_config", "spk_is_dialect"), "unknown dialect 'x'"),
        ({"num_code_groups": 8}, ("talker_config", "code_predictor_config"), "code_predictor_config.num_code_groups"),
        ({"model_type": "llama"}, (), "model_type is 'llama'"),
        ({"tts_model_type": "singer"}, (), "tts_model_type is 'singer'"),
        ({"spk_id": None}, ("talker_config",), "talker_config.spk_id names no speaker"),
        ({"RYAN": 9}, ("talker_config", "spk_id"), "differ in case only"),
        ({"ryan": 10**6}, ("talker_config", "spk_id"), "ryan has the id 1000000"),
        ({"ryan": ["x"]}, ("talker_config", "spk_is_dialect"), "unknown dialect"),
        ({"max_position_embeddings": 10**9}, ("talker_config",), "max_position_embeddings must lie between"),
        ({"rope_theta": float("nan")}, ("talker_config",), "talker_config.rope_theta"),
        ({"num_key_value_heads": 0}, ("talker_config",), "num_attention_heads must be a multiple"),
        ({"head_dim": 10**40}, ("talker_config",), "talker_config.head_dim"),
        ({"tokenizer_type": "qwen3_tts_tokenizer_25hz"}, (), "tokenizer_type"),
    ],
)
def test_a_config_that_is_not_understood_names_file_and_key(
    change: dict[str, Any], path: tuple[str, ...], complaint: str
) -> None:
    with pytest.raises(ModelConfigInvalid) as caught:
        SpeechModelConfig.from_json(config_with(change, *path))
    assert complaint in caught.value.message
    assert str(FILE) in caught.value.message


@pytest.mark.parametrize("content", ["", "[]", "{", '"text"', "[" * 100_000])
def test_a_file_without_an_object_is_named(tmp_path: Path, content: str) -> None:
    (tmp_path / "config.json").write_text(content)
    with pytest.raises(ModelConfigInvalid, match=r"config\.json"):
        read_model_config(tmp_path)


def test_a_missing_or_unreadable_config_is_named(tmp_path: Path) -> None:
    with pytest.raises(ModelFileMissing, match=r"config\.json"):
        read_model_config(tmp_path)
    (tmp_path / "config.json").mkdir()
    with pytest.raises(ModelConfigInvalid, match=r"config\.json"):
        read_model_config(tmp_path)


def test_styles_are_obeyed_by_voice_design_and_the_large_custom_voice() -> None:
    obeying = {name for name, part in manifest().items() if name != "speech_tokenizer" and obeys(part["config"])}
    assert obeying == {"voice_design-a", "voice_design-b", "custom_voice-b"}


def obeys(config: dict[str, Any]) -> bool:
    return SpeechModelConfig.from_json(Section(json.loads(json.dumps(config)), FILE)).obeys_instruct
