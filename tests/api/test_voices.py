"""Saved voices over HTTP: kept, prepared, spoken with, changed, deleted, taken elsewhere; by many clients at once."""

from __future__ import annotations

import io
import json
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from pathlib import Path

import httpx
import pytest
import soundfile

from tests.api.conftest import API, client_of
from tests.api.voice_stage import (
    BASE,
    DESIGN,
    MISSING_BASE,
    ROLES,
    SAID,
    VOICES,
    Stage,
    data_of,
    http,
    ready,
    refusal,
    sent,
    settings_of,
    settled,
    stage,
    uploaded,
    voice_models,
    voice_recording,
)
from tests.serving import Serve, serving
from tts_core.api.server import create_api
from tts_core.services import Services, build_services
from tts_core.voices import library as voices

__all__ = ["http", "stage", "voice_models", "voice_recording"]

FIELDS = {
    *("id", "name", "kind", "model_key", "language", "speaker", "ref_audio_path", "ref_audio_url", "ref_text"),
    *("instruct", "x_vector_only_mode", "status", "progress", "last_error", "meta", "created_at", "updated_at"),
}
ELSEWHERE = ("..", "%2e%2e", "..%2fqwen3_tts_voices.json", "..%5c..%5cx", "library%2fx", "a%00b", "nobody", "~")


def test_a_recording_becomes_a_voice_that_speaks(stage: Stage, http: httpx.Client) -> None:
    voice = uploaded(http, stage.recording, name="Anna", consent_own_voice="true", consent_note="by mail")
    assert voice.keys() == FIELDS
    assert (voice["kind"], voice["status"], voice["progress"]) == ("clone", "uploaded", 0)
    assert datetime.fromisoformat(voice["created_at"]).tzinfo is not None
    assert voice["meta"]["consent"].items() >= {"own_voice": True, "note": "by mail"}.items()
    assert refusal(http.post(f"{API}/synthesize", json={"text": SAID, "voice_id": voice["id"]})) == (
        409,
        "voice_not_ready",
    )
    assert refusal(http.post(f"{VOICES}/{voice['id']}/preview")) == (409, "voice_not_ready")
    started = data_of(http.post(f"{VOICES}/{voice['id']}/clone"))
    assert started.keys() == {"voice_id", "job_id"}
    status = settled(http, voice["id"])
    assert (
        status.items()
        >= {
            "voice_id": voice["id"],
            "status": "ready",
            "progress": 100,
            "last_error": "",
            "ref_audio_url": voice["ref_audio_url"],
            "ref_audio_path": voice["ref_audio_path"],
            "job_id": started["job_id"],
        }.items()
    )
    same = {"text": SAID, "seed": 1, "max_seconds": 0.4}
    takes = [
        data_of(http.post(f"{API}/synthesize", json={**same, **chosen}))
        for chosen in (
            {"voice_id": voice["id"]},
            {"voice_id": f"library/{voice['id']}", "model_key": BASE},
            {"speaker": "anna"},
            {"speaker": "Anna", "model_key": BASE},
        )
    ]
    assert {(take["voice_id"], take["model_key"]) for take in takes} == {(f"library/{voice['id']}", BASE)}
    assert len({http.get(take["url"]).content for take in takes}) == 1
    listed = data_of(http.get(f"{API}/speakers"))
    assert {"voice_id": f"library/{voice['id']}", "speaker": "Anna", "model_key": BASE}.items() <= next(
        speaker for speaker in listed if speaker["voice_id"].startswith("library/")
    ).items()
    likeness = data_of(http.post(f"{VOICES}/{voice['id']}/compare", json={"take": takes[0]["url"]}))
    assert -1 <= likeness["similarity"] <= 1
    assert likeness.keys() == {"similarity", "leak", "has_leak"}


def test_its_sounds_are_served(stage: Stage, http: httpx.Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(voices, "PREVIEW_MAX_S", 0.4)
    voice_id = ready(http, stage.recording, name="Sounds")
    url = f"{VOICES}/{voice_id}/audio"
    original = http.get(url, params={"kind": "original"})
    assert (original.content, original.headers["content-type"]) == (stage.recording.read_bytes(), "audio/flac")
    assert original.headers["x-content-type-options"] == "nosniff"
    reference = http.get(data_of(http.get(f"{VOICES}/{voice_id}"))["ref_audio_url"])
    assert reference.headers["content-type"] == "audio/wav"
    assert soundfile.info(io.BytesIO(reference.content)).duration == pytest.approx(3.0, abs=0.01)
    assert http.get(url, headers={"Range": "bytes=0-3"}).content == b"RIFF"
    assert http.head(url).headers["content-length"] == str(len(reference.content))
    assert refusal(http.get(url, params={"kind": "preview"})) == (404, "audio_not_found")
    assert refusal(http.get(url, params={"kind": "../reference.wav"})) == (422, "invalid_request")
    preview = data_of(http.post(f"{VOICES}/{voice_id}/preview", json={"text": "hello"}))
    heard = soundfile.info(io.BytesIO(http.get(preview["url"]).content))
    assert (heard.samplerate, heard.duration) == (
        preview["sample_rate"],
        pytest.approx(preview["duration_seconds"], abs=0.001),
    )
    asked = {"provider": "qwen3_tts", "config_id": "qwen3_tts_default", "text": "", "language": "english"}
    tried = data_of(http.post(f"/api/tts/voices/{voice_id}/preview", json=asked))  # as the video editor asks
    assert (tried["voice_id"], tried["name"]) == (voice_id, "Sounds")
    sound = http.get(tried["audio_url"])
    assert (sound.headers["content-type"], sound.content[:4]) == ("audio/wav", b"RIFF")
    assert refusal(http.post("/api/tts/voices/nobody/preview", json=asked)) == (404, "voice_not_found")


def test_without_its_model_a_voice_says_so(stage: Stage, http: httpx.Client) -> None:
    voice_id = uploaded(http, stage.recording, name="Early", model_key=MISSING_BASE)["id"]
    for path, body in (
        (f"{VOICES}/{voice_id}/clone", None),
        (f"{VOICES}/{voice_id}/preview", None),
        (f"{API}/synthesize", {"text": SAID, "voice_id": voice_id}),
        (f"{API}/synthesize", {"text": SAID, "speaker": "early"}),
        (f"{VOICES}/design-clone", design(model_key=MISSING_BASE)),
    ):
        answer = http.post(path, json=body)
        assert refusal(answer) == (409, "model_not_ready"), path
        assert "1.7B Base" in answer.json()["message"]
    assert data_of(http.get(f"{VOICES}/{voice_id}"))["status"] == "uploaded"


def test_a_voice_is_changed_and_what_does_not_fit_is_refused(stage: Stage, http: httpx.Client) -> None:
    voice_id = uploaded(http, stage.recording, name="Before")["id"]
    changes = {"name": "After", "ref_text": "other", "x_vector_only_mode": True, "tags": ["a"], "favourite": True}
    voice = data_of(http.patch(f"{VOICES}/{voice_id}", json={**changes, "language": None}))
    assert {name: voice[name] for name in ("name", "ref_text", "x_vector_only_mode", "language")} == {
        "name": "After",
        "ref_text": "other",
        "x_vector_only_mode": True,
        "language": "english",
    }
    assert (voice["meta"]["tags"], voice["meta"]["favourite"], "consent" in voice["meta"]) == (["a"], True, False)
    voice = data_of(http.patch(f"{VOICES}/{voice_id}", json={"consent": {"who": "Anna", "note": "said yes"}}))
    assert voice["meta"]["consent"].items() >= {"own_voice": False, "who": "Anna", "note": "said yes"}.items()
    for body, expected in (
        ({"status": "ready"}, (422, "invalid_request")),
        ({"x_vector_only_mode": "yes"}, (422, "invalid_request")),
        ({"name": ""}, (422, "invalid_value")),
        ({"name": "a\nb"}, (422, "invalid_value")),
        ({"ref_text": "x" * 2001}, (422, "invalid_value")),
        ({"ref_text": "\ud800"}, (422, "invalid_request")),
        ({"tags": ["\ud800"]}, (422, "invalid_request")),
        ({"language": "Klingonese"}, (422, "unknown_language")),
        ({"model_key": ROLES}, (422, "clone_not_supported")),
        ({"model_key": "nothing"}, (404, "unknown_model_key")),
    ):
        answer = http.patch(
            f"{VOICES}/{voice_id}", content=json.dumps(body), headers={"Content-Type": "application/json"}
        )
        assert refusal(answer) == expected, body
    assert data_of(http.get(f"{VOICES}/{voice_id}")) == voice


def test_a_deleted_voice_comes_back_until_its_files_are_removed(stage: Stage, http: httpx.Client) -> None:
    voice_id = ready(http, stage.recording, name="Mayfly")
    folder = stage.services.settings.paths.voices_dir / voice_id
    assert data_of(http.delete(f"{VOICES}/{voice_id}", params={"remove_files": 0})) == {
        "id": voice_id,
        "removed_files": False,
        "removed_file_names": [],
    }
    for method, path in (("GET", ""), ("PATCH", ""), ("DELETE", ""), ("GET", "/audio"), ("POST", "/clone")):
        answer = http.request(method, f"{VOICES}/{voice_id}{path}", json={} if method == "PATCH" else None)
        assert refusal(answer) == (404, "voice_not_found"), path
    assert refusal(http.post(f"{API}/synthesize", json={"text": SAID, "voice_id": voice_id}))[0] == 404
    assert voice_id in {voice["id"] for voice in data_of(http.get(VOICES, params={"deleted": 1}))}
    assert folder.is_dir()
    assert data_of(http.post(f"{VOICES}/{voice_id}/restore"))["status"] == "ready"
    assert data_of(http.get(VOICES, params={"search": "mayfly"}))[0]["id"] == voice_id
    removed = data_of(http.delete(f"{VOICES}/{voice_id}", params={"remove_files": 1}))
    assert removed["removed_files"] is True
    assert {"reference.wav", "original.flac"} <= set(removed["removed_file_names"])
    assert not folder.exists()
    assert refusal(http.post(f"{VOICES}/{voice_id}/restore")) == (404, "voice_not_found")


def design(**changes: str) -> dict[str, str]:
    said = {"name": "Captain", "language": "English", "text": SAID, "instruct": "A calm voice."}
    return {**said, "model_key": BASE, "voice_design_model_key": DESIGN, **changes}


def test_roles_and_designed_voices(http: httpx.Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(voices, "DESIGN_MAX_S", 0.4)
    role = {"name": "Narrator", "model_key": ROLES, "language": "English", "speaker": "ryan", "instruct": "Slowly."}
    voice = data_of(http.post(f"{VOICES}/custom-role", json=role))
    assert (voice["kind"], voice["status"], voice["speaker"]) == ("custom_role", "ready", "ryan")
    assert refusal(http.post(f"{VOICES}/custom-role", json={**role, "speaker": "nobody"})) == (404, "voice_not_found")
    take = data_of(http.post(f"{API}/synthesize", json={"text": SAID, "voice_id": voice["id"], "max_seconds": 0.2}))
    assert take["model_key"] == ROLES
    started = data_of(http.post(f"{VOICES}/design-clone", json=design()))
    assert settled(http, started["voice_id"]).items() >= {"status": "ready", "job_id": started["job_id"]}.items()
    made = data_of(http.get(f"{VOICES}/{started['voice_id']}"))
    assert (made["kind"], made["ref_text"]) == ("design_clone", SAID)
    assert refusal(http.post(f"{VOICES}/design-clone", json=design(text=" "))) == (422, "invalid_request")
    assert refusal(http.post(f"{VOICES}/design-clone", json=design(voice_design_model_key=BASE))) == (
        422,
        "clone_not_supported",
    )


def test_a_voice_travels_as_an_archive(stage: Stage, http: httpx.Client) -> None:
    voice_id = ready(http, stage.recording, name="Trave/ller")
    answer = http.get(f"{VOICES}/{voice_id}/export")
    assert answer.headers["content-type"] == "application/zip"
    assert "Trave_ller.voice.zip" in answer.headers["content-disposition"]
    (there,) = data_of(http.post(f"{VOICES}/import", files={"file": ("../../x.bin", answer.content)}))
    assert (there["name"], there["status"]) == ("Trave/ller", "ready")
    assert there["id"] != voice_id
    copy = data_of(http.post(f"{VOICES}/{voice_id}/duplicate"))
    assert (copy["name"], copy["status"]) == ("Trave/ller 2", "ready")
    same = {"text": SAID, "seed": 1, "max_seconds": 0.3}
    takes = [
        data_of(http.post(f"{API}/synthesize", json={**same, "voice_id": known}))
        for known in (voice_id, there["id"], copy["id"])
    ]
    assert len({http.get(take["url"]).content for take in takes}) == 1
    refused = http.post(f"{API}/synthesize", json={"text": SAID, "speaker": "Trave/ller"})
    assert refusal(refused) == (422, "ambiguous_voice")


@pytest.mark.parametrize("voice_id", ELSEWHERE)
def test_an_id_leads_nowhere_else(http: httpx.Client, voice_id: str) -> None:
    for method, rest in (
        *(("GET", rest) for rest in ("", "/audio?kind=original", "/export", "/clone-status")),
        *(("POST", rest) for rest in ("/clone", "/preview", "/duplicate", "/restore")),
        ("DELETE", "?remove_files=1"),
    ):
        answer = http.request(method, f"{VOICES}/{voice_id}{rest}")
        assert answer.status_code in (404, 405), (method, rest)
        assert answer.json()["detail"] in ("voice_not_found", "not_found", "method_not_allowed")


def test_an_id_of_another_program_that_names_a_folder_is_never_followed(voice_models: Path, tmp_path: Path) -> None:
    settings = settings_of(tmp_path / "data", voice_models)
    (tmp_path / "data").mkdir()
    (tmp_path / "reference.wav").write_bytes(b"private")
    settings.paths.voices_file.write_text(json.dumps({"..": {"name": "Evil"}, "a b": {"name": "Evil"}}))
    services = build_services(settings)
    with serving(create_api(services)) as url, client_of(url) as client:
        assert [voice["id"] for voice in data_of(client.get(VOICES))] == ["..", "a b"]
        assert not any(map(services.voices.has_recording, services.voices.voices()))
        assert refusal(client.get(f"{VOICES}/a b/audio")) == (404, "voice_not_found")
        assert refusal(client.get(f"{VOICES}/a b/export")) == (404, "voice_not_found")
        assert refusal(client.post(f"{VOICES}/a b/duplicate")) == (404, "unknown_model_key")
    services.close()


def test_several_clients_of_two_servers_lose_nothing(voice_models: Path, voice_recording: Path, tmp_path: Path) -> None:
    settings = settings_of(tmp_path, voice_models)
    apps = [build_services(settings) for _ in range(2)]
    with serving(create_api(apps[0])) as one, serving(create_api(apps[1])) as other:
        with client_of(one) as client:
            shared = uploaded(client, voice_recording, name="Shared")["id"]

        def write(number: int) -> str:
            with client_of((one, other)[number % 2]) as client:
                role = {"name": f"Role {number}", "model_key": ROLES, "speaker": "ryan"}
                voice = data_of(client.post(f"{VOICES}/custom-role", json=role))
                data_of(client.patch(f"{VOICES}/{voice['id']}", json={"name": f"Renamed {number}"}))
                field = ("instruct", "ref_text")[number % 2]
                data_of(client.patch(f"{VOICES}/{shared}", json={field: field}))
                return str(voice["id"])

        with ThreadPoolExecutor(8) as pool:
            written = list(pool.map(write, range(8)))
        for url in (one, other):
            with client_of(url) as client:
                known = {voice["id"]: voice for voice in data_of(client.get(VOICES))}
                assert [known[voice_id]["name"] for voice_id in written] == [f"Renamed {n}" for n in range(8)]
                assert (known[shared]["instruct"], known[shared]["ref_text"]) == ("instruct", "ref_text")
    for app in apps:
        app.close()


def test_another_sites_page_keeps_no_voice(stage: Stage, http: httpx.Client) -> None:
    form = {"name": "Evil", "model_key": BASE}
    answer = http.post(
        f"{VOICES}/upload",
        files={"file": ("a.flac", stage.recording.read_bytes())},
        data=form,
        headers={"Origin": "https://evil.example"},
    )
    assert refusal(answer) == (403, "origin_not_allowed")
    assert sent(http, b"", name="x").status_code == 422


def test_speakers_are_named_as_the_capabilities_and_the_page_name_them(stage: Stage, http: httpx.Client) -> None:
    known = data_of(http.get(f"{API}/models/{ROLES}/capabilities"))["speakers"]
    assert "uncle_fu" in known
    for speaker in ("uncle_fu", "Uncle Fu", "UNCLE_FU"):
        role = data_of(
            http.post(f"{VOICES}/custom-role", json={"name": speaker, "model_key": ROLES, "speaker": speaker})
        )
        assert role["speaker"] == "uncle_fu"
        body = {"text": "hello", "model_key": ROLES, "speaker": speaker, "max_seconds": 0.3}
        assert data_of(http.post(f"{API}/synthesize", json=body))["voice_id"] == f"{ROLES}/uncle_fu"
        data_of(http.patch(f"{VOICES}/{role['id']}", json={"speaker": "Ono Anna"}))
        said = http.post(f"{API}/synthesize", json={"text": "hello", "voice_id": role["id"], "max_seconds": 0.3})
        assert data_of(said)["voice_id"] == f"library/{role['id']}"


def test_a_library_that_is_none_any_more_is_told_with_the_list(services: Services, serve: Serve) -> None:
    file = services.settings.paths.voices_file
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text("{broken")
    with client_of(serve(create_api(services))) as client:
        assert file.name in client.get(VOICES).json()["message"]
        assert file.read_text() == "{broken"
