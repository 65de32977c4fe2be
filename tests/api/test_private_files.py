"""What a user's voices, texts and accounts become on the disk: files that nobody else can read, whatever the umask."""

from __future__ import annotations

import os
import stat
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from tests.api.conftest import API, RunningApi, client_of
from tests.api.voice_stage import VOICES, data_of, uploaded, voice_recording
from tests.conftest import SOON_S
from tests.engines.qwen.formula_checkpoint import reference_audio
from tests.serving import serving
from tts_core.access.accounts import AccountsFile
from tts_core.access.visitor import Role
from tts_core.api.server import create_api
from tts_core.audio.files import AudioWriter
from tts_core.domain.values import PreparedVoice
from tts_core.platform.settings.preferences import Preferences, PreferencesFile
from tts_core.platform.settings.studio import Settings
from tts_core.platform.whole_files import copy_private, make_private, open_private, write_json
from tts_core.services import build_services

__all__ = ["voice_recording"]

pytestmark = pytest.mark.skipif(os.name == "nt", reason="rights are POSIX's")


@pytest.fixture(autouse=True)
def open_umask(tmp_path: Path) -> Iterator[None]:
    """The worst that a system can be set to."""
    before = os.umask(0)
    tmp_path.chmod(0o755)
    yield
    os.umask(before)


@pytest.fixture
def studio(tmp_path: Path, open_umask: None) -> Iterator[RunningApi]:
    services = build_services(Settings.from_env({"TTS_STUDIO_DATA_DIR": str(tmp_path)}))
    services.voices.settle(services.jobs.restore())
    with serving(create_api(services)) as url:
        yield RunningApi(url, services)
    services.close()


def test_whatever_is_sent_and_made_is_for_its_owner_only(studio: RunningApi, voice_recording: Path) -> None:
    services, paths = studio.services, studio.services.settings.paths
    with client_of(studio.url) as http:
        voice = uploaded(http, voice_recording, name="Anna", consent_own_voice="true", consent_note="by mail")["id"]
        prompt = PreparedVoice(np.ones(8, np.float32), np.zeros((4, 16), np.int64), "hello")
        services.voice_transfer._prompts.keep_imported(services.voices.voice(voice), prompt)
        data_of(http.post(f"{VOICES}/{voice}/duplicate", json={"name": "Berta"}))
        archive = http.get(f"{VOICES}/{voice}/export")
        assert archive.status_code == 200
        data_of(http.post(f"{VOICES}/import", files={"file": ("a.voice.zip", archive.content)}))
        for kind in ("wav", "mp3", "opus", "flac"):
            spoken = {"text": "a", "model_key": "builtin", "format": kind}
            assert http.post(f"{API}/synthesize", json=spoken).status_code == 200
        speaker = {"speaker_id": "somebody", "reference_audio": reference_audio(2.0, 16_000).tolist()}
        assert http.post("/register_speaker", json=speaker).status_code == 200
    PreferencesFile(paths.preferences_file).change(lambda _before: Preferences(precision="int8"))
    AccountsFile(paths.accounts_file).add_user("Anna", "long enough", Role.ADMIN)
    take = next(paths.outputs_dir.glob("*.wav"))
    services.voice_transfer._folders.keep_preview(voice, take)
    found = {path.name for path in paths.data_dir.rglob("*")}
    assert {"reference.wav", "preview.wav", "original.flac", "jobs.json", "qwen3_tts_voices.json.bak"} <= found
    assert {"preferences.json", "accounts.json", "registered_speakers", "prompts", "imported.safetensors"} <= found
    assert loose(paths.data_dir) == []


def test_it_is_private_before_its_first_byte(tmp_path: Path) -> None:
    take = tmp_path / "made" / "take.wav"
    with AudioWriter(take, "wav", 24_000):
        assert loose(tmp_path) == []
    with open_private(tmp_path / "file", "wb"):
        assert loose(tmp_path) == []
    make_private(tmp_path / "a" / "b")
    (tmp_path / "loose").write_text("x")
    copy_private(tmp_path / "loose", tmp_path / "copy")
    write_json(tmp_path / "loose", {"a": 1})
    assert loose(tmp_path) == []


def test_what_an_earlier_version_left_is_made_private_at_the_start(tmp_path: Path) -> None:
    services = build_services(Settings.from_env({"TTS_STUDIO_DATA_DIR": str(tmp_path)}))
    paths = services.settings.paths
    files = [
        paths.voices_dir / "0123456789abcdef" / "prompts" / "x.json",
        paths.outputs_dir / f"take-{'a' * 32}.wav",
        paths.log_file,
        *(paths.voices_file, paths.voices_file.with_name("qwen3_tts_voices.json.bak")),
        paths.voices_file.with_name("qwen3_tts_voices.broken-0123.json"),
        *(paths.accounts_file, paths.preferences_file, paths.jobs_file, paths.downloads_file),
    ]
    strangers = [tmp_path / "models" / "weights", tmp_path / "uploads" / "audios" / "another_program.wav"]
    for file in (*files, *strangers):
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text("{}")
    linked = tmp_path / "linked"
    linked.write_text("of somebody else")
    (paths.outputs_dir / "link").symlink_to(linked)
    services.start()
    deadline = time.monotonic() + SOON_S
    while any(loose(place) for place in paths.private) and time.monotonic() < deadline:
        time.sleep(0.01)
    services.close()
    assert [loose(place) for place in paths.private if loose(place)] == []
    assert all(mode_of(file) & 0o077 for file in (*strangers, linked)), "they are not ours"
    assert mode_of(tmp_path) == 0o755, "the data folder itself is the user's"


def test_a_disk_without_rights_is_no_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_arguments: object, **_named: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    for name in ("chmod", "fchmod"):
        monkeypatch.setattr(os, name, refuse)
    services = build_services(Settings.from_env({"TTS_STUDIO_DATA_DIR": str(tmp_path)}))
    services.start()
    write_json(tmp_path / "file.json", {"a": 1})
    assert (tmp_path / "file.json").read_text() == '{"a": 1}'
    services.close()


def loose(place: Path) -> list[str]:
    """What others than its owner can read or enter, at that place and below it."""
    return [str(path) for path in (place, *place.rglob("*")) if path.exists() and is_loose(path, place)]


def is_loose(path: Path, place: Path) -> bool:
    return path != place and not path.is_symlink() and bool(mode_of(path) & 0o077)


def mode_of(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)
