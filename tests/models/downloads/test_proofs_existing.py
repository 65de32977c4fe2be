"""What this machine has is never fetched: each cache layout, other folders, and models that are ready."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path

import huggingface_hub
import pytest
from modelscope_hub import HubApi

from tests.hubs.hubs import Hubs
from tests.hubs.models import CODEC_FILE, MAIN_FILE, PublishedModel
from tests.models.downloads.app_process import DownloadProcess, Event, Home

pytestmark = pytest.mark.thorough

Layout = Callable[[Hubs, PublishedModel, Path], Mapping[str, str]]
"""Puts a copy of the model below a folder; returns the variables that name it."""


def copy(model: PublishedModel, folder: Path) -> None:
    for path, file in model.files.items():
        target = folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(file.source, target)


def hugging_face_home(hubs: Hubs, model: PublishedModel, root: Path) -> Mapping[str, str]:
    """Filled by huggingface_hub itself: blobs, and symlinks to them."""
    huggingface_hub.snapshot_download(
        model.repository, endpoint=hubs.hf.endpoint, cache_dir=root / "hub", token=False, max_workers=2
    )
    return {"HF_HOME": str(root)}


def hugging_face_cache_without_symlinks(hubs: Hubs, model: PublishedModel, root: Path) -> Mapping[str, str]:
    """As on Windows: the files lie in the snapshot, there are no blobs."""
    name = f"models--{model.repository.replace('/', '--')}"
    copy(model, root / "hub" / name / "snapshots" / model.revision)
    (root / "hub" / name / "refs").mkdir()
    (root / "hub" / name / "refs" / "main").write_text(model.revision, encoding="utf-8")
    return {"HF_HUB_CACHE": str(root / "hub")}


def hugging_face_cache_of_another_revision(hubs: Hubs, model: PublishedModel, root: Path) -> Mapping[str, str]:
    name = f"models--{model.repository.replace('/', '--')}"
    copy(model, root / "hub" / name / "snapshots" / ("0" * 40))
    return {"HF_HUB_CACHE": str(root / "hub")}


def modelscope_cache(hubs: Hubs, model: PublishedModel, root: Path) -> Mapping[str, str]:
    """Filled by ModelScope's own client."""
    HubApi(endpoint=hubs.modelscope.endpoint).download_repo(model.repository, "model", cache_dir=root)
    return {"MODELSCOPE_CACHE": str(root)}


def modelscope_1_22(hubs: Hubs, model: PublishedModel, root: Path) -> Mapping[str, str]:
    copy(model, root / "hub" / "models" / model.repository.replace(".", "___"))
    return {"MODELSCOPE_CACHE": str(root)}


def modelscope_without_hub(hubs: Hubs, model: PublishedModel, root: Path) -> Mapping[str, str]:
    copy(model, root / "models" / model.repository.replace(".", "___"))
    return {"MS_CACHE_HOME": str(root), "MODELSCOPE_CACHE": ""}


def modelscope_oldest(hubs: Hubs, model: PublishedModel, root: Path) -> Mapping[str, str]:
    copy(model, root / "hub" / model.repository)
    return {"MODELSCOPE_CACHE": str(root)}


def tts_home(hubs: Hubs, model: PublishedModel, root: Path) -> Mapping[str, str]:
    copy(model, root / model.local)
    return {"TTS_HOME": str(root)}


def another_models_folder(hubs: Hubs, model: PublishedModel, root: Path) -> Mapping[str, str]:
    copy(model, root / "some" / model.local)
    return {"TTS_STUDIO_MODEL_FOLDERS": os.pathsep.join([str(root / "nothing"), str(root / "some")])}


LAYOUTS = (
    hugging_face_home,
    hugging_face_cache_without_symlinks,
    hugging_face_cache_of_another_revision,
    modelscope_cache,
    modelscope_1_22,
    modelscope_without_hub,
    modelscope_oldest,
    tts_home,
    another_models_folder,
)


@pytest.mark.parametrize("layout", LAYOUTS, ids=lambda layout: layout.__name__)
def test_a_model_that_lies_elsewhere_is_taken_from_there(
    layout: Layout, hubs: Hubs, small_model: PublishedModel, tmp_path: Path
) -> None:
    environ = layout(hubs, small_model, tmp_path / "elsewhere")
    before = snapshot(tmp_path / "elsewhere")
    home = Home(tmp_path)
    last = download(hubs, home, small_model, environ)
    assert (last["status"], last["exit"], last["source"]) == ("ready", 0, "local"), last
    assert home.holds(small_model)
    assert snapshot(tmp_path / "elsewhere") == before
    placed = home.file(small_model, MAIN_FILE)
    assert not placed.is_symlink()
    assert placed.stat().st_nlink > 1, "on one volume a link costs no space"


def download(hubs: Hubs, home: Home, model: PublishedModel, environ: Mapping[str, str]) -> Event:
    """Without one request to any hub."""
    for hub in hubs.all:
        hub.log.clear()
    with DownloadProcess(hubs, home, model.key, environ=environ) as process:
        last = process.end()
    assert [line for hub in hubs.all for line in hub.log.lines()] == []
    return last


def snapshot(folder: Path) -> dict[str, tuple[int, int]]:
    """Size and time of each file."""
    found = {path: path.stat() for path in sorted(folder.rglob("*")) if path.is_file()}
    return {str(path): (facts.st_size, facts.st_mtime_ns) for path, facts in found.items()}


def test_damaged_copies_are_passed_over_and_only_what_is_missing_is_fetched(
    hubs: Hubs, small_model: PublishedModel, tmp_path: Path
) -> None:
    environ = tts_home(hubs, small_model, tmp_path / "elsewhere")
    damaged = tmp_path / "elsewhere" / small_model.local / MAIN_FILE
    with damaged.open("r+b") as stream:
        stream.seek(400_000)
        stream.write(b"\0damaged")
    content = damaged.read_bytes()
    home = Home(tmp_path)
    with DownloadProcess(hubs, home, small_model.key, source="hf", environ=environ) as process:
        last = process.end()
    assert (last["status"], last["source"], home.holds(small_model)) == ("ready", "hf", True), last
    assert hubs.sent() == hubs.sent(MAIN_FILE) == small_model.files[MAIN_FILE].size
    assert damaged.read_bytes() == content


@pytest.mark.parametrize(
    "harm",
    [
        lambda file: file.write_bytes(file.read_bytes()[:300_000]),
        lambda file: file.write_bytes(b"<!DOCTYPE html><html>Sign in</html>"),
        lambda file: file.write_bytes(b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 9\n"),
        lambda file: file.write_bytes(file.read_bytes()[:-9] + b"otherbyte"),
        lambda file: file.unlink(),
    ],
    ids=["truncated", "a web page", "a Git-LFS placeholder", "other bytes", "missing"],
)
def test_repair_fetches_the_bad_file_only_and_keeps_it_aside(
    harm: Callable[[Path], object], hubs: Hubs, small_model: PublishedModel, tmp_path: Path
) -> None:
    home = Home(tmp_path)
    copy(small_model, home.paths.models_dir / small_model.local)
    codec = home.file(small_model, CODEC_FILE)
    harm(codec)
    bad = codec.read_bytes() if codec.exists() else None
    with DownloadProcess(hubs, home, small_model.key, source="hf") as process:
        last = process.end()
    assert (last["status"], last["exit"], home.holds(small_model)) == ("ready", 0, True), last
    assert hubs.sent() == hubs.sent(CODEC_FILE) == small_model.files[CODEC_FILE].size
    aside = [file.read_bytes() for file in codec.parent.glob("model.safetensors.wrong-*")]
    assert aside == ([] if bad is None else [bad])


def test_switched_off_it_says_so_and_asks_nobody(hubs: Hubs, small_model: PublishedModel, tmp_path: Path) -> None:
    home = Home(tmp_path)
    last = download(hubs, home, small_model, {"HF_HUB_OFFLINE": "1"})
    assert (last["code"], last["exit"] != 0) == ("OFFLINE", True), last


def test_a_ready_model_looks_nowhere(hubs: Hubs, small_model: PublishedModel, tmp_path: Path) -> None:
    home = Home(tmp_path)
    copy(small_model, home.paths.models_dir / small_model.local)
    last = download(hubs, home, small_model, {})
    assert (last["status"], last["exit"]) == ("ready", 0), last


ROUTES = re.compile(
    r"/api/models/Qwen/[^/?]+(/revision/[0-9a-f]{40})?(\?blobs=true)?"
    r"|/Qwen/[^/]+/resolve/[0-9a-f]{40}/[^?]+"
    r"|/api/v1/models/Qwen/[^/?]+(/repo/files\?Revision=master&Recursive=True|/repo\?Revision=master&FilePath=.+)?"
    r"|/cdn/.+",
    re.IGNORECASE,
)
"""All that may be asked of anybody."""


@pytest.mark.parametrize("source", ["auto", "hf", "mirror", "modelscope"])
def test_no_token_reaches_a_server_or_the_log(
    source: str, hubs: Hubs, small_model: PublishedModel, tmp_path: Path
) -> None:
    secret, home = "hf_ThisIsASecretThatNobodyMaySee", Home(tmp_path)
    saved = tmp_path / "hf_home" / "token"
    saved.parent.mkdir()
    saved.write_text(secret, encoding="utf-8")
    netrc = tmp_path / "netrc"
    netrc.write_text(f"machine 127.0.0.1 login someone password {secret}\n", encoding="utf-8")
    netrc.chmod(0o600)
    environ = {
        "HF_HOME": str(saved.parent),
        "NETRC": str(netrc),
        **dict.fromkeys(("HF_TOKEN", "HUGGING_FACE_HUB_TOKEN", "MODELSCOPE_API_TOKEN", "MODELSCOPE_TOKEN"), secret),
    }
    with DownloadProcess(hubs, home, small_model.key, source=source, environ=environ) as process:
        last = process.end()
    requests = [request for hub in hubs.all for request in hub.log.requests()]
    assert requests
    assert [request.path for request in requests if not ROUTES.fullmatch(request.path)] == []
    assert [request.path for request in requests if request.authorization or "cookie" in request.headers] == []
    assert all(secret not in str(request) for request in requests)
    log = home.paths.log_file.read_text(encoding="utf-8") if home.paths.log_file.exists() else ""
    for shown in (log, process.stderr, str(process.events)):
        assert secret not in shown
        assert "Signature=" not in shown
    assert last["status"] == "ready"
