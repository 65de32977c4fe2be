"""What clients send as recordings and archives: judged by its bytes, counted while it is read, never left over."""

from __future__ import annotations

import dataclasses
import hashlib
import io
import json
import struct
import tempfile
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path

import httpx
import numpy as np
import pytest
import soundfile
import torch

from tests.api.conftest import client_of
from tests.api.raw_http import RawServer
from tests.api.voice_stage import (
    BASE,
    VOICES,
    Stage,
    data_of,
    http,
    refusal,
    sent,
    settings_of,
    stage,
    uploaded,
    voice_models,
    voice_recording,
)
from tests.audio.recordings import broken, encoded
from tests.engines.qwen.formula_checkpoint import reference_audio
from tests.serving import serving
from tts_core.api.server import create_api
from tts_core.platform.settings.studio import Limits
from tts_core.services import build_services
from tts_core.voices.exchange.archive import names_in

__all__ = ["http", "stage", "voice_models", "voice_recording"]

PNG = b"\x89PNG\r\n\x1a\n" + bytes(100)
PLAYLIST = b"#EXTM3U\n#EXTINF:1,\nfile:///etc/passwd\n"
CONCAT = b"ffconcat version 1.0\nfile /etc/passwd\n"
MP4_OF_NOTHING = struct.pack(">I", 24) + b"ftypM4A " + bytes(12)
BOUNDARY = "x123"


@pytest.fixture(autouse=True)
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Where files of requests go; none may be left there."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    yield folder
    deadline = time.monotonic() + 30
    while left := list(folder.iterdir()):
        assert time.monotonic() < deadline, left
        time.sleep(0.02)


def wav(samples: np.ndarray[tuple[int], np.dtype[np.float32]], rate: int = 24_000, subtype: str = "FLOAT") -> bytes:
    file = io.BytesIO()
    soundfile.write(file, samples, rate, format="WAV", subtype=subtype)
    return file.getvalue()


def forged_rate(rate: int) -> bytes:
    content = bytearray(wav(reference_audio(1.0), subtype="PCM_16"))
    content[24:28] = struct.pack("<I", rate)
    return bytes(content)


def archive(**files: bytes) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as packed:
        for name, content in files.items():
            packed.writestr(name.replace("__", "/").replace("_dot_", "."), content)
    return file.getvalue()


HOSTILE = {
    "empty": b"",
    "page": b"<html><script>",
    "image": PNG,
    "playlist": PLAYLIST,
    "list of files": CONCAT,
    "zip": archive(a_dot_wav=b"RIFF"),
    "only magic": b"fLaC",
    "riff of nothing": b"RIFF\xff\xff\xff\xffWAVE",
    "mp4 of nothing": MP4_OF_NOTHING,
    "matroska of nothing": b"\x1a\x45\xdf\xa3" + bytes(200),
    "rate 1 Hz": forged_rate(1),
    "rate 4 GHz": forged_rate(0xFFFFFFFF),
    "no numbers": wav(np.full(24_000, np.nan, np.float32)),
}


@pytest.mark.parametrize("content", HOSTILE.values(), ids=HOSTILE.keys())
def test_what_is_no_recording_is_refused_and_nothing_is_kept(stage: Stage, http: httpx.Client, content: bytes) -> None:
    before = data_of(http.get(VOICES))
    folders = set(stage.services.settings.paths.voices_dir.glob("*"))
    assert refusal(sent(http, content)) == (422, "audio_unreadable")
    assert refusal(http.post(f"{VOICES}/check", files={"file": ("a.wav", content)})) == (422, "audio_unreadable")
    assert data_of(http.get(VOICES)) == before
    assert set(stage.services.settings.paths.voices_dir.glob("*")) == folders


def test_a_recording_is_counted_while_it_is_decoded(http: httpx.Client) -> None:
    long = io.BytesIO()
    soundfile.write(long, np.zeros(61 * 8000, np.float32), 8000, format="FLAC")
    assert len(long.getvalue()) < 20_000
    assert refusal(sent(http, long.getvalue())) == (422, "recording_too_long")
    modest = bytearray(wav(reference_audio(1.0), subtype="PCM_16"))
    modest[40:44] = struct.pack("<I", 0x7FFFFFF0)  # it claims hours
    assert data_of(sent(http, bytes(modest)))["meta"]["duration_s"] == pytest.approx(1.0, abs=0.01)


@pytest.mark.parametrize("name", ["../../../evil.exe", "C:\\evil.wav", "a\x00b.wav", "x" * 3000, "..", "con", ".m3u8"])
def test_the_clients_name_for_a_file_plays_no_part(stage: Stage, http: httpx.Client, name: str) -> None:
    body = form_data(stage.recording.read_bytes(), name)
    answer = http.post(f"{VOICES}/upload", content=body, headers=multipart())
    folder = stage.services.settings.paths.voices_dir / data_of(answer)["id"]
    assert sorted(path.name for path in folder.iterdir()) == ["original.flac", "reference.wav"]


def field(name: str, value: str) -> bytes:
    return f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'.encode()


def form_data(content: bytes, name: str, **fields: str) -> bytes:
    values = {"name": "Anna", "model_key": BASE, **fields}
    head = f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="file"; filename="{name}"\r\n\r\n'.encode()
    return b"".join(field(key, values[key]) for key in values) + head + content + f"\r\n--{BOUNDARY}--\r\n".encode()


def multipart() -> dict[str, str]:
    return {"Content-Type": f"multipart/form-data; boundary={BOUNDARY}"}


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"name": "a\tb"}, (422, "invalid_value")),
        ({"name": "x" * 101}, (422, "invalid_value")),
        ({"model_key": "../x"}, (404, "unknown_model_key")),
        ({"model_key": "custom_1_7b"}, (422, "clone_not_supported")),
        ({"language": "Klingonese"}, (422, "unknown_language")),
        ({"x_vector_only_mode": "perhaps"}, (422, "invalid_request")),
        ({"misspelt": "x"}, (422, "invalid_request")),
        ({"consent_note": "x" * 1001}, (422, "invalid_request")),
    ],
)
def test_fields_that_do_not_fit_are_named(
    stage: Stage, http: httpx.Client, fields: dict[str, str], expected: tuple[int, str]
) -> None:
    before = data_of(http.get(VOICES))
    assert refusal(sent(http, stage.recording.read_bytes(), **fields)) == expected
    assert data_of(http.get(VOICES)) == before


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"--x123",
        b"no form at all",
        form_data(b"x", "a.wav")[:-20],
        field("file", "no file, a text") + f"--{BOUNDARY}--\r\n".encode(),
        b"".join(field(f"n{number}", "") for number in range(1100)),
    ],
)
def test_a_broken_form_is_a_clear_refusal(http: httpx.Client, body: bytes) -> None:
    answer = http.post(f"{VOICES}/upload", content=body, headers=multipart())
    assert refusal(answer) in ((422, "invalid_request"), (422, "audio_unreadable"))


def test_an_upload_is_capped_before_and_while_it_is_read(
    voice_models: Path, voice_recording: Path, tmp_path: Path
) -> None:
    settings = settings_of(tmp_path, voice_models)
    services = build_services(dataclasses.replace(settings, limits=Limits(max_upload_bytes=100_000)))
    with serving(create_api(services)) as url:
        raw = RawServer(url)
        host, kind = f"Host: {raw.host}", f"Content-Type: multipart/form-data; boundary={BOUNDARY}"
        announced = raw.ask("POST", f"{VOICES}/upload", [host, kind, "Content-Length: 100001"])
        assert (announced.status, announced.json()["detail"]) == (413, "body_too_large")
        body = form_data(bytes(3_000_000), "a.wav")
        pieces = [body[at : at + 50_000] for at in range(0, len(body), 50_000)]
        chunks = [f"{len(piece):x}\r\n".encode() + piece + b"\r\n" for piece in pieces]
        counted = raw.ask("POST", f"{VOICES}/upload", [host, kind, "Transfer-Encoding: chunked"], body=chunks)
        assert (counted.status, counted.json()["detail"]) == (413, "body_too_large")
        with client_of(url) as client:
            assert data_of(client.get(VOICES)) == []
            uploaded(client, voice_recording)
    services.close()


def test_who_hangs_up_in_the_middle_leaves_nothing(stage: Stage, http: httpx.Client) -> None:
    before = len(data_of(http.get(VOICES)))
    raw, body = RawServer(stage.url), form_data(bytes(4_000_000), "a.wav")
    for _ in range(3):
        with raw.connect() as connection:
            head = f"POST {VOICES}/upload HTTP/1.1\r\nHost: {raw.host}\r\nContent-Length: {len(body)}\r\n"
            connection.sendall(f"{head}Content-Type: multipart/form-data; boundary={BOUNDARY}\r\n\r\n".encode())
            connection.sendall(body[:2_000_000])
    voice_id = uploaded(http, stage.recording)["id"]
    with raw.connect() as connection:
        connection.sendall(f"GET {VOICES}/{voice_id}/export HTTP/1.1\r\nHost: {raw.host}\r\n\r\n".encode())
        connection.recv(10)
    assert len(data_of(http.get(VOICES))) == before + 1


def test_a_recording_is_judged_and_not_kept(stage: Stage, http: httpx.Client) -> None:
    before = data_of(http.get(VOICES))
    quiet = wav(0.01 * reference_audio(2.0))
    report = data_of(http.post(f"{VOICES}/check", files={"file": ("quiet.wav", quiet)}))
    assert (report["container"], report["channels"], report["sample_rate"]) == ("wav", 1, 24_000)
    assert report["duration_seconds"] == pytest.approx(2.0)
    found = {finding["code"]: finding for finding in report["findings"]}
    assert (found["quiet"]["fix"], found["quiet"]["severity"]) == ("level", "advice")
    assert "dB" in found["quiet"]["message"]
    silence = data_of(http.post(f"{VOICES}/check", files={"file": ("a.wav", wav(np.zeros(24_000, np.float32)))}))
    assert (silence["good"], [finding["code"] for finding in silence["findings"]]) == (False, ["no_speech"])
    assert data_of(http.get(VOICES)) == before


def test_silence_is_refused_and_crossed_wires_and_scratches_are_mended(stage: Stage, http: httpx.Client) -> None:
    before = data_of(http.get(VOICES))
    silent = wav(np.full(48_000, 0.02, np.float32))  # the offset of a sound card without a microphone
    assert refusal(sent(http, silent)) == (422, "recording_silent")
    assert data_of(http.get(VOICES)) == before
    speech = reference_audio(2.0)
    crossed = io.BytesIO()
    soundfile.write(crossed, np.stack([speech, -speech], axis=1), 24_000, format="FLAC")
    kept = stage.services.voices.voice(data_of(sent(http, crossed.getvalue()))["id"])
    samples, _ = soundfile.read(kept.ref_audio_path)
    np.testing.assert_allclose(np.abs(samples), np.abs(speech), atol=1e-3)
    loud, _ = soundfile.read(
        stage.services.voices.voice(data_of(sent(http, wav(100 * speech)))["id"]).ref_audio_path, dtype="float32"
    )
    assert np.mean(np.abs(loud) > 0.99) < 0.01
    scratched = broken(encoded("flac", "flac", np.tile(speech, 2), 24_000))
    answer = sent(http, scratched).json()
    assert "are damaged and left out" in answer["message"]
    report = data_of(http.post(f"{VOICES}/check", files={"file": ("a.flac", scratched)}))
    assert "damaged" in [finding["code"] for finding in report["findings"]]


def bomb() -> bytes:
    return archive(voice_dot_json=b"{}", reference_dot_wav=bytes(60_000_000))


def crowded() -> bytes:
    return archive(**{f"f{number}": b"" for number in range(3000)}, voice_dot_json=b"{}")


def traveller(stage: Stage, http: httpx.Client, **record: object) -> bytes:
    """An exported voice with other words in its record, and right checksums."""
    exported = http.get(f"{VOICES}/{uploaded(http, stage.recording)['id']}/export").content
    changed = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(exported)) as source, zipfile.ZipFile(changed, "w") as target:
        files = {name: source.read(name) for name in source.namelist() if name != "checksums.sha256"}
        files["voice.json"] = json.dumps({**json.loads(files["voice.json"]), **record}).encode()
        for name, content in files.items():
            target.writestr(name, content)
        sums = [f"{hashlib.sha256(content).hexdigest()}  {name}\n" for name, content in files.items()]
        target.writestr("checksums.sha256", "".join(sums))
    return changed.getvalue()


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (b"", "voice_archive_invalid"),
        (b"PK\x03\x04 nothing", "voice_archive_invalid"),
        (archive(a_dot_txt=b"x"), "voice_archive_invalid"),
        (bomb(), "voice_archive_invalid"),
        (crowded(), "voice_archive_invalid"),
        (archive(voice_dot_json=b"{}", **{"..__..__evil_dot_wav": b"x"}), "voice_archive_invalid"),
        (archive(voice_dot_json=b"[" * 10_000), "voice_archive_invalid"),
        (archive(p__data_dot_pkl=b"cos\nsystem\n(S'true'\ntR."), "consent_missing"),
    ],
    ids=["nothing", "magic", "other", "bomb", "crowded", "path", "deep", "pickle without consent"],
)
def test_an_archive_that_is_no_voice_changes_nothing(
    stage: Stage, http: httpx.Client, content: bytes, code: str
) -> None:
    before = data_of(http.get(VOICES))
    folders = set(stage.services.settings.paths.voices_dir.glob("*"))
    assert refusal(http.post(f"{VOICES}/import", files={"file": ("a.zip", content)}))[1] == code
    assert data_of(http.get(VOICES)) == before
    assert set(stage.services.settings.paths.voices_dir.glob("*")) == folders


def test_a_zip_that_lists_too_much_is_not_even_opened(tmp_path: Path) -> None:
    (tmp_path / "crowded.zip").write_bytes(crowded())
    (tmp_path / "small.zip").write_bytes(archive(voice_dot_json=b"{}"))
    assert names_in(tmp_path / "crowded.zip") == frozenset()
    assert names_in(tmp_path / "small.zip") == {"voice.json"}


def test_words_in_an_archive_that_no_voice_has_are_refused(stage: Stage, http: httpx.Client) -> None:
    for record, code in (
        ({"name": "x" * 500}, "invalid_value"),
        ({"meta": {"note": "\ud800"}}, "invalid_request"),
        ({"model_key": "nothing"}, "unknown_model_key"),
        ({"kind": "dragon"}, "voice_archive_invalid"),
    ):
        content = traveller(stage, http, **record)
        folders = set(stage.services.settings.paths.voices_dir.glob("*"))
        assert refusal(http.post(f"{VOICES}/import", files={"file": ("a.zip", content)}))[1] == code
        assert set(stage.services.settings.paths.voices_dir.glob("*")) == folders
    (voice,) = data_of(http.post(f"{VOICES}/import", files={"file": ("a.zip", traveller(stage, http, name="Good"))}))
    assert voice["name"] == "Good"


def test_a_prompt_that_would_run_something_is_not_run(stage: Stage, http: httpx.Client, tmp_path: Path) -> None:
    target = tmp_path / "it ran"
    evil = archive(p__data_dot_pkl=f"cos\nsystem\n(S'touch \"{target}\"'\ntR.".encode())
    form = {"name": "Evil", "model_key": BASE, "consent_own_voice": "1"}
    answer = http.post(f"{VOICES}/import", files={"file": ("a.pt", evil)}, data=form)
    assert refusal(answer) == (422, "voice_prompt_invalid")
    assert not target.exists()
    prompt = tmp_path / "voice_clone_prompt.pt"
    embedding = torch.zeros(stage_embedding_size(stage))
    item = {"ref_code": None, "ref_spk_embedding": embedding, "x_vector_only_mode": True, "ref_text": None}
    torch.save({"items": [item]}, prompt)
    (voice,) = data_of(
        http.post(f"{VOICES}/import", files={"file": ("b.pt", prompt.read_bytes())}, data={**form, "name": "Kind"})
    )
    assert (voice["name"], voice["status"], voice["x_vector_only_mode"]) == ("Kind", "ready", True)


def stage_embedding_size(stage: Stage) -> int:
    with stage.services.qwen_models.lease(BASE) as model:
        size: int = model.prepare_voice(reference_audio(1.0), 24_000, None).embedding.shape[-1]
    return size
