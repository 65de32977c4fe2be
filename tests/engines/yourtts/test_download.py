"""The model's zip, from a server on loopback: unpacked whole or not at all."""

from __future__ import annotations

import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest

from tests.engines.yourtts.test_finder import model
from tts_core.domain.engine import never
from tts_core.engines.yourtts.download import fetch_model
from tts_core.engines.yourtts.faults import ModelArchiveInvalid
from tts_core.engines.yourtts.finder import PUBLISHED_NAME, ModelFinder
from tts_core.models.download_faults import NetConnect, NotFoundThere, Offline
from tts_core.platform.faults import InvalidEndpoint
from tts_core.platform.settings.studio import Settings


@dataclass
class Server:
    folder: Path
    url: str
    asked: list[str] = field(default_factory=list)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    folder = tmp_path / "served"
    folder.mkdir()
    found = Server(folder, "")

    class Handler(SimpleHTTPRequestHandler):
        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - its name there
            found.asked.append(f"{self.command} {self.path}")

    running = ThreadingHTTPServer(("127.0.0.1", 0), partial(Handler, directory=str(folder)))
    thread = Thread(target=running.serve_forever)
    thread.start()
    found.url = f"http://127.0.0.1:{running.server_address[1]}/model.zip"
    yield found
    running.shutdown()
    thread.join()
    running.server_close()


def settings(tmp_path: Path, url: str, **more: str) -> Settings:
    return Settings.from_env({"TTS_STUDIO_DATA_DIR": str(tmp_path / "data"), "TTS_STUDIO_YOURTTS_URL": url, **more})


def zipped(folder: Path, target: Path, *, leave_out: str = "") -> None:
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for file in sorted(folder.iterdir()):
            if file.name != leave_out:
                archive.write(file, f"{PUBLISHED_NAME}/{file.name}")
        archive.writestr("../../escape.txt", "out of here")
        archive.writestr(f"{PUBLISHED_NAME}/run.py", "print('never')")


def test_it_is_fetched_with_progress_and_found_from_then_on(server: Server, tmp_path: Path) -> None:
    original = model(tmp_path / "original")
    zipped(original, server.folder / "model.zip")
    chosen, told = settings(tmp_path, server.url), list[tuple[int, int]]()
    folder = fetch_model(chosen, cancelled=never, progress=lambda done, total: told.append((done, total)))
    assert {file.name: file.read_bytes() for file in folder.iterdir()} == {
        file.name: file.read_bytes() for file in original.iterdir()
    }
    size = (server.folder / "model.zip").stat().st_size
    assert told[-1] == (size, size)
    found = ModelFinder(chosen.paths.models_dir, chosen.yourtts).find().model
    assert found is not None
    assert found.folder == folder
    assert list(tmp_path.rglob("escape.txt")) == []
    assert list(chosen.paths.yourtts_dir.rglob("*.zip")) == []


@pytest.mark.parametrize("kind", ["page", "lacks", "cut"])
def test_what_is_no_model_is_not_taken_for_one(server: Server, tmp_path: Path, kind: str) -> None:
    target = server.folder / "model.zip"
    if kind == "page":
        target.write_bytes(b"<html>not here</html>" * 50)
    else:
        zipped(model(tmp_path / "original"), target, leave_out="speakers.json" if kind == "lacks" else "")
    if kind == "cut":
        target.write_bytes(target.read_bytes()[:-200])
    chosen = settings(tmp_path, server.url)
    with pytest.raises(ModelArchiveInvalid):
        fetch_model(chosen, cancelled=never, progress=lambda _done, _total: None)
    assert list(chosen.paths.models_dir.iterdir()) == []


def test_what_stands_in_its_place_is_kept_aside(server: Server, tmp_path: Path) -> None:
    zipped(model(tmp_path / "original"), server.folder / "model.zip")
    chosen = settings(tmp_path, server.url)
    mine = chosen.paths.models_dir / "YourTTS"
    mine.mkdir(parents=True)
    (mine / "mine.txt").write_text("keep me")
    fetch_model(chosen, cancelled=never, progress=lambda _done, _total: None)
    assert (chosen.paths.models_dir / "YourTTS.wrong-1" / "mine.txt").read_text() == "keep me"


def test_a_server_that_has_it_not_or_is_not_there_is_told(server: Server, tmp_path: Path) -> None:
    with pytest.raises(NotFoundThere):
        fetch_model(settings(tmp_path, server.url), cancelled=never, progress=lambda _done, _total: None)
    with pytest.raises(NetConnect):
        fetch_model(settings(tmp_path, "http://127.0.0.1:9/m.zip"), cancelled=never, progress=lambda _d, _t: None)
    offline = settings(tmp_path, server.url, HF_HUB_OFFLINE="1")
    with pytest.raises(Offline):
        fetch_model(offline, cancelled=never, progress=lambda _done, _total: None)
    with pytest.raises(InvalidEndpoint, match="TTS_STUDIO_YOURTTS_URL"):
        fetch_model(settings(tmp_path, "http://example.org/m.zip"), cancelled=never, progress=lambda _d, _t: None)
