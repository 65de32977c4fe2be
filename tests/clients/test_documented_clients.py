"""The clients that docs/clients.md shows: its blocks are what runs here, as processes of their own, against the app."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import pytest
import soundfile

from tests.api.conftest import client_of
from tests.api.openai_stage import seconds
from tests.conftest import SOON_S, wait_until
from tests.engines.qwen.formula_checkpoint import write_checkpoint
from tests.engines.whisper.speech import write_speech
from tests.engines.whisper.whisper_studio import KEY, whisper_studio
from tests.models.staged_downloads import StagedDownloads, stage_downloads
from tests.serving import serving
from tts_core.cli.serve.studio import build_app
from tts_core.platform.paths import ROOT_DIR
from tts_core.platform.settings.studio import Settings
from tts_core.services import build_services

pytestmark = pytest.mark.slow

ADDRESS = "127.0.0.1:7860"
"""In the page."""
_BLOCK = re.compile(r"^```(?P<language>\w+)\n(?P<code>.*?)^```$", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True)
class Block:
    language: str
    code: str


@dataclass(frozen=True)
class Studio:
    url: str
    downloads: StagedDownloads

    @property
    def address(self) -> str:
        return self.url.removeprefix("http://")


def blocks() -> list[Block]:
    text = (ROOT_DIR / "docs" / "clients.md").read_text(encoding="utf-8")
    return [Block(found["language"], found["code"]) for found in _BLOCK.finditer(text)]


def block(mark: str) -> Block:
    """The only one with that in it."""
    (found,) = (one for one in blocks() if mark in one.code)
    return found


@pytest.fixture(scope="module")
def studio(tmp_path_factory: pytest.TempPathFactory, one_thread: None) -> Iterator[Studio]:
    """With its pages, a scripted Whisper and a queue of downloads that a test writes on."""
    root = tmp_path_factory.mktemp("studio")
    variables = whisper_studio(root) | {"TTS_STUDIO_DATA_DIR": str(root / "data")}
    services = build_services(Settings.from_env(variables))
    downloads = stage_downloads(services)
    with serving(build_app(downloads.services)) as url:
        yield Studio(url, downloads)
    services.close()


@pytest.fixture(scope="module")
def studio_with_a_model(tmp_path_factory: pytest.TempPathFactory, one_thread: None) -> Iterator[Studio]:
    """With a model that speaks, ready before the pages are built."""
    root = tmp_path_factory.mktemp("model")
    variables = {"TTS_STUDIO_DATA_DIR": str(root), "TTS_STUDIO_DEVICE": "cpu", "OMP_NUM_THREADS": "1"}
    services = build_services(Settings.from_env(variables))
    folder = services.settings.paths.models_dir / "Qwen3-TTS-12Hz-0.6B-CustomVoice"
    write_checkpoint(folder, kind="custom_voice", geometry="a")
    downloads = stage_downloads(services)
    with serving(build_app(downloads.services)) as url:
        yield Studio(url, downloads)
    services.close()


def command(one: Block, studio: Studio) -> list[str]:
    assert ADDRESS in one.code
    code = one.code.replace(ADDRESS, studio.address)
    return [sys.executable, "-u", "-c", code] if one.language == "python" else ["sh", "-e", "-c", code]


def environment() -> dict[str, str]:
    """Without proxies: they would be asked for this machine, too."""
    mine = {name: value for name, value in os.environ.items() if not name.lower().endswith("_proxy")}
    return mine | {"PYTHONIOENCODING": "utf-8", "GRADIO_ANALYTICS_ENABLED": "False"}


def run(one: Block, studio: Studio, folder: Path) -> str:
    """What it prints."""
    done = subprocess.run(
        command(one, studio),
        cwd=folder,
        env=environment(),
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=SOON_S,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


class Listener:
    """A block that listens until it has heard an end; use it with `with`."""

    def __init__(self, one: Block, studio: Studio) -> None:
        self.lines: list[str] = []
        self._process = subprocess.Popen(
            command(one, studio), env=environment(), stdout=subprocess.PIPE, text=True, encoding="utf-8"
        )
        assert self._process.stdout is not None
        self._reading = threading.Thread(target=self._read, args=(self._process.stdout,))
        self._reading.start()

    def __enter__(self) -> Listener:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.wait(SOON_S)
        self._reading.join(SOON_S)

    def ended(self) -> Sequence[str]:
        """All that it printed, once it has ended well."""
        assert self._process.wait(SOON_S) == 0
        self._reading.join(SOON_S)
        return self.lines

    def _read(self, printed: IO[str]) -> None:
        self.lines += printed


def test_the_page_shows_every_client() -> None:
    shown = blocks()
    assert {one.language for one in shown} == {"python", "sh"}
    for client in ("OpenAI(", "curl ", "gradio_client", "websockets", "requests.get", "http://127.0.0.1:7860/"):
        assert any(client in one.code for one in shown), client


def test_openai_speaks(studio: Studio, tmp_path: Path) -> None:
    run(block("audio.speech"), studio, tmp_path)
    assert 1 < seconds("mp3", (tmp_path / "hello.mp3").read_bytes()) < 4


def test_openai_transcribes(studio: Studio, tmp_path: Path) -> None:
    write_speech(tmp_path / "hello.wav", 1)
    assert run(block("audio.transcriptions"), studio, tmp_path) == "hello world\n"


def test_curl_speaks_and_transcribes(studio: Studio, tmp_path: Path) -> None:
    printed = run(block("curl "), studio, tmp_path)
    assert seconds("opus", (tmp_path / "hello.opus").read_bytes()) > 0.3
    assert soundfile.info(tmp_path / "hello.wav").duration > 0.3
    assert "hello" in printed
    assert "00:00:00,000 --> " in printed


def test_gradio_client_speaks(studio: Studio, tmp_path: Path) -> None:
    file = run(block("gradio_client"), studio, tmp_path).splitlines()[-1]
    assert soundfile.info(file).duration > 0.2


def test_gradio_client_speaks_with_a_model(studio_with_a_model: Studio, tmp_path: Path) -> None:
    file = run(block("gradio_client"), studio_with_a_model, tmp_path).splitlines()[-1]
    assert soundfile.info(file).duration > 0
    with client_of(studio_with_a_model.url) as client:
        spoken = client.get("/api/jobs").json()["data"]
    assert {job["result"]["voice_id"].partition("/")[0] for job in spoken} == {"custom_0_6b"}


def test_a_websocket_tells_of_speech_until_it_ends(studio: Studio) -> None:
    with Listener(block("websockets"), studio) as listener:
        wait_until(lambda: studio.downloads.readers == 1)
        with client_of(studio.url) as client:
            client.post("/v1/audio/speech", json={"input": "Hello."}).raise_for_status()
        told = listener.ended()
    assert all(line.startswith("qwen3_tts_jobs ") for line in told)
    assert told[-1].split()[2:] == ["100.0", "Done."]


def test_server_sent_events_tell_of_a_download_until_it_ends(studio: Studio) -> None:
    with Listener(block("requests.get"), studio) as listener:
        wait_until(lambda: bool(listener.lines))  # the state of all models, so what follows is told
        studio.downloads.at(KEY, 420_000)
        wait_until(lambda: len(listener.lines) == 2)
        studio.downloads.finish(KEY)
        told = listener.ended()
    assert [line.split() for line in told] == [
        ["initial_state"],
        ["model_progress", KEY, "42.0"],
        ["model_complete", KEY, "100.0"],
    ]
