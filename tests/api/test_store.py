"""DELETE of a model over HTTP."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.api.conftest import client_of
from tests.api.voice_stage import refusal
from tests.models.model_folders import BASE_KEY, CUSTOM_KEY, PUBLISHED
from tests.models.store.conftest import Home
from tests.serving import Serve
from tts_core.api.server import create_api

API = "/api/tts/qwen3/models"


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Home]:
    built = Home(tmp_path)
    yield built
    built.close()


def test_a_model_is_deleted_once(home: Home, serve: Serve) -> None:
    folder, base = home.install(CUSTOM_KEY), home.install(BASE_KEY)
    (folder / "notes.txt").write_text("mine", encoding="utf-8")
    url = serve(create_api(home.start()))
    with client_of(url) as client:
        answer = client.delete(f"{API}/{CUSTOM_KEY}")
        assert (answer.status_code, answer.json()["data"]) == (
            200,
            {
                "key": CUSTOM_KEY,
                "path": str(folder),
                "freed_bytes": sum(map(len, PUBLISHED[CUSTOM_KEY].values())),
                "shared_bytes": 0,
                "left": ["notes.txt"],
            },
        )
        again = client.delete(f"{API}/{CUSTOM_KEY}")
        assert (again.status_code, again.json()["detail"]) == (404, "model_not_there")
        unknown = client.delete(f"{API}/..%2F..%2Fetc")
        assert unknown.status_code == 404
        states = {model["key"]: model["status"] for model in client.get(API).json()["data"]}
        assert (states[CUSTOM_KEY], states[BASE_KEY]) == ("not_downloaded", "ready")
    assert base.exists()


def test_another_site_may_not_delete(home: Home, serve: Serve) -> None:
    folder = home.install(CUSTOM_KEY)
    url = serve(create_api(home.start()))
    with client_of(url) as client:
        answer = client.delete(f"{API}/{CUSTOM_KEY}", headers={"Origin": "https://evil.example"})
    assert answer.status_code == 403
    assert (folder / "config.json").exists()


def test_without_an_older_form_there_is_nothing_to_convert(home: Home, serve: Serve) -> None:
    with client_of(serve(create_api(home.start()))) as client:
        for key, expected in (("whisper_tiny", (409, "nothing_to_convert")), ("nope", (404, "unknown_model_key"))):
            assert refusal(client.post(f"{API}/convert", json={"key": key})) == expected
