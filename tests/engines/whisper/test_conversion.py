"""A model in the form that transformers reads becomes one that is ready; the older folder stays as it was."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from tokenizers import Tokenizer
from transformers import GenerationConfig, WhisperConfig, WhisperFeatureExtractor, WhisperForConditionalGeneration

from tests.conftest import wait_until
from tests.engines.whisper.scripted_whisper import MARKS, TIMES, write_whisper
from tts_core.domain.errors import Cancelled
from tts_core.engines.faults import ConversionFailed, NothingToConvert
from tts_core.models.files.findings import ModelState, NextStep, Verification
from tts_core.platform.job import JobState
from tts_core.platform.settings.studio import Settings
from tts_core.services import Services, build_services

pytestmark = pytest.mark.slow
KEY, OLDER = "whisper_tiny", "whisper-tiny"


@pytest.fixture(scope="module")
def older(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Whisper tiny as transformers writes it, with chance for weights and few words."""
    root = tmp_path_factory.mktemp("older")
    tokenizer = Tokenizer.from_file(str(write_whisper(root / "scripted") / "tokenizer.json"))
    number = tokenizer.get_vocab().__getitem__
    config = WhisperConfig(
        vocab_size=tokenizer.get_vocab_size(),
        d_model=384,
        encoder_layers=1,
        decoder_layers=4,
        encoder_attention_heads=6,
        decoder_attention_heads=6,
        encoder_ffn_dim=8,
        decoder_ffn_dim=8,
        pad_token_id=number(MARKS[0]),
        bos_token_id=number(MARKS[0]),
        eos_token_id=number(MARKS[0]),
        decoder_start_token_id=number(MARKS[1]),
    )
    model = WhisperForConditionalGeneration(config)
    model.generation_config = GenerationConfig(  # type: ignore[no-untyped-call]
        lang_to_id={mark: number(mark) for mark in MARKS[2:5]},
        no_timestamps_token_id=number(TIMES[0]) - 1,
        suppress_tokens=[],
        begin_suppress_tokens=[],
        alignment_heads=[[2, 2], [3, 0], [3, 2], [3, 3], [3, 4], [3, 5]],
    )
    folder = root / OLDER
    model.save_pretrained(folder)
    WhisperFeatureExtractor(feature_size=80).save_pretrained(folder)  # type: ignore[no-untyped-call]
    tokenizer.save(str(folder / "tokenizer.json"))
    return folder


@pytest.fixture
def services(older: Path, tmp_path: Path) -> Iterator[Services]:
    models = tmp_path / "models"
    models.mkdir()
    for file in older.iterdir():
        (models / OLDER).mkdir(exist_ok=True)
        (models / OLDER / file.name).write_bytes(file.read_bytes())
    variables = {"TTS_STUDIO_DATA_DIR": str(tmp_path / "data"), "QWEN_TTS_MODELS_DIR": str(models)}
    built = build_services(Settings.from_env({**variables, "TTS_STUDIO_DEVICE": "cpu"}))
    yield built
    built.close()


def contents(folder: Path) -> dict[str, str]:
    return {file.name: hashlib.sha256(file.read_bytes()).hexdigest() for file in folder.iterdir()}


def test_one_click_makes_the_model_ready_and_fetches_nothing(services: Services) -> None:
    models = services.settings.paths.models_dir
    before = contents(models / OLDER)
    assert services.models.status(KEY).next_step is NextStep.CONVERT
    job = services.conversion.start(services.jobs, KEY)
    assert services.conversion.start(services.jobs, KEY).key == job.key, "a second click joins the first"
    wait_until(lambda: services.jobs.job(job.key).state.is_over)
    assert services.jobs.job(job.key).state is JobState.DONE, services.jobs.job(job.key).message
    status = services.models.status(KEY)
    assert (status.state, status.verification) == (ModelState.READY, Verification.UNVERIFIED)
    assert {file.name for file in status.path.iterdir()} == {
        *("config.json", "model.bin", "preprocessor_config.json", "tokenizer.json", "vocabulary.txt")
    }
    assert contents(models / OLDER) == before
    assert {folder.name for folder in models.iterdir() if "convert" in folder.name} == set()
    services.whisper_models.load(KEY)
    with pytest.raises(NothingToConvert):
        services.conversion.convert(KEY)


def test_what_fails_or_is_cancelled_leaves_everything_as_it_was(services: Services) -> None:
    models = services.settings.paths.models_dir
    with pytest.raises(Cancelled):
        services.conversion.convert(KEY, cancelled=lambda: True)
    config = models / OLDER / "config.json"
    config.write_text(json.dumps({**json.loads(config.read_text()), "encoder_layers": 3}))
    before = contents(models / OLDER)
    (models / OLDER / "tokenizer.json").write_text("{")
    with pytest.raises(ConversionFailed, match=OLDER):
        services.conversion.convert(KEY)
    assert contents(models / OLDER).keys() == before.keys()
    assert services.models.status(KEY).state is ModelState.NOT_DOWNLOADED
    assert [folder.name for folder in models.iterdir()] == [OLDER]
