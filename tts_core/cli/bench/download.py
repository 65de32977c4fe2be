"""Measures how fast a model arrives, beside the bare link and huggingface_hub, in turn against one loopback hub.

Our time runs from the click to `ready`: listing, transfer, flush to the disk and sha256 included. huggingface_hub's
runs until snapshot_download returns; it neither flushes nor hashes. The bare link is a GET whose bytes are dropped.
"""

from __future__ import annotations

import json
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from http.client import HTTPConnection
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import numpy as np

from tts_core.cli import progress
from tts_core.cli.bench.hub import REPOSITORY, REVISION, sha256_of
from tts_core.cli.bench.report import spread
from tts_core.cli.faults import StartFailed
from tts_core.models.catalogue import CONFIG_FILE, WEIGHTS_FILE
from tts_core.platform.job import JobState
from tts_core.platform.paths import ROOT_DIR, Paths
from tts_core.platform.settings.sources import SourceSettings
from tts_core.platform.settings.studio import Settings
from tts_core.services import build_services

KEY = "bench"
GOAL = 0.95
"""The share of the bare link's speed to reach, on links up to the one that the goal is set for."""
_BLOCK_BYTES = 4 << 20
_HEADER_BYTES = 512


def measure(settings: Settings, size: int, limit_bytes_per_s: float, runs: int, folder: Path | None) -> dict[str, Any]:
    """Download `runs` times each way; answers bytes per second. Raises StartFailed when the hub does not come up."""
    snapshot_download = _quiet_snapshot_download()
    ways: dict[str, Callable[[str, Path], object]] = {
        "link": _drop,
        "ours": lambda endpoint, target: _download(settings, endpoint, target),
        "huggingface_hub": lambda endpoint, target: snapshot_download(
            REPOSITORY, revision=REVISION, endpoint=endpoint, local_dir=target, token=False
        ),
    }
    speeds: dict[str, list[float]] = {name: [] for name in ways}
    with tempfile.TemporaryDirectory(prefix="tts-studio-bench-", dir=folder, ignore_cleanup_errors=True) as name:
        published = Path(name) / "published"
        total = _write_model(published, size)
        _write_catalogue(published, Path(name) / "catalogue.json")
        with _hub(published, limit_bytes_per_s) as endpoint:
            for number in range(runs):
                for way, download in ways.items():
                    progress.show(f"Run {number + 1} of {runs}: {way}")
                    target = Path(name) / way
                    started = time.perf_counter()
                    download(endpoint, target)
                    speeds[way].append(total / (time.perf_counter() - started))
                    shutil.rmtree(target, ignore_errors=True)
        progress.clear()
    ratios = {
        name: statistics.median(speed / bare for speed, bare in zip(speeds[name], speeds["link"], strict=True))
        for name in ("ours", "huggingface_hub")
    }
    return {
        "settings": {"runs": runs, "bytes": total, "limit_bytes_per_s": limit_bytes_per_s},
        **{f"{name}_bytes_per_s": spread(values, 0) for name, values in speeds.items()},
        **{f"{name}_of_link": round(ratio, 3) for name, ratio in ratios.items()},
        "within_goal": ratios["ours"] >= GOAL,
    }


def words(report: dict[str, Any]) -> Iterator[str]:
    """The report in lines for people."""
    settings, limit = report["settings"], report["settings"]["limit_bytes_per_s"]
    yield f"{settings['bytes'] / 1e6:.0f} MB over a link of {f'{limit / 1e6:.0f} MB/s' if limit else 'loopback speed'}"
    for title, key in (("bare link", "link"), ("TTS Studio", "ours"), ("huggingface_hub", "huggingface_hub")):
        speeds, ratio = report[f"{key}_bytes_per_s"], report.get(f"{key}_of_link")
        share = f"  {100 * ratio:.1f} % of the link" if ratio else ""
        low, high = speeds["min"] / 1e6, speeds["max"] / 1e6
        yield f"{title:<16} {speeds['median'] / 1e6:7.1f} MB/s  ({low:.1f} to {high:.1f}){share}"
    verdict = "within" if report["within_goal"] else "not within"
    yield f"{verdict} {100 * (1 - GOAL):.0f} % of the bare link"


def _drop(endpoint: str, _target: Path) -> None:
    """Read every file and drop its bytes."""
    connection = HTTPConnection(urlsplit(endpoint).netloc, timeout=60)
    block = bytearray(_BLOCK_BYTES)
    for name in (CONFIG_FILE, WEIGHTS_FILE):
        connection.request("GET", f"/{REPOSITORY}/resolve/{REVISION}/{name}")
        answer = connection.getresponse()
        while answer.readinto(block):
            pass
    connection.close()


def _download(settings: Settings, endpoint: str, target: Path) -> None:
    services = build_services(
        replace(
            settings,
            paths=Paths(data_dir=target / "data", models_dir=target / "models"),
            catalogue_file=target.parent / "catalogue.json",
            sources=SourceSettings(hf_endpoint=endpoint, mirror_endpoint=endpoint, modelscope_endpoint=endpoint),
        )
    )
    try:
        services.downloads.start(KEY, "hf")
        *_, last = services.downloads.follow(KEY)
    finally:
        services.close()
    if last.state is not JobState.DONE:
        raise StartFailed(reason=f"the download ended as {last.status.value} {last.code}.")


def _quiet_snapshot_download() -> Callable[..., object]:
    """huggingface_hub's download without its bars. Importing takes a moment, which is no part of a download."""
    from huggingface_hub import snapshot_download  # noqa: PLC0415
    from huggingface_hub.utils.tqdm import disable_progress_bars  # noqa: PLC0415

    disable_progress_bars()
    return snapshot_download


@contextmanager
def _hub(folder: Path, bytes_per_s: float) -> Iterator[str]:
    command = [sys.executable, "-m", "tts_core.cli.bench.hub", str(folder), str(bytes_per_s)]
    process = subprocess.Popen(command, cwd=ROOT_DIR, stdout=subprocess.PIPE, text=True)  # noqa: S603 - our own code
    try:
        endpoint = process.stdout.readline().strip() if process.stdout else ""
        if not endpoint:
            raise StartFailed(reason="the loopback hub did not come up.")
        yield endpoint
    finally:
        process.terminate()
        process.wait()
        if process.stdout:
            process.stdout.close()


def _write_model(folder: Path, size: int) -> int:
    """Write a speech tokenizer's folder with weights of noise; answers its size in bytes."""
    folder.mkdir(parents=True)
    config = json.dumps({"model_type": "qwen3_tts_tokenizer_12hz"}).encode()
    (folder / CONFIG_FILE).write_bytes(config)
    left = max(size, 2 * _HEADER_BYTES) - _HEADER_BYTES
    tensor = json.dumps({"noise": {"dtype": "U8", "shape": [left], "data_offsets": [0, left]}}).encode()
    noise = np.random.Generator(np.random.SFC64(0))
    with (folder / WEIGHTS_FILE).open("wb") as stream:
        stream.write((_HEADER_BYTES - 8).to_bytes(8, "little") + tensor.ljust(_HEADER_BYTES - 8))
        while left:
            left -= stream.write(noise.bytes(min(_BLOCK_BYTES, left)))
        return len(config) + stream.tell()


def _write_catalogue(published: Path, file: Path) -> None:
    files = {
        name: {"size": (published / name).stat().st_size, "sha256": sha256_of(published / name)}
        for name in (CONFIG_FILE, WEIGHTS_FILE)
    }
    entry = {"kind": "tokenizer", "hf": REPOSITORY, "hf_revision": REVISION, "local": "bench", "files": files}
    file.write_text(json.dumps({KEY: entry}), encoding="utf-8")
