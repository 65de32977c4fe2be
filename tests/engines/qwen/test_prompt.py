"""What a prompt is made of; that it equals the published one is checked in test_golden_speech."""

from __future__ import annotations

import pytest
import torch

from tests.engines.qwen.conftest import LoadTalker
from tts_core.domain.errors import EngineFailed, UnknownLanguage, UnknownVoice
from tts_core.domain.values import TextMode
from tts_core.engines.qwen.talker.prompt import (
    DesignedVoice,
    InContextClone,
    PresetSpeaker,
    Prompt,
    PromptRequest,
    XVectorClone,
)
from tts_core.engines.qwen.talker_model import TalkerModel

TEXT = "hello world"


@pytest.fixture
def custom(talker_model: LoadTalker) -> TalkerModel:
    return talker_model("custom_voice", "b")


@pytest.fixture
def base(talker_model: LoadTalker) -> TalkerModel:
    return talker_model("base", "a")


def built(model: TalkerModel, speaker: str, language: str, instruct: str = "") -> torch.Tensor:
    return model.build_prompt(PromptRequest(TEXT, PresetSpeaker(speaker), language, instruct)).embeddings


@pytest.mark.parametrize(
    ("speaker", "language", "spoken"),
    [
        ("dylan", "auto", "beijing_dialect"),
        ("eric", "Chinese", "sichuan_dialect"),
        ("Eric", "english", "english"),
        ("ryan", "chinese", "chinese"),
    ],
)
def test_a_dialect_replaces_chinese_and_auto(custom: TalkerModel, speaker: str, language: str, spoken: str) -> None:
    language_id = custom.config.talker.language_ids[spoken]
    tag = custom.talker.embed_codec(torch.tensor([[language_id]])) + pad_of(custom)
    assert torch.allclose(built(custom, speaker, language)[:, 5:6], tag, atol=1e-6)  # role, think, begin, language


def pad_of(model: TalkerModel) -> torch.Tensor:
    return model.build_prompt(PromptRequest(TEXT, PresetSpeaker("ryan"))).pad


def test_names_are_understood_in_any_case(custom: TalkerModel) -> None:
    assert torch.equal(built(custom, "RYAN", "English"), built(custom, "ryan", "english"))


@pytest.mark.parametrize("language", ["klingon", "beijing_dialect", ""])
def test_unknown_languages_are_refused(custom: TalkerModel, language: str) -> None:
    with pytest.raises(UnknownLanguage):
        built(custom, "ryan", language)


def test_unknown_speakers_are_refused(custom: TalkerModel, base: TalkerModel) -> None:
    with pytest.raises(UnknownVoice):
        built(custom, "nobody", "auto")
    with pytest.raises(UnknownVoice):
        built(base, "ryan", "auto")


@pytest.mark.parametrize(("geometry", "heard"), [("a", False), ("b", True)])
def test_the_small_custom_voice_does_not_hear_instructions(
    geometry: str, heard: bool, talker_model: LoadTalker
) -> None:
    model = talker_model("custom_voice", geometry)
    plain, styled = built(model, "ryan", "auto"), built(model, "ryan", "auto", "a lazy voice")
    assert (styled.shape[1] > plain.shape[1]) == heard
    assert torch.equal(styled[:, -plain.shape[1] :], plain)


def test_a_designed_voice_has_no_speaker(talker_model: LoadTalker) -> None:
    custom, design = talker_model("custom_voice", "a"), talker_model("voice_design", "a")
    with_speaker = built(custom, "ryan", "auto")
    without = design.build_prompt(PromptRequest(TEXT, DesignedVoice())).embeddings
    assert without.shape[1] == with_speaker.shape[1] - 1


def test_the_text_is_read_whole_or_along_with_the_frames(custom: TalkerModel) -> None:
    text_ids = len(custom.tokenizer.encode(TEXT))
    full, stream = (
        custom.build_prompt(PromptRequest(TEXT, PresetSpeaker("ryan"), text_mode=mode)) for mode in TextMode
    )
    assert full.embeddings.shape[1] == stream.embeddings.shape[1] + text_ids + 1
    assert (full.trailing.shape[1], stream.trailing.shape[1]) == (1, text_ids)
    assert torch.equal(full.trailing, full.pad)
    assert (full.text_ids, stream.text_ids) == (text_ids, text_ids)


@pytest.mark.parametrize("frames", [3, 6, 7, 8, 40])
def test_text_that_outlasts_the_reference_trails(base: TalkerModel, frames: int) -> None:
    prompt = clone(base, frames)
    read = len(base.tokenizer.encode("over a lazy dog")) + len(base.tokenizer.encode(TEXT)) + 1
    assert prompt.embeddings.shape[1] == 3 + 5 + frames + 1  # role, tags, begin and reference
    assert prompt.trailing.shape[1] == max(read - (frames + 1), 1)
    if read <= frames + 1:
        assert torch.equal(prompt.trailing, prompt.pad)


def clone(model: TalkerModel, frames: int) -> Prompt:
    codes = torch.arange(frames * 16).reshape(frames, 16)
    voice = InContextClone(torch.zeros(64), codes, "over a lazy dog")
    return model.build_prompt(PromptRequest(TEXT, voice, text_mode=TextMode.STREAM))


def test_the_transcript_does_not_count_as_text(base: TalkerModel) -> None:
    assert clone(base, 5).text_ids == len(base.tokenizer.encode(TEXT))


def test_a_speaker_embedding_stands_where_a_speaker_would(base: TalkerModel) -> None:
    one, other = (
        base.build_prompt(PromptRequest(TEXT, XVectorClone(torch.full((64,), value)))).embeddings
        for value in (0.0, 1.0)
    )
    assert (one != other).any(dim=2).nonzero().tolist() == [[0, 6]]
    assert torch.allclose(other[0, 6] - one[0, 6], torch.ones(64), atol=1e-6)


def test_a_closed_model_says_so(talker_model: LoadTalker) -> None:
    opened = talker_model("custom_voice", "a")
    model = TalkerModel(opened.config, opened.generation, opened.tokenizer, opened.talker)
    model.close()
    with pytest.raises(EngineFailed):
        built(model, "ryan", "auto")
