"""The table from error type to status is whole, and failures keep what was sent to themselves."""

from __future__ import annotations

import json
from collections.abc import Iterator

import httpx
import pytest

from tests.api.conftest import API
from tts_core.api.errors import STATUS, failure_response, failures, status_of
from tts_core.domain import errors
from tts_core.domain.errors import QueueFull, StudioError

SECRET = "nobody else may read this"


def descendants(kind: type[StudioError]) -> Iterator[type[StudioError]]:
    for child in kind.__subclasses__():
        yield child
        yield from descendants(child)


OURS = sorted({kind for kind in descendants(StudioError) if kind.__module__ == errors.__name__}, key=str)


@pytest.mark.parametrize("kind", OURS)
def test_every_error_has_a_status(kind: type[StudioError]) -> None:
    assert any(base in STATUS for base in kind.__mro__), f"add {kind.__name__} or its parent to STATUS"
    assert 400 <= status_of(kind) < 600


@pytest.mark.parametrize(
    ("name", "status"),
    [
        ("EmptyText", 422),
        ("TextTooLong", 422),
        ("InvalidValue", 422),
        ("UnknownLanguage", 422),
        ("UnsupportedFormat", 422),
        ("InstructNotSupported", 422),
        ("UnknownModelKey", 404),
        ("UnknownVoice", 404),
        ("UnknownTake", 404),
        ("QueueFull", 429),
        ("HostNotAllowed", 400),
        ("OriginNotAllowed", 403),
        ("MethodNotAllowed", 405),
        ("BodyTooLarge", 413),
        ("EngineFailed", 503),
        ("ModelNotLoadable", 503),
        ("OutputFailed", 507),
    ],
)
def test_statuses_are_those_of_the_contract(name: str, status: int) -> None:
    assert status_of(getattr(errors, name)) == status


def test_an_error_from_elsewhere_is_a_500() -> None:
    class Unheard(StudioError):
        code = "unheard"

    assert status_of(Unheard) == 500


def test_whoever_comes_when_all_are_busy_is_told_when_to_come_back() -> None:
    response = failure_response(QueueFull(waiting=16))
    assert response.status_code == 429
    assert int(response.headers["retry-after"]) > 0


def test_documented_failures_are_grouped_by_status() -> None:
    documented = failures(errors.UnknownModelKey, errors.UnknownVoice)
    assert documented.keys() == {422, 404}
    assert documented[404]["content"]["application/json"]["examples"].keys() == {"unknown_model_key", "voice_not_found"}


@pytest.mark.parametrize(
    ("body", "named"),
    [
        (b"", "the body"),
        (b"{", "not JSON"),
        (b"[]", "the body"),
        (b"\xff\xfe", "JSON"),
        (b'"' + SECRET.encode() + b'"', "the body"),
        (b"[" * 100_000, "JSON"),
        (json.dumps({}).encode(), "text: Field required"),
        (json.dumps({"text": None}).encode(), "text"),
        (json.dumps({"text": [SECRET]}).encode(), "text"),
        (json.dumps({"text": {"a": SECRET}}).encode(), "text"),
        (json.dumps({"text": SECRET, "txt": 1}).encode(), "txt"),
        (json.dumps({"text": "a", SECRET: 1}).encode(), "a field"),
        (json.dumps({"text": "a", "seed": "1"}).encode(), "seed"),
        (json.dumps({"text": "a", "seed": True}).encode(), "seed"),
        (json.dumps({"text": "a", "seed": 1.5}).encode(), "seed"),
        (json.dumps({"text": "a", "speed": SECRET}).encode(), "speed"),
        (json.dumps({"text": "a", "sampling": {"top_k": SECRET}}).encode(), "sampling.top_k"),
        (json.dumps({"text": "a", "sampling": {"topk": 1}}).encode(), "sampling.topk"),
        (json.dumps({"text": "a", "voice_id": "x", "speaker": "y"}).encode(), "not both"),
        (b'{"text": "a", "seed": 1' + b"0" * 5000 + b"}", "JSON"),
    ],
)
def test_a_bad_body_is_a_422_that_names_the_field_and_not_the_text(
    client: httpx.Client, body: bytes, named: str
) -> None:
    answer = client.post(f"{API}/synthesize", content=body, headers={"Content-Type": "application/json"})
    assert answer.status_code == 422
    failure = answer.json()
    assert (failure["success"], failure["detail"]) == (False, "invalid_request")
    assert named in failure["message"]
    assert SECRET not in answer.text


@pytest.mark.parametrize("content_type", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data"])
def test_what_a_foreign_page_could_post_without_asking_is_no_request(client: httpx.Client, content_type: str) -> None:
    answer = client.post(f"{API}/synthesize", content=b'{"text": "a"}', headers={"Content-Type": content_type})
    assert (answer.status_code, answer.json()["detail"]) == (422, "invalid_request")
    assert "Content-Type must be application/json" in answer.json()["message"]
    assert content_type in answer.json()["message"]


@pytest.mark.parametrize("path", [f"{API}/synthesize", "/v1/audio/speech", f"{API}/models/validate"])
def test_json_without_its_header_is_told_which_header_it_needs(client: httpx.Client, path: str) -> None:
    answer = client.post(path, content=b'{"text": "a"}')
    assert "the header Content-Type must be application/json for a JSON body; it is missing." in answer.text
    assert "Content-Type" not in client.post(path).text


@pytest.mark.parametrize("path", [f"{API}/transcriptions", "/v1/audio/transcriptions", f"{API}/voices/check"])
def test_json_where_a_form_is_needed_is_told_so(client: httpx.Client, path: str) -> None:
    assert "Content-Type must be multipart/form-data" in client.post(path, json={"model": "whisper-1"}).text


@pytest.mark.parametrize("path", ["/api/", "/api/tts", f"{API}/", f"{API}/nothing", f"{API}/models/", "/nothing"])
@pytest.mark.parametrize("method", ["GET", "POST", "DELETE"])
def test_an_unknown_address_is_a_404(client: httpx.Client, method: str, path: str) -> None:
    answer = client.request(method, path)
    assert (answer.status_code, answer.json()["detail"]) == (404, "not_found")


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("GET", f"{API}/synthesize", "POST"),
        ("DELETE", f"{API}/models", "GET"),
        ("POST", "/health", "GET"),
        ("PUT", f"{API}/audio/{'0' * 32}", "GET, HEAD"),
        ("OPTIONS", f"{API}/synthesize", "POST"),
    ],
)
def test_a_wrong_method_is_a_405_that_names_the_right_one(
    client: httpx.Client, method: str, path: str, allowed: str
) -> None:
    answer = client.request(method, path)
    assert (answer.status_code, answer.json()["detail"]) == (405, "method_not_allowed")
    assert answer.headers["allow"] == allowed
