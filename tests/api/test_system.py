"""Health, the device, and the documentation of all of it."""

from __future__ import annotations

import re

import httpx

import tts_core
from tests.api.conftest import API

PROJECT_ROUTES = {
    "": "get post",
    "/import": "post",
    "/{project_id}": "delete get patch",
    "/{project_id}/chapters": "post",
    "/{project_id}/chapters/{chapter_id}": "delete patch",
    "/{project_id}/chapters/{chapter_id}/insert": "post",
    "/{project_id}/chapters/{chapter_id}/merge": "post",
    "/{project_id}/chapters/{chapter_id}/move": "post",
    "/{project_id}/drop-takes": "post",
    "/{project_id}/events": "get",
    "/{project_id}/exports": "get post",
    "/{project_id}/exports/{export_id}": "get",
    "/{project_id}/exports/{export_id}/file": "get",
    "/{project_id}/find": "post",
    "/{project_id}/import": "post",
    "/{project_id}/redo": "post",
    "/{project_id}/render": "post",
    "/{project_id}/replace": "post",
    "/{project_id}/restore": "post",
    "/{project_id}/run": "get",
    "/{project_id}/segments": "get patch",
    "/{project_id}/segments/{segment_id}": "delete get patch",
    "/{project_id}/segments/{segment_id}/accept": "post",
    "/{project_id}/segments/{segment_id}/insert": "post",
    "/{project_id}/segments/{segment_id}/merge": "post",
    "/{project_id}/segments/{segment_id}/move": "post",
    "/{project_id}/segments/{segment_id}/split": "post",
    "/{project_id}/segments/{segment_id}/takes": "post",
    "/{project_id}/segments/{segment_id}/takes/{take_id}": "delete patch",
    "/{project_id}/segments/{segment_id}/takes/{take_id}/audio": "get",
    "/{project_id}/segments/{segment_id}/takes/{take_id}/peaks": "get",
    "/{project_id}/space": "get",
    "/{project_id}/stop": "post",
    "/{project_id}/undo": "post",
}
"""The methods of each path below /api/studio/projects."""
ROUTES = {
    *(
        (method, f"/api/studio/projects{path}")
        for path, methods in PROJECT_ROUTES.items()
        for method in methods.split()
    ),
    ("get", "/api/lexicon"),
    ("put", "/api/lexicon"),
    ("post", "/api/text/preview"),
    ("get", "/health"),
    *(
        ("get", f"/api/{path}")
        for path in ("hello", "status", "server/info", "tts/engines", "tts/configs", "tts/voices")
    ),
    ("post", "/api/tts/voices/{voice_id}/preview"),
    ("get", f"{API}/acceleration-status"),
    ("get", f"{API}/models"),
    ("post", f"{API}/models/validate"),
    ("get", f"{API}/models/open-path"),
    ("post", f"{API}/models/convert"),
    ("post", f"{API}/models/download"),
    ("get", f"{API}/models/downloads"),
    ("post", f"{API}/models/downloads/stop"),
    *(("post", f"{API}/models/downloads/{{key}}/{what}") for what in ("stop", "pause", "resume", "retry", "move")),
    ("get", "/api/models/events"),
    ("get", "/ws"),
    ("get", f"{API}/models/{{key}}/capabilities"),
    ("post", f"{API}/models/{{key}}/load"),
    ("post", f"{API}/models/{{key}}/unload"),
    ("delete", f"{API}/models/{{key}}"),
    ("get", f"{API}/speakers"),
    ("post", f"{API}/synthesize"),
    ("get", f"{API}/audio/{{take_id}}"),
    ("delete", f"{API}/audio/{{take_id}}"),
    ("get", f"{API}/live/{{stream_id}}"),
    ("get", f"{API}/voices"),
    *((method, f"{API}/voices/{{voice_id}}") for method in ("get", "patch", "delete")),
    *(("post", f"{API}/voices/{what}") for what in ("upload", "check", "custom-role", "design-clone", "import")),
    ("post", f"{API}/transcriptions"),
    *(
        ("post", f"{API}/voices/{{voice_id}}/{what}")
        for what in ("clone", "preview", "compare", "duplicate", "restore")
    ),
    *(("get", f"{API}/voices/{{voice_id}}/{what}") for what in ("clone-status", "audio", "export")),
    ("get", "/api/jobs"),
    ("get", "/api/jobs/events"),
    ("get", "/api/jobs/{job_id}"),
    *(("post", f"/api/jobs/{{job_id}}/{what}") for what in ("cancel", "retry")),
    *(("post", f"/{what}") for what in ("extract", "similarity", "similarity/files", "synthesize", "register_speaker")),
    *(("get", f"/v1/{what}") for what in ("models", "models/{model_id}", "audio/models", "audio/voices", "voices")),
    *(("post", f"/v1/audio/{what}") for what in ("speech", "transcriptions", "translations", "voices")),
    ("delete", "/v1/audio/voices/{voice}"),
    *(("get", f"/api/{what}") for what in ("hello", "status", "server/info")),
    *(("get", f"/api/tts/{what}") for what in ("engines", "configs", "voices")),
    ("post", "/api/tts/voices/{voice_id}/preview"),
}


def test_health_answers_at_once(client: httpx.Client) -> None:
    health = client.get("/health").json()
    assert health == {
        "status": "ok",
        "version": tts_core.__version__,
        "model_loaded": False,
        "device": health["device"],
        "cached_speakers": 0,
        "engine": None,
    }


def test_the_device_is_named_with_its_reasons(client: httpx.Client) -> None:
    answer = client.get(f"{API}/acceleration-status", timeout=150).json()
    found = answer["data"]["acceleration"]
    assert found.keys() == {"supported", "preferred_device", "backend", "reasons", "gpu"}
    assert found["supported"] is (found["backend"] != "cpu")
    assert all(isinstance(reason, str) and reason for reason in found["reasons"])
    if found["backend"] in ("cuda", "rocm"):
        assert found["gpu"].keys() == {"index", "name", "total_memory_bytes", "compute_capability"}
        assert found["gpu"]["compute_capability"].keys() == {"major", "minor"}
    else:
        assert found["gpu"] is None
    assert answer["data"]["runtime"] == {
        "loaded": False,
        "model_key": None,
        "model_path": None,
        "device": found["preferred_device"],
        "last_device_error": None,
    }
    assert client.get("/health").json()["device"] == found["preferred_device"]


def test_openapi_describes_every_route(client: httpx.Client) -> None:
    spec = client.get("/openapi.json").json()
    described = {
        (method, path): operation for path, item in spec["paths"].items() for method, operation in item.items()
    }
    assert described.keys() == ROUTES
    for (_method, path), operation in described.items():
        assert operation["description"], path
        done = min(status for status in operation["responses"] if status.startswith("2"))
        assert operation["responses"][done]["content"], path
        if path.startswith("/v1/"):  # fails as OpenAI does
            continue
        failure = operation["responses"]["422"]["content"]["application/json"]
        assert failure["schema"]["$ref"].endswith("/Failure"), path
        assert failure["examples"], path


def test_openapi_shows_a_download_in_each_shape_by_example(client: httpx.Client) -> None:
    schemas = client.get("/openapi.json").json()["components"]["schemas"]
    for name in ("Download", "StartedDownload", "SocketMessage", "ModelEvent"):
        for example in schemas[name]["examples"]:
            assert example.keys() == schemas[name]["properties"].keys() - {"project_id"}, name  # null is left out


def test_openapi_tells_sound_from_facts(client: httpx.Client) -> None:
    responses = client.get("/openapi.json").json()["paths"][f"{API}/synthesize"]["post"]["responses"]
    assert {"application/json", "audio/wav"} <= responses["200"]["content"].keys()
    assert {"404", "422", "429", "503", "507"} <= responses.keys()
    assert client.get("/openapi.json").json()["paths"][f"{API}/audio/{{take_id}}"]["get"]["responses"]["200"]["content"]


def test_the_documentation_page_needs_no_other_server(client: httpx.Client) -> None:
    page = client.get("/docs")
    assert page.headers["content-type"].startswith("text/html")
    assert not re.search(r"(?:https?:)?//\w", re.sub(r"<!--.*?-->", "", page.text))
    addresses = re.findall(r"(?:src|href)=\"([^\"]+)\"", page.text)
    assert len(addresses) == 3
    for address in addresses:
        asset = client.get(f"/{address}")
        assert asset.status_code == 200
        assert len(asset.content) > 1000
    assert '"validatorUrl": null' in page.text
