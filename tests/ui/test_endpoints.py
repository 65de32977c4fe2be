"""The named endpoints are a contract: programs call them with gradio_client."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import soundfile
from gradio_client import Client, handle_file
from gradio_client.exceptions import AppError

from tests.conftest import SOON_S
from tests.engines.qwen.formula_checkpoint import reference_audio
from tests.ui.conftest import RunningApp

ENDPOINTS = {
    "/synthesize",
    "/design",
    "/stop",
    "/list_voices",
    "/list_languages",
    "/list_models",
    "/validate_model",
    "/download_model",
    "/list_downloads",
    "/pause_download",
    "/resume_download",
    "/cancel_download",
    "/delete_model",
    "/clone",
    "/save_voice",
    "/list_saved_voices",
    "/delete_voice",
    "/run_instruct",
    "/run_voice_design",
    "/run_voice_clone",
    "/save_prompt",
    "/load_prompt_and_gen",
    "/generate_voice_design",
    "/generate_voice_clone",
    "/generate_custom_voice",
}
SYNTHESIZE = [
    "text",
    "voice",
    "language",
    "instruct",
    "speed",
    "format",
    "max_seconds",
    "seed",
    "temperature",
    "top_k",
    "top_p",
    "repetition_penalty",
    "predictor_temperature",
    "predictor_top_k",
    "predictor_top_p",
    "read_as",
]
CLONE = ["file", "text", "transcript", "language", "model", "mode", "append_silence", "seed", "max_seconds", "read_as"]
SAVE_VOICE = [
    "name",
    "file",
    "transcript",
    "language",
    "model",
    "mode",
    "append_silence",
    "consent",
    "consent_note",
]


@pytest.fixture(scope="module", params=["", "zh/"])
def client(
    app: RunningApp, request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Client]:
    downloads = tmp_path_factory.mktemp("downloads")
    client = Client(
        app.url + request.param, download_files=str(downloads), verbose=False, httpx_kwargs={"timeout": SOON_S}
    )
    yield client
    client.close()


def test_the_public_endpoints_are_exactly_these(client: Client) -> None:
    api = client.view_api(return_format="dict", print_info=False)
    assert set(api["named_endpoints"]) == ENDPOINTS
    assert api["unnamed_endpoints"] == {}
    for name, wanted in (("/synthesize", SYNTHESIZE), ("/clone", CLONE), ("/save_voice", SAVE_VOICE)):
        assert [item["parameter_name"] for item in api["named_endpoints"][name]["parameters"]] == wanted


def test_a_program_gets_the_file_and_its_facts_from_a_text_alone(client: Client) -> None:
    file, details, *_ = client.predict(text="Good morning.", api_name="/synthesize")
    info = soundfile.info(file)
    assert details["engine"] == "builtin"
    assert details["stop_reason"] == "complete"
    assert abs(info.duration - details["duration_seconds"]) < 0.01


def test_speed_language_and_format_are_obeyed(client: Client) -> None:
    def spoken(speed: float) -> float:
        file, *_ = client.predict(text="你好世界", language="cmn", speed=speed, format="flac", api_name="/synthesize")
        assert Path(file).suffix == ".flac"
        return float(soundfile.info(file).duration)

    assert spoken(0.5) > 1.5 * spoken(1.5)


def test_a_bad_request_is_an_error_that_says_what_to_do(client: Client) -> None:
    with pytest.raises(AppError, match="20000"):
        client.predict(text="a" * 20_001, api_name="/synthesize")


def test_models_and_voices_can_be_listed_and_validated(client: Client) -> None:
    models = client.predict(api_name="/list_models")
    assert {model["key"] for model in models} >= {"tokenizer_12hz", "custom_1_7b"}
    found = client.predict(key="base_0_6b", deep=True, api_name="/validate_model")
    assert (found["status"], found["valid"]) == ("not_downloaded", False)
    voices = client.predict(api_name="/list_voices")
    languages = client.predict(voice=voices[0]["id"], api_name="/list_languages")
    assert languages[0]["code"] == "auto"
    assert len(languages) > 100


def test_a_clone_without_a_model_says_where_to_get_one(client: Client, tmp_path: Path) -> None:
    soundfile.write(tmp_path / "me.wav", reference_audio(), 24_000)
    with pytest.raises(AppError, match=r"not on this machine|还不在这台电脑上"):
        client.predict(file=handle_file(str(tmp_path / "me.wav")), text="hello", transcript="hello", api_name="/clone")
    assert client.predict(api_name="/list_saved_voices") == []


def test_an_unknown_model_is_named_with_those_that_exist(client: Client) -> None:
    with pytest.raises(AppError, match="base_0_6b"):
        client.predict(key="nope", deep=False, api_name="/validate_model")
