"""What the published package computed on the formula checkpoints, our engine computes too: prompts and every code."""

from __future__ import annotations

import numpy as np
import pytest

from tests.engines.qwen.conftest import LoadTalker
from tests.engines.qwen.golden import CASES, MAX_NEW_TOKENS, TEXT, golden, kind_of, request_of, second_of_batch
from tests.engines.qwen.takes import codes_of, greedy_request
from tts_core.domain.values import StopReason, TextMode
from tts_core.engines.qwen.generation.generate import generate, generate_batch
from tts_core.engines.qwen.talker.prompt import PromptBuilder

GEOMETRIES = ("a", "b")


@pytest.mark.parametrize("geometry", GEOMETRIES)
def test_the_template_has_the_recorded_ids(geometry: str, talker_model: LoadTalker) -> None:
    model = talker_model("custom_voice", geometry)
    ids = PromptBuilder(model.config, model.talker, model.tokenizer).template_ids(TEXT)
    assert [ids] == golden(geometry)["tokens"].tolist()


@pytest.mark.parametrize("geometry", GEOMETRIES)
@pytest.mark.parametrize(("case", "mode"), CASES)
def test_a_prompt_equals_the_recorded_one(geometry: str, case: str, mode: TextMode, talker_model: LoadTalker) -> None:
    prompt = talker_model(kind_of(case), geometry).build_prompt(request_of(case, mode, geometry))
    recorded = golden(geometry)
    np.testing.assert_allclose(prompt.embeddings, recorded[f"{case}/{mode.value}/prefill"], rtol=0, atol=1e-5)
    np.testing.assert_allclose(prompt.trailing, recorded[f"{case}/{mode.value}/trailing"], rtol=0, atol=1e-5)


@pytest.mark.parametrize("geometry", GEOMETRIES)
@pytest.mark.parametrize(("case", "mode"), CASES)
def test_every_code_equals_the_recorded_one(geometry: str, case: str, mode: TextMode, talker_model: LoadTalker) -> None:
    model = talker_model(kind_of(case), geometry)
    prompt = model.build_prompt(request_of(case, mode, geometry))
    codes, reasons = codes_of(generate(model.talker, greedy_request(prompt, MAX_NEW_TOKENS)), rows=1)
    np.testing.assert_array_equal(codes[0], golden(geometry)[f"{case}/{mode.value}/codes"][0])
    assert reasons == [StopReason.MAX_LENGTH]


@pytest.mark.parametrize("geometry", GEOMETRIES)
def test_texts_of_a_batch_equal_the_recorded_ones_and_the_single_take(geometry: str, talker_model: LoadTalker) -> None:
    model = talker_model("custom_voice", geometry)
    requests = [
        greedy_request(model.build_prompt(request), MAX_NEW_TOKENS)
        for request in (request_of("custom_english", TextMode.FULL, geometry), second_of_batch())
    ]
    codes, _ = codes_of(generate_batch(model.talker, requests), rows=2)
    recorded = golden(geometry)
    np.testing.assert_array_equal(codes, recorded["custom_batch/full/codes"])
    np.testing.assert_array_equal(codes[0], recorded["custom_english/full/codes"][0])
    for row, request in enumerate(requests):
        prefill = recorded["custom_batch/full/prefill"][row, -request.prompt.embeddings.shape[1] :]
        np.testing.assert_allclose(request.prompt.embeddings[0], prefill, rtol=0, atol=1e-5)
