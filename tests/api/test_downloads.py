"""Downloads over REST: the contract's answers, the queue, and the same numbers in every view."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.api.conftest import API, client_of
from tests.api.watchers import hear, listening, socket_of
from tests.conftest import wait_until
from tests.hubs.faults import Fault
from tests.hubs.fixtures import hubs, small_model
from tests.hubs.hubs import Hubs
from tests.hubs.models import CODEC_FILE, MAIN_FILE
from tests.models.staged_downloads import TOTAL_BYTES, StagedDownloads, stage_downloads
from tests.serving import serving
from tts_core.api.server import create_api
from tts_core.platform.job import JobState
from tts_core.platform.settings.studio import Settings
from tts_core.services import Services, build_services

__all__ = ["hubs", "small_model"]

KEY = "custom_0_6b"
FIELDS = {
    *("key", "provider", "status", "phase", "progress", "message", "downloaded_bytes", "total_bytes"),
    *("bytes_per_second", "eta_seconds", "position"),
}


@pytest.fixture
def staged(services: Services) -> Iterator[StagedDownloads]:
    staged = stage_downloads(services)
    yield staged
    staged.services.jobs.close()


@pytest.fixture
def client(staged: StagedDownloads) -> Iterator[httpx.Client]:
    """Of a queue in which the first download begins and never gets on."""
    with serving(create_api(staged.services)) as url, client_of(url) as client:
        yield client


def start(client: httpx.Client, key: str, provider: str | None = None) -> httpx.Response:
    return client.post(f"{API}/models/download", json={"key": key, "provider": provider})


def listed(client: httpx.Client, *, finished: bool = False) -> list[dict[str, Any]]:
    answer = client.get(f"{API}/models/downloads", params={"finished": finished}).json()
    downloads: list[dict[str, Any]] = answer["data"]
    return downloads


def model(client: httpx.Client, key: str) -> dict[str, Any]:
    models: list[dict[str, Any]] = client.get(f"{API}/models").json()["data"]
    return next(model for model in models if model["key"] == key)


def test_a_download_is_started_and_a_second_call_joins_it(client: httpx.Client, staged: StagedDownloads) -> None:
    answer = start(client, KEY).json()
    assert answer["success"] is True
    started = {name: answer["data"][name] for name in ("key", "path", "downloaded_bytes")}
    folder = staged.services.models.folder(KEY)
    assert started == {"key": KEY, "path": str(folder), "downloaded_bytes": 0}
    assert answer["data"]["total_bytes"] == staged.services.models.entry(KEY).total_bytes
    staged.at(KEY, 7)
    again = start(client, KEY, "modelscope").json()["data"]
    assert (again["status"], again["downloaded_bytes"]) == ("running", 7)
    assert "position" not in again, "it does not wait"
    assert len(listed(client)) == 1


def test_the_queue_is_listed_and_can_be_put_in_another_order(client: httpx.Client) -> None:
    for key in (KEY, "base_0_6b", "base_1_7b"):
        last = start(client, key)
        wait_until(lambda: listed(client)[0]["download_status"] == "downloading")
    assert (last.json()["data"]["status"], last.json()["data"]["position"]) == ("waiting", 2)
    downloads = listed(client)
    assert all(download.keys() >= FIELDS for download in downloads)
    assert [(download["key"], download["position"]) for download in downloads] == [
        (KEY, 0),
        ("base_0_6b", 1),
        ("base_1_7b", 2),
    ]
    assert model(client, "base_1_7b")["status"] == "waiting"
    moved = client.post(f"{API}/models/downloads/base_1_7b/move", json={"position": 1}).json()["data"]
    assert moved["position"] == 1
    assert [download["key"] for download in listed(client)] == [KEY, "base_1_7b", "base_0_6b"]


@pytest.mark.parametrize(
    ("path", "body"),
    [("downloads/stop", {"key": KEY}), (f"downloads/{KEY}/stop", None)],
)
def test_a_stopped_download_leaves_the_queue(client: httpx.Client, path: str, body: dict[str, str] | None) -> None:
    start(client, KEY)
    stopped = client.post(f"{API}/models/{path}", json=body).json()["data"]
    assert (stopped["key"], stopped["status"]) == (KEY, "cancelled")
    assert listed(client) == []
    assert [download["status"] for download in listed(client, finished=True)] == ["cancelled"]


def test_a_paused_download_stays_in_the_list_and_goes_on(client: httpx.Client, staged: StagedDownloads) -> None:
    start(client, KEY, "modelscope")
    wait_until(lambda: listed(client)[0]["download_status"] == "downloading")
    staged.at(KEY, 420_000)
    paused = client.post(f"{API}/models/downloads/{KEY}/pause").json()["data"]
    assert (paused["status"], paused["downloaded_bytes"]) == ("paused", 420_000)
    assert [download["status"] for download in listed(client)] == ["paused"]
    shown = model(client, KEY)
    assert (shown["status"], shown["reason_code"], shown["bytes_done"]) == ("incomplete", "paused", 420_000)
    resumed = client.post(f"{API}/models/downloads/{KEY}/resume").json()["data"]
    assert (resumed["status"], resumed["provider"]) == ("waiting", "modelscope")


def test_what_failed_is_told_with_its_code_and_tried_again(client: httpx.Client, staged: StagedDownloads) -> None:
    staged.change(KEY, provider="modelscope", state=JobState.ERROR, code="TLS_VERIFY", params={"source": "hf.example"})
    assert listed(client) == []
    (failed,) = listed(client, finished=True)
    assert (failed["status"], failed["code"]) == ("error", "TLS_VERIFY")
    assert "hf.example" in failed["message"]
    assert (model(client, KEY)["status"], model(client, KEY)["reason_code"]) == ("error", "TLS_VERIFY")
    again = client.post(f"{API}/models/downloads/{KEY}/retry").json()["data"]
    assert (again["status"], again["provider"], again["code"]) == ("waiting", "modelscope", "")


def test_the_list_of_models_shows_what_a_download_does(client: httpx.Client, staged: StagedDownloads) -> None:
    staged.at(KEY, 420_000)
    shown = model(client, KEY)
    assert (shown["status"], shown["bytes_done"], shown["valid"]) == ("downloading", 420_000, False)
    assert listed(client)[0]["progress"] == 100 * 420_000 / TOTAL_BYTES


@pytest.mark.parametrize("provider", ["auto", "hf", "mirror", "modelscope", None])
def test_every_provider_can_be_asked_for(client: httpx.Client, provider: str | None) -> None:
    assert start(client, KEY, provider).status_code == 200
    assert listed(client)[0]["provider"] == (provider or "auto")


@pytest.mark.parametrize("provider", ["", "HF", "huggingface", "local", "https://evil.example", "hf "])
def test_another_provider_is_a_400_with_the_contracts_code(client: httpx.Client, provider: str) -> None:
    answer = start(client, KEY, provider)
    assert (answer.status_code, answer.json()["detail"]) == (400, "provider_must_be_hf_or_modelscope")
    assert "hf, mirror, modelscope" in answer.json()["message"]
    assert listed(client, finished=True) == []


@pytest.mark.parametrize("key", ["nope", "../custom_0_6b", ""])
def test_an_unknown_model_is_a_404_everywhere(client: httpx.Client, key: str) -> None:
    answers = [start(client, key), client.post(f"{API}/models/downloads/stop", json={"key": key})]
    if key == "nope":
        actions = {"stop": None, "pause": None, "resume": None, "retry": None, "move": {"position": 1}}
        paths = {what: f"{API}/models/downloads/{key}/{what}" for what in actions}
        answers += [client.post(paths[what], json=body) for what, body in actions.items()]
    assert {(answer.status_code, answer.json()["detail"]) for answer in answers} == {(404, "unknown_model_key")}


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("download", {}),
        ("download", {"key": 5}),
        ("download", {"key": KEY, "provider": 5}),
        ("download", {"key": KEY, "source": "hf"}),
        ("downloads/stop", {}),
        (f"downloads/{KEY}/move", {"position": 0}),
        (f"downloads/{KEY}/move", {"position": "1"}),
    ],
)
def test_a_body_that_is_not_understood_starts_nothing(client: httpx.Client, path: str, body: dict[str, Any]) -> None:
    answer = client.post(f"{API}/models/{path}", json=body)
    assert (answer.status_code, answer.json()["detail"]) == (422, "invalid_request")
    assert listed(client, finished=True) == []


def test_another_sites_page_can_start_nothing(client: httpx.Client) -> None:
    for path in ("download", "downloads/stop", f"downloads/{KEY}/pause"):
        answer = client.post(f"{API}/models/{path}", json={"key": KEY}, headers={"Origin": "https://evil.example"})
        assert (answer.status_code, answer.json()["detail"]) == (403, "origin_not_allowed")
    assert listed(client, finished=True) == []


@pytest.fixture
def online(tmp_path: Path, hubs: Hubs) -> Iterator[Services]:
    """The real thing, on hubs of this machine."""
    services = build_services(Settings.from_env({"TTS_STUDIO_DATA_DIR": str(tmp_path / "data"), **hubs.environ()}))
    yield services
    services.close()


def test_every_view_shows_the_same_numbers_from_start_to_ready(hubs: Hubs, online: Services) -> None:
    for hub in hubs.all:
        for file in (MAIN_FILE, CODEC_FILE):
            hub.faults.add(Fault(stall_at=300_000), on="bytes", file=file)
    total_bytes = hubs.models[KEY].total_bytes
    with (
        serving(create_api(online)) as url,
        client_of(url) as client,
        listening(url) as reader,
        socket_of(url) as socket,
    ):
        reader.until("initial_state")
        assert start(client, KEY, "modelscope").json()["data"]["total_bytes"] == total_bytes
        heard = [hear(socket)]
        while heard[-1]["downloaded_bytes"] < 200_000:
            heard.append(hear(socket))
        paused = client.post(f"{API}/models/downloads/{KEY}/pause").json()["data"]
        assert 200_000 <= paused["downloaded_bytes"] < total_bytes
        while heard[-1]["type"] == "progress":
            heard.append(hear(socket))
        event = reader.until("model_incomplete").data
        for view in (heard[-1], event, *listed(client)):
            assert (view["seq"], view["downloaded_bytes"]) == (paused["seq"], paused["downloaded_bytes"])
        assert model(client, KEY)["bytes_done"] == paused["downloaded_bytes"]

        for hub in hubs.all:
            hub.faults.clear()
        assert client.post(f"{API}/models/downloads/{KEY}/resume").json()["data"]["provider"] == "modelscope"
        done = reader.until("model_complete").data
        heard = [hear(socket)]
        while heard[-1]["type"] == "progress":
            heard.append(hear(socket))
        assert (heard[-1]["type"], heard[-1]["phase"], heard[-1]["seq"]) == ("completed", "download_done", done["seq"])
        assert (done["downloaded_bytes"], done["progress"], done["source"]) == (total_bytes, 100, "modelscope")
        assert listed(client) == []
        shown = model(client, KEY)
        assert (shown["status"], shown["bytes_done"]) == ("ready", total_bytes)

        sent = hubs.sent()
        assert start(client, KEY).json()["data"]["status"] == "ready"
        assert hubs.sent() == sent, "what is there is not fetched again"
