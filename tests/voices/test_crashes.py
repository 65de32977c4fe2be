"""Killed at every single step of every write, the library and its voices are whole."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
import soundfile

from tests.engines.qwen.formula_checkpoint import reference_audio
from tts_core.audio.reading import read_recording
from tts_core.platform.paths import ROOT_DIR
from tts_core.platform.settings.studio import Settings
from tts_core.services import Services, build_services
from tts_core.voices.library import Consent, NewVoice
from tts_core.voices.prompt_files import load_prompt
from tts_core.voices.record import SavedVoice
from tts_core.voices.store import VoiceStore

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="steps are counted in forks")

KILLED_AT_EVERY_STEP = '''
"""Does one thing in a fork that is killed before its first, second, … touch of the disk, until one comes through."""
import os, shutil, signal, sys
from pathlib import Path
import numpy as np
from tts_core.services import build_services
from tts_core.platform.settings.studio import Settings
from tts_core.domain.values import PreparedVoice
from tts_core.voices.library import Consent, NewVoice

template, runs, action, voice_id = Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3], sys.argv[4]
STEPS = ("open", "os.rename", "os.remove", "os.mkdir", "os.rmdir", "shutil.copyfile", "shutil.rmtree")

def act(services):
    voices, new = services.voices, NewVoice("New", "base_0_6b", language="english", ref_text="hello")
    other = template.parent / "other.wav"
    if action == "add":
        voices.add_clone(other, new, Consent(own_voice=True))
    elif action == "change":
        voices.change(voice_id, {"name": "Changed"})
    elif action == "replace":
        voices.replace_recording(voice_id, other)
    elif action == "duplicate":
        voices.duplicate(voice_id, "New")
    elif action == "import":
        services.voice_transfer.import_archive(template.parent / "voice.zip")
    elif action == "export":
        services.voice_transfer.export(voice_id, services.settings.paths.data_dir / "out.zip")
    elif action == "remove":
        voices.remove(voice_id, files=True)
    elif action == "preview":
        voices._folders.keep_preview(voice_id, other)
    elif action == "prompt":
        prompt = PreparedVoice(np.ones(8, np.float32), np.zeros((4, 16), np.int64), "hello")
        voices._prompts.keep_imported(voices.voice(voice_id), prompt)

for step in range(1, 200):
    data = runs / f"{step:03d}"
    shutil.copytree(template, data)
    services = build_services(Settings.from_env({"TTS_STUDIO_DATA_DIR": str(data)}))
    child = os.fork()
    if child == 0:
        seen = 0
        def watch(event, arguments):
            global seen
            if event in STEPS:
                seen += 1
                if seen == step:
                    os.kill(os.getpid(), signal.SIGKILL)
        sys.addaudithook(watch)
        act(services)
        os._exit(0)
    status = os.waitpid(child, 0)[1]
    if not os.WIFSIGNALED(status):
        sys.exit(os.WEXITSTATUS(status))
sys.exit("it never ends")
'''


@pytest.fixture
def template(tmp_path: Path) -> Path:
    """A data folder with two voices, moved as a whole: paths in it lead nowhere, as after a restored backup."""
    data = tmp_path / "template"
    soundfile.write(tmp_path / "me.flac", reference_audio(1.0), 24_000)
    soundfile.write(tmp_path / "other.wav", reference_audio(0.5, f0=220.0), 24_000)
    services = of(data)
    for name in ("Anna", "Berta"):
        new = NewVoice(name, "base_0_6b", language="english", ref_text="hello")
        voice = services.voices.add_clone(tmp_path / "me.flac", new, Consent(own_voice=True))
    services.voice_transfer.export(voice.id, tmp_path / "voice.zip")
    services.close()
    file = data / "qwen3_tts_voices.json"
    file.write_text(file.read_text(encoding="utf-8").replace(str(tmp_path), "/elsewhere"), encoding="utf-8")
    return data


def of(data: Path) -> Services:
    return build_services(Settings.from_env({"TTS_STUDIO_DATA_DIR": str(data)}))


def killed_at_every_step(template: Path, action: str, voice_id: str) -> list[Path]:
    """The data folders as each kill left them; the last one was not killed."""
    runs = template.parent / "runs"
    command = [sys.executable, "-c", KILLED_AT_EVERY_STEP, str(template), str(runs), action, voice_id]
    done = subprocess.run(command, cwd=ROOT_DIR, capture_output=True, text=True, check=False, timeout=600)
    assert done.returncode == 0, done.stderr
    folders = sorted(runs.iterdir())
    assert len(folders) > 2, "no step was seen"
    return folders


ACTIONS = ("add", "change", "replace", "duplicate", "import", "export", "remove", "preview", "prompt")


@pytest.mark.thorough
@pytest.mark.parametrize("action", ACTIONS)
def test_killed_at_every_step_no_voice_is_harmed(template: Path, action: str) -> None:
    before = {voice.name: voice for voice in of(template).voices.voices()}
    anna, berta = before["Anna"], before["Berta"]
    recording = (template.parent / "me.flac").read_bytes()
    for data in killed_at_every_step(template, action, anna.id):
        whole = json.loads((data / "qwen3_tts_voices.json").read_bytes())
        assert berta.id in whole
        services = of(data)
        for voice in services.voices.voices():
            reference = services.voices.reference(voice.id)
            assert reference is not None
            assert read_recording(reference).duration_s in (1.0, 0.5)
            if (preview := services.voices.preview_file(voice.id)) is not None:
                assert read_recording(preview).duration_s == 0.5
            folder = services.settings.paths.voices_dir / voice.id
            for prompt in (folder / "prompts").glob("[!.]*.safetensors"):
                load_prompt(prompt)
        for voice_id in {anna.id, berta.id} & whole.keys():
            original = services.settings.paths.voices_dir / voice_id / "original.flac"
            assert original.read_bytes() == recording
        if (zip_file := data / "out.zip").exists():
            assert services.voice_transfer.import_archive(zip_file).name == "Anna"
        services.voices.change(berta.id, {"favourite": True})
        services.close()
        swept_later(data)
        kept = set(json.loads((data / "qwen3_tts_voices.json").read_bytes()))
        assert {path.name for path in services.settings.paths.voices_dir.iterdir()} == kept, "nobody's folder is left"


def swept_later(data: Path) -> None:
    """The next start, two days later."""
    services = of(data)
    then = time.time() - 2 * 86_400.0
    for folder in services.settings.paths.voices_dir.iterdir():
        os.utime(folder, (then, then))
    services.voices.settle(services.jobs.restore())
    services.close()


REPAIR = """
import os, shutil, signal, sys
from pathlib import Path
from tts_core.voices.record import SavedVoice
from tts_core.voices.record import SavedVoice
from tts_core.voices.store import VoiceStore
template, runs = Path(sys.argv[1]), Path(sys.argv[2])
for step in range(1, 100):
    data = runs / f"{step:03d}"
    shutil.copytree(template, data)
    child = os.fork()
    if child == 0:
        seen = 0
        def watch(event, arguments):
            global seen
            if event in ("open", "os.rename", "os.remove", "shutil.copyfile"):
                seen += 1
                if seen == step:
                    os.kill(os.getpid(), signal.SIGKILL)
        sys.addaudithook(watch)
        VoiceStore(data / "voices.json").put(SavedVoice("c", "C"))
        os._exit(0)
    if not os.WIFSIGNALED(os.waitpid(child, 0)[1]):
        sys.exit(0)
"""


def test_killed_while_a_broken_file_is_kept_aside_nothing_is_lost(tmp_path: Path) -> None:
    template, runs = tmp_path / "template", tmp_path / "runs"
    store = VoiceStore(template / "voices.json")
    for voice_id in ("a", "b"):
        store.put(SavedVoice(voice_id, voice_id))
    (template / "voices.json").write_bytes(b'{"a": broken')
    command = [sys.executable, "-c", REPAIR, str(template), str(runs)]
    subprocess.run(command, cwd=ROOT_DIR, check=True, timeout=300)
    folders = sorted(runs.iterdir())
    assert len(folders) > 5
    for data in folders:
        found = {voice.id for voice in VoiceStore(data / "voices.json").voices()}
        assert found in ({"a"}, {"a", "c"}), "the last good state, with or without the change"
        assert any(path.read_bytes() == b'{"a": broken' for path in data.glob("voices*.json"))
