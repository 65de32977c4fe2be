"""The models over HTTP: the contract's fields, validation that stops when nobody waits, and folders that open."""

from __future__ import annotations

import dataclasses
import json
import struct
import sys
from collections.abc import Iterator
from pathlib import Path
from threading import Event

import httpx
import pytest

from tests.api.conftest import API, client_of
from tests.api.raw_http import RawServer
from tests.api.test_speech import begin
from tests.conftest import SOON_S, first_line, wait_until
from tests.serving import Serve
from tts_core.api.server import create_api
from tts_core.domain.engine import CancelCheck
from tts_core.domain.errors import Cancelled
from tts_core.domain.events import CheckProgress
from tts_core.models.catalogue import load_catalogue
from tts_core.models.files.hash_cache import CHUNK_BYTES
from tts_core.models.status import ModelStatus, ModelStatuses
from tts_core.services import Services

WHISPER_KEYS = [f"whisper_{size}" for size in ("tiny", "base", "small", "medium", "large_v3_turbo", "large_v3")]
PIPER_KEYS = [
    f"piper_{voice}_medium"
    for voice in (
        *("zh_cn_huayan", "en_us_lessac", "en_us_amy", "en_us_ljspeech", "en_gb_alan"),
        *("de_de_thorsten", "fr_fr_siwis", "es_es_davefx", "it_it_paola", "pt_br_faber"),
    )
]
QWEN_KEYS = ["tokenizer_12hz", "base_0_6b", "custom_0_6b", "base_1_7b", "custom_1_7b", "voice_design_1_7b"]
HIBARI_KEYS = ["hibari_kore", "hibari_fenrir", "hibari_emma", "hibari_fable"]
KEYS = [*QWEN_KEYS, *WHISPER_KEYS, *HIBARI_KEYS, *PIPER_KEYS]
QWEN_TYPES = ("tokenizer", "base", "custom_voice", "voice_design")
FIELDS = {
    *("key", "path", "exists", "valid", "missing", "status", "model_type", "size", "display_names", "sources"),
    *("bytes_done", "bytes_total", "verification", "problems", "hints"),
}
LARGE_BYTES = 2 * CHUNK_BYTES
"""Takes more than one look at whether anybody still waits."""


def test_every_model_is_listed_with_the_contracts_fields(client: httpx.Client) -> None:
    answer = client.get(f"{API}/models").json()
    assert answer["success"] is True
    assert [model["key"] for model in answer["data"]] == KEYS
    for model in answer["data"]:
        assert model.keys() == FIELDS, "a reason is there only where something is wrong"
        assert (model["exists"], model["valid"], model["status"]) == (False, False, "not_downloaded")
        assert (model["model_type"] in QWEN_TYPES) is (model["key"] in QWEN_KEYS)
        assert (model["model_type"] == "whisper") is (model["key"] in WHISPER_KEYS)
        assert (model["model_type"] == "piper") is (model["key"] in PIPER_KEYS)
        assert model["sources"].keys() == {"hf", "ms", "local"}
        assert Path(model["path"]).name == model["sources"]["local"]
        assert model["bytes_done"] == 0 < model["bytes_total"]
        assert model["display_names"]
        assert any(file.endswith((".safetensors", ".bin", ".onnx")) for file in model["missing"])


def test_what_is_wrong_with_a_folder_is_said_by_file_and_code(services: Services, serve: Serve) -> None:
    folder = services.models.folder("tokenizer_12hz")
    folder.mkdir(parents=True)
    (folder / "config.json").write_text("<!DOCTYPE html><html>please log in</html>", encoding="utf-8")
    with client_of(serve(create_api(services))) as client:
        (listed, *_) = client.get(f"{API}/models").json()["data"]
        checked = client.post(f"{API}/models/validate", json={"key": "tokenizer_12hz"}).json()["data"]
    assert (listed["status"], listed["exists"]) == ("error", True)
    assert "config.json" in listed["reason"]
    assert checked.keys() == {
        *("key", "path", "valid", "missing", "problems", "status", "verification", "hints"),
    }
    assert checked == {name: listed[name] for name in checked}
    (problem,) = checked["problems"]
    assert (problem["file"], problem["code"]) == ("config.json", "html_page")
    assert "web page" in problem["message"]


@pytest.mark.parametrize("deep", [None, False, True])
def test_a_model_that_is_not_there_is_validated_as_missing(client: httpx.Client, deep: bool | None) -> None:
    answer = client.post(f"{API}/models/validate", json={"key": "base_0_6b", "deep": deep})
    data = answer.json()["data"]
    assert (answer.status_code, data["valid"], data["status"]) == (200, False, "not_downloaded")
    assert "speech_tokenizer/model.safetensors" in data["missing"]


@pytest.mark.parametrize("key", ["no_such_model", "", "../base_0_6b", "%00", "BASE_0_6B"])
def test_an_unknown_key_is_a_404_everywhere(client: httpx.Client, key: str) -> None:
    answers = [
        client.post(f"{API}/models/validate", json={"key": key}),
        client.get(f"{API}/models/open-path", params={"key": key}),
    ]
    for answer in answers:
        assert (answer.status_code, answer.json()["detail"]) == (404, "unknown_model_key")
    assert client.get(f"{API}/models/{key}/capabilities").status_code == 404


def test_capabilities_say_what_each_model_can_do(client: httpx.Client) -> None:
    found = {key: client.get(f"{API}/models/{key}/capabilities").json()["data"] for key in (*KEYS, "builtin")}
    for key in ("tokenizer_12hz", *WHISPER_KEYS):
        assert not found[key].pop("languages")
    assert all(able["languages"][0] == "Auto" for able in found.values() if "languages" in able)
    assert "Chinese" in found["custom_0_6b"]["languages"]
    assert "vivian" in found["custom_0_6b"]["speakers"]
    assert [key for key in found if found[key]["can_clone"]] == ["base_0_6b", "base_1_7b"]
    assert [key for key in found if found[key]["can_design"]] == ["voice_design_1_7b"]
    assert [key for key in found if found[key]["supports_instruct"]] == ["custom_1_7b", "voice_design_1_7b"]
    assert (found["builtin"]["speakers"][0], found["builtin"]["supports_sampling"]) == ("Aria", False)


class WatchedModels(ModelStatuses):
    """The real thing, which also tells when a check began and when it was stopped; goes on only to be stopped."""

    def __init__(self, services: Services) -> None:
        paths = services.settings.paths
        super().__init__(load_catalogue(services.settings.catalogue_file), paths.models_dir, paths.hash_cache_file)
        self.began, self.stopped = Event(), Event()

    def validate(self, key: str, *, deep: bool, cancelled: CancelCheck) -> Iterator[CheckProgress | ModelStatus]:
        checking = super().validate(key, deep=deep, cancelled=cancelled)

        def watched() -> Iterator[CheckProgress | ModelStatus]:
            try:
                for event in checking:
                    self.began.set()
                    wait_until(cancelled)
                    yield event
            except Cancelled:
                self.stopped.set()
                raise

        return watched()


def put_large_model(services: Services, catalogue: Path) -> None:
    """A tokenizer with sound structure."""
    header = json.dumps({"w": {"dtype": "U8", "shape": [LARGE_BYTES], "data_offsets": [0, LARGE_BYTES]}}).encode()
    weights_bytes = 8 + len(header) + LARGE_BYTES
    config = json.dumps({"model_type": "qwen3_tts_tokenizer_12hz"}).encode()
    files = {
        "config.json": {"size": len(config)},
        "model.safetensors": {"size": weights_bytes, "sha256": "0" * 64},
    }
    catalogue.write_text(json.dumps({"large": {"kind": "tokenizer", "local": "Large", "files": files}}))
    folder = services.settings.paths.models_dir / "Large"
    folder.mkdir(parents=True)
    (folder / "config.json").write_bytes(config)
    with (folder / "model.safetensors").open("wb") as weights:
        weights.write(struct.pack("<Q", len(header)) + header)
        weights.truncate(weights_bytes)


def test_hanging_up_stops_a_deep_check(services: Services, serve: Serve, tmp_path: Path) -> None:
    catalogue = tmp_path / "more_models.json"
    put_large_model(services, catalogue)
    settings = dataclasses.replace(services.settings, catalogue_file=catalogue)
    services = dataclasses.replace(services, settings=settings)
    models = WatchedModels(services)
    server = RawServer(serve(create_api(dataclasses.replace(services, models=models))))
    hang_up = begin(server, f"{API}/models/validate", {"key": "large", "deep": True})
    assert models.began.wait(SOON_S)
    assert not models.stopped.is_set()
    hang_up()
    assert models.stopped.wait(SOON_S)
    models.close()


@pytest.mark.skipif(sys.platform in ("win32", "darwin"), reason="stands in for xdg-open")
def test_a_folder_opens_only_for_who_sits_here(services: Services, serve: Serve, shown_folders: Path) -> None:
    settings = dataclasses.replace(services.settings, has_desktop=True)
    folder = services.models.folder("base_0_6b")
    address = f"{API}/models/open-path?key=base_0_6b"
    answer = {"key": "base_0_6b", "path": str(folder)}
    with client_of(serve(create_api(dataclasses.replace(services, settings=settings)))) as client:
        assert client.get(address).json()["data"] == {**answer, "opened": False}, "it is not there yet"
        folder.mkdir(parents=True)
        for headers in ({"X-Forwarded-For": "127.0.0.1"}, {"Via": "1.1 proxy"}):
            assert client.get(address, headers=headers).status_code == 401, "whoever comes through a proxy logs in"
        from_another_site = client.get(address, headers={"Sec-Fetch-Site": "cross-site"})
        assert from_another_site.json()["data"] == {**answer, "opened": False}
        assert client.get(address).json()["data"] == {**answer, "opened": True}
    assert first_line(shown_folders) == str(folder)
    assert len(shown_folders.read_text(encoding="utf-8").splitlines()) == 1
