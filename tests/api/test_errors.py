"""The table from error type to status is whole, and failures keep what was sent to themselves."""

from __future__ import annotations

import json

import httpx
import pytest

from tests.api.conftest import API
from tests.error_tree import every_error
from tts_core.api.errors import failure_response, failures, status_of
from tts_core.domain.errors import QueueFull, StudioError, UnknownModelKey, UnknownVoice

SECRET = "nobody else may read this"


CODES = {
    400: "host_not_allowed language_not_supported provider_must_be_hf_or_modelscope",
    401: "login_required wrong_key wrong_password",
    403: "neighbours_only not_for_guests origin_not_allowed refused",
    404: """
        audio_not_found file_not_found job_not_found model_not_there not_found unknown_key unknown_model_key
        unknown_user voice_not_found project_not_found chapter_not_found segment_not_found take_not_found
        export_not_found
    """,
    405: "method_not_allowed",
    408: "body_too_slow",
    409: """
        conflict consent_missing downloads_running embedder_missing job_not_retryable model_being_changed
        lexicon_outdated model_downloading model_in_memory model_in_use model_not_loaded model_not_ready move_unfinished
        nothing_to_convert OWNED_BY_OTHER_PROCESS place_taken source_damaged store_busy transcriber_missing user_exists
        voice_not_ready yourtts_missing edit_conflict project_busy project_in_use project_newer project_damaged
        nothing_to_undo nothing_to_redo run_in_progress segments_missing nothing_to_export
    """,
    413: "body_too_large",
    422: """
        ambiguous_voice audio_unreadable clone_not_supported codes_unreadable device_unavailable empty_text
        folder_not_there folder_unusable inside_models instruct_not_supported instruct_required invalid_account
        invalid_choice invalid_request invalid_value model_itself_there models_inside models_there_already no_folder
        no_full_path out_exists out_unwritable precision_not_supported recording_silent recording_too_long
        recording_without_sound reference_required speaker_vector_misfit speed_not_supported text_too_long
        transcript_missing transcript_unreadable unknown_language unknown_service unknown_spoken_language
        unsupported_format voice_archive_invalid voice_prompt_invalid too_many_projects too_many_segments
        project_too_long split_outside nothing_to_merge search_empty text_unreadable import_unsupported
        nothing_to_import design_not_locked voice_needs_recording
    """,
    426: "upgrade_required",
    429: """
        busy guests_space_used_up guests_waiting lexicon_busy library_busy memory_budget_full queue_full space_used_up
        too_many_at_once too_many_attempts too_many_requests too_many_streams
    """,
    499: "cancelled",
    500: """
        accounts_missing accounts_unusable accounts_unwritable catalogue_invalid install_disk_low install_failed
        install_running internal_error invalid_endpoint invalid_setting library_damaged measurement_failed
        model_archive_invalid nothing_supervised packages_failed packages_unreachable peer_missing peer_needs_cuda
        python_unsuitable service_port_taken share_failed share_helper_damaged share_helper_missing
        share_helper_unsupported share_helper_unusable share_server_silent share_tunnel_ended share_tunnel_failed
        share_tunnel_silent start_failed chapter_restored chapter_lost project_restored
    """,
    502: """
        ALL_SOURCES_FAILED DOWNLOAD_FAILED GATED HASH_MISMATCH HTTP_401 HTTP_403 NET_CONNECT NET_DNS NET_STALLED
        NET_TIMEOUT NOT_A_HUB NOT_FOUND OFFLINE PROXY_ERROR RATE_LIMITED REMOTE_CHANGED REVISION_NOT_FOUND
        SERVER_5XX SIZE_MISMATCH FILES_STILL_WRONG INTERRUPTED TLS_VERIFY UNSAFE_PATH URL_EXPIRED
    """,
    503: """
        conversion_failed engine_failed model_config_invalid model_file_missing model_folder_invalid model_not_loadable
        out_of_memory piper_missing piper_voice_invalid server_stopping speaker_service_unavailable stream_too_long
        transcription_failed weights_mismatch weights_unreadable
    """,
    507: """
        DISK_ERROR DISK_FULL DISK_LOW FILE_LOCKED lexicon_unwritable library_unwritable output_failed PERMISSION
        preferences_unwritable
        READ_ONLY project_unwritable
    """,
}
"""Every error's code by its status. Clients know both: codes and statuses are never renamed."""


def test_codes_and_statuses_are_those_of_the_contract() -> None:
    with_codes = [kind for kind in every_error() if "code" in vars(kind)]
    assert len({kind.code for kind in with_codes}) == len(with_codes), "two errors share a code"
    contract = {code: status for status, codes in CODES.items() for code in codes.split()}
    assert {kind.code: status_of(kind) for kind in with_codes} == contract


def test_an_error_from_elsewhere_is_a_500() -> None:
    class Unheard(StudioError):
        code = "unheard"

    assert status_of(Unheard) == 500


def test_whoever_comes_when_all_are_busy_is_told_when_to_come_back() -> None:
    response = failure_response(QueueFull(waiting=16))
    assert response.status_code == 429
    assert int(response.headers["retry-after"]) > 0


def test_documented_failures_are_grouped_by_status() -> None:
    documented = failures(UnknownModelKey, UnknownVoice)
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
        ("PUT", f"{API}/audio/{'0' * 32}", "GET, HEAD, DELETE"),
        ("OPTIONS", f"{API}/synthesize", "POST"),
    ],
)
def test_a_wrong_method_is_a_405_that_names_the_right_one(
    client: httpx.Client, method: str, path: str, allowed: str
) -> None:
    answer = client.request(method, path)
    assert (answer.status_code, answer.json()["detail"]) == (405, "method_not_allowed")
    assert answer.headers["allow"] == allowed
