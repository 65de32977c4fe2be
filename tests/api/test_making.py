"""Projects are made and joined over REST."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import soundfile
from fastapi.testclient import TestClient

from tests.api.test_projects import PROJECTS, data
from tests.conftest import wait_until
from tts_core.api.server import create_api
from tts_core.platform.settings.studio import Settings
from tts_core.services import Services, build_services

TEXT = (
    "Chapter 1\n\nIt was a quiet morning. Nobody spoke a word to him.\n\nChapter 2\n\nThe end of it came soon enough."
)


@pytest.fixture(scope="module")
def services(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Services]:
    built = build_services(Settings.from_env({"TTS_STUDIO_DATA_DIR": str(tmp_path_factory.mktemp("making"))}))
    yield built
    built.close()


@pytest.fixture(scope="module")
def client(services: Services) -> Iterator[TestClient]:
    with TestClient(create_api(services), base_url="http://127.0.0.1", client=("127.0.0.1", 50000)) as client:
        yield client


@pytest.fixture
def project(client: TestClient) -> str:
    body = {"text": TEXT, "language": "en", "split": "sentences", "voice": "builtin/aria"}
    return f"{PROJECTS}/{data(client.post(PROJECTS, json=body))['project']['id']}"


def run_of(client: TestClient, project: str) -> dict[str, Any]:
    found: dict[str, Any] = data(client.get(f"{project}/run"))
    return found


def made(client: TestClient, services: Services, project: str, **body: object) -> dict[str, Any]:
    assert data(client.post(f"{project}/render", json=body), 202)["state"] in ("running", "done")
    services.making.runner.wait(project.rpartition("/")[2])
    return run_of(client, project)


def test_a_project_is_made_and_joined_into_a_file(client: TestClient, services: Services, project: str) -> None:
    assert run_of(client, project)["state"] == "idle"
    run = made(client, services, project)
    assert (run["state"], run["total"], run["done"], run["failed"]) == ("done", 3, 3, 0)
    for name in ("wav", "mp3", "flac", "ogg", "opus", "m4a"):
        export = data(client.post(f"{project}/exports", json={"format": name, "name": "A: tale?"}), 202)
        services.making.exporter.wait(project.rpartition("/")[2], export["id"])
        done = data(client.get(f"{project}/exports/{export['id']}"))
        assert (done["state"], done["name"], done["missing"]) == ("done", f"A tale.{name}", [])
        answer = client.get(done["url"])
        assert answer.status_code == 200
        assert len(answer.content) == done["size_bytes"]
        assert f"A%20tale.{name}" in answer.headers["content-disposition"]
        assert done["duration_seconds"] > 3
    assert len(data(client.get(f"{project}/exports"))) == 6
    states = data(client.get(f"{project}/segments"))["rows"]
    assert {row["state"] for row in states} == {"ready"}


def test_what_has_no_take_is_named_before_a_file_is_made(client: TestClient, services: Services, project: str) -> None:
    assert data(client.post(f"{project}/exports", json={"format": "wav"}), 409) == "segments_missing"
    assert data(client.post(f"{project}/exports", json={"missing": "skip"}), 409) == "nothing_to_export"
    made(client, services, project, scope="chapters", chapters=["c001"])
    lengths = {}
    for missing in ("skip", "silence"):
        export = data(client.post(f"{project}/exports", json={"format": "wav", "missing": missing}), 202)
        services.making.exporter.wait(project.rpartition("/")[2], export["id"])
        done = data(client.get(f"{project}/exports/{export['id']}"))
        lengths[missing] = done["duration_seconds"]
        assert len(done["missing"]) == 1
    assert lengths["silence"] > lengths["skip"] + 3
    assert data(client.post(f"{project}/exports", json={"format": "exe"}), 422) == "unsupported_format"
    assert data(client.get(f"{project}/exports/0123456789abcdef"), 404) == "export_not_found"
    assert data(client.get(f"{project}/exports/..%2f..%2fproject/file"), 404)


def test_scopes_and_wrong_requests(client: TestClient, services: Services, project: str) -> None:
    segment = data(client.get(f"{project}/segments"))["rows"][1]["id"]
    assert made(client, services, project, scope="segments", segments=[segment])["done"] == 1
    assert made(client, services, project, scope="segments", segments=[segment], again=2)["done"] == 2
    assert client.post(f"{project}/render", json={"scope": "everything"}).status_code == 422
    assert client.post(f"{PROJECTS}/0000/render", json={}).status_code == 404
    assert data(client.post(f"{project}/stop"))["state"] == "done"


def test_events_tell_what_changes(client: TestClient, services: Services, project: str) -> None:
    project_id = project.rpartition("/")[2]
    subscription = services.making.events.subscribe(project_id, services.making.events.newest)
    made(client, services, project)
    wait_until(lambda: services.making.runner.status(project_id).state.value == "done")
    seen = []
    while (event := subscription.next(0.2)) is not None:
        seen.append(event.data)
    kinds = [(one["type"], one.get("state", "")) for one in seen]
    assert kinds[0] == ("run", "running")
    assert kinds[-1] == ("run", "done")
    assert {segment for one in seen if one["type"] == "changed" for segment in one["segments"]} >= {  # type: ignore[attr-defined]
        row["id"] for row in data(client.get(f"{project}/segments"))["rows"]
    }
    assert "quiet" not in json.dumps(seen)


def test_jobs_of_projects_have_a_scope_of_their_own(client: TestClient, services: Services, project: str) -> None:
    with client.websocket_connect("ws://127.0.0.1/ws") as socket:
        made(client, services, project)
        while (message := socket.receive_json())["type"] == "progress":
            assert message["scope"] == "studio"
    assert (message["project_id"], message["kind"]) == (project.rpartition("/")[2], "project_render")
    assert "quiet" not in json.dumps(message)


def test_a_file_has_the_length_of_its_takes_and_pauses(client: TestClient, services: Services, project: str) -> None:
    made(client, services, project)
    project_id = project.rpartition("/")[2]
    before = _length(services, client, project)
    segment = data(client.get(f"{project}/segments"))["rows"][0]["id"]
    data(client.patch(f"{project}/segments/{segment}", json={"pause_seconds": 3.0}))
    assert _length(services, client, project) == pytest.approx(before + 3.0 - 0.5, abs=0.005)
    assert services.making.runner.status(project_id).done == 3


def _length(services: Services, client: TestClient, project: str) -> float:
    project_id = project.rpartition("/")[2]
    export = data(client.post(f"{project}/exports", json={"format": "wav"}), 202)
    services.making.exporter.wait(project_id, export["id"])
    path: Path = services.making.exporter.path(project_id, export["id"])
    return float(soundfile.info(path).duration)
