"""The loopback hubs are real: the hubs' own clients take them for theirs, and each switch does its harm."""

from __future__ import annotations

import hashlib
import json
import ssl
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import huggingface_hub
import pytest
from modelscope_hub import HubApi

from tests.hubs.faults import Fault
from tests.hubs.hub import LoopbackHub
from tests.hubs.hubs import Hubs, refused_endpoint
from tests.hubs.models import CODEC_FILE, MAIN_FILE, PublishedModel, make_model
from tests.models.model_folders import BASE_KEY
from tts_core.models.catalogue import load_catalogue
from tts_core.models.files.findings import ModelState
from tts_core.models.status import ModelStatuses

SMALL_FILE = "config.json"
PATIENCE_S = 60.0
IMPATIENCE_S = 1.0
"""For answers that don't come; where one comes, a busy machine may take its time."""


@pytest.fixture
def http() -> Iterator[httpx.Client]:
    with httpx.Client(follow_redirects=True, trust_env=False, timeout=PATIENCE_S) as client:
        yield client


def address(hub: LoopbackHub, model: PublishedModel, file: str = MAIN_FILE) -> str:
    if hub.id == "modelscope":
        return f"{hub.endpoint}/api/v1/models/{model.repository}/repo?Revision=master&FilePath={file}"
    return f"{hub.endpoint}/{model.repository}/resolve/{model.revision}/{file}"


def content(model: PublishedModel, file: str = MAIN_FILE) -> bytes:
    return model.files[file].source.read_bytes()


def is_the_model(folder: Path, model: PublishedModel) -> bool:
    found = {path: hashlib.sha256((folder / path).read_bytes()).hexdigest() for path in model.files}
    return found == {path: file.sha256 for path, file in model.files.items()}


def test_hugging_faces_own_client_downloads_from_it(hubs: Hubs, small_model: PublishedModel, tmp_path: Path) -> None:
    api = huggingface_hub.HfApi(endpoint=hubs.hf.endpoint, token=False)
    info = api.model_info(small_model.repository, files_metadata=True, timeout=PATIENCE_S)
    listed = {row.rfilename: (row.size, row.lfs and row.lfs.sha256) for row in info.siblings or []}
    assert listed[MAIN_FILE] == (small_model.files[MAIN_FILE].size, small_model.files[MAIN_FILE].sha256)
    assert listed[SMALL_FILE] == (small_model.files[SMALL_FILE].size, None)
    folder = huggingface_hub.snapshot_download(
        small_model.repository, endpoint=hubs.hf.endpoint, token=False, local_dir=tmp_path / "hf", max_workers=2
    )
    assert is_the_model(Path(folder), small_model)
    assert hubs.hf.log.sent() == small_model.total_bytes
    assert {request.origin for request in hubs.hf.log.bytes_requests(MAIN_FILE)} == {"cdn"}


def test_hugging_faces_own_client_follows_redirected_small_files(
    hubs: Hubs, small_model: PublishedModel, tmp_path: Path
) -> None:
    hubs.hf.redirects_small_files = True
    path = huggingface_hub.hf_hub_download(
        small_model.repository, SMALL_FILE, endpoint=hubs.hf.endpoint, token=False, local_dir=tmp_path
    )
    assert Path(path).read_bytes() == content(small_model, SMALL_FILE)


def test_modelscopes_own_client_downloads_from_it(hubs: Hubs, small_model: PublishedModel, tmp_path: Path) -> None:
    api = HubApi(endpoint=hubs.modelscope.endpoint)
    listed = {row.path: (row.size, row.sha256) for row in api.list_repo_files(small_model.repository, "model")}
    assert {path: listed[path] for path in small_model.files} == {
        path: (file.size, file.sha256) for path, file in small_model.files.items()
    }
    folder = api.download_repo(small_model.repository, "model", local_dir=tmp_path / "ms")
    assert is_the_model(Path(folder), small_model)


def test_published_models_are_ready_by_our_own_inspection(hubs: Hubs, tmp_path: Path) -> None:
    model = make_model(tmp_path / "made", BASE_KEY, main_bytes=3_000_000)
    hubs.publish(model)
    catalogue = load_catalogue(hubs.catalogue_file)
    for path, file in model.files.items():
        target = tmp_path / "models" / model.local / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(file.source.read_bytes())
    manager = ModelStatuses(catalogue, tmp_path / "models", tmp_path / "hashes.json")
    *_, status = manager.validate(BASE_KEY, deep=True, cancelled=lambda: False)
    assert status == manager.status(BASE_KEY)
    assert (manager.status(BASE_KEY).state, manager.status(BASE_KEY).problems) == (ModelState.READY, ())


def test_ranges_are_answered_as_the_rfc_says(hubs: Hubs, small_model: PublishedModel, http: httpx.Client) -> None:
    whole, size = content(small_model), small_model.files[MAIN_FILE].size
    for hub in hubs.all:
        where = address(hub, small_model)
        part = http.get(where, headers={"Range": "bytes=1000-1999"})
        assert (part.status_code, part.headers["Content-Range"]) == (206, f"bytes 1000-1999/{size}")
        assert part.content == whole[1000:2000]
        assert http.get(where, headers={"Range": f"bytes={size - 5}-"}).content == whole[-5:]
        beyond = http.get(where, headers={"Range": f"bytes={size}-"})
        assert (beyond.status_code, beyond.headers["Content-Range"]) == (416, f"bytes */{size}")
        same = http.get(where, headers={"Range": "bytes=5-", "If-Range": part.headers["ETag"]})
        other = http.get(where, headers={"Range": "bytes=5-", "If-Range": f'"{small_model.files[MAIN_FILE].sha256}"'})
        assert (same.status_code, other.status_code) == (206, 200)
        assert hub.log.ranges(MAIN_FILE) == [(1000, 2000), (size - 5, size), (5, size), (0, size)]


def test_signed_addresses_expire(hubs: Hubs, small_model: PublishedModel, http: httpx.Client) -> None:
    signed = http.get(address(hubs.hf, small_model), follow_redirects=False).headers["Location"]
    assert http.get(signed).status_code == 200
    assert http.get(signed.replace("Signature=", "Signature=0")).status_code == 403
    hubs.hf.url_seconds = -1
    assert http.get(address(hubs.hf, small_model)).status_code == 403


@pytest.mark.parametrize(
    ("fault", "expected"),
    [
        (Fault(cut_after=100_000), "RemoteProtocolError"),
        (Fault(cut_at=100_000), "RemoteProtocolError"),
        (Fault(drop=True), "RemoteProtocolError"),
        (Fault(silent=True), "ReadTimeout"),
        (Fault(stall_after=100_000), "ReadTimeout"),
        (Fault(chunk_bytes=10, chunk_delay_s=5), "ReadTimeout"),
        (Fault(delay_s=5), "ReadTimeout"),
        (Fault(status=503), "503, 0 bytes"),
        (Fault(status=416), "416, 0 bytes"),
        (Fault(status=429, headers={"Retry-After": "7"}), "429, 0 bytes, retry after 7"),
        (Fault(html=True), "200, 89 bytes, text/html; charset=utf-8"),
        (Fault(short_by=1000), "206, 598000 bytes, bytes 101000-698999/699000"),
        (Fault(shift_range=-7), "206, 599000 bytes, bytes 100993-699992/700000"),
        (Fault(ignore_range=True), "200, 700000 bytes"),
        (Fault(ignore_range=True, chunked=True), "200, 700000 bytes"),
        (Fault(corrupt_at=200_000), "206, 599000 bytes, bytes 101000-699999/700000, 1 wrong"),
        (Fault(changed=True), "206, 599000 bytes, bytes 101000-699999/700000, 599000 wrong"),
        (Fault(bytes_per_s=50e6), "206, 599000 bytes, bytes 101000-699999/700000"),
    ],
    ids=lambda value: value.split(",")[0] if isinstance(value, str) else "",
)
def test_each_switch_does_its_harm(
    fault: Fault, expected: str, hubs: Hubs, small_model: PublishedModel, http: httpx.Client
) -> None:
    hubs.mirror.faults.add(fault, on="bytes", file=MAIN_FILE, times=1)
    where, range_ = address(hubs.mirror, small_model), {"Range": "bytes=101000-"}
    timeout_s = IMPATIENCE_S if expected == "ReadTimeout" else PATIENCE_S
    assert outcome(http, where, range_, content(small_model), timeout_s) == expected
    assert http.get(where, headers=range_).content == content(small_model)[101_000:]


def outcome(http: httpx.Client, where: str, headers: dict[str, str], whole: bytes, timeout_s: float) -> str:
    try:
        answer = http.get(where, headers=headers, timeout=timeout_s)
    except httpx.TransportError as error:
        return type(error).__name__
    facts = [f"{answer.status_code}", f" {len(answer.content)} bytes"]
    if "Retry-After" in answer.headers:
        facts.append(f" retry after {answer.headers['Retry-After']}")
    if answer.headers.get("Content-Type", "").startswith("text/html"):
        facts.append(f" {answer.headers['Content-Type']}")
    if answer.status_code == 206:
        facts.append(f" {answer.headers['Content-Range']}")
        right = whole[101_000 : 101_000 + len(answer.content)]
        wrong = sum(one != other for one, other in zip(answer.content, right, strict=True))
        facts += [f" {wrong} wrong"] if wrong else []
    return ",".join(facts)


def test_a_stalled_answer_goes_on_when_the_fault_is_cleared(
    hubs: Hubs, small_model: PublishedModel, http: httpx.Client
) -> None:
    hubs.hf.faults.add(Fault(stall_at=350_000), on="bytes", file=MAIN_FILE)
    with http.stream("GET", address(hubs.hf, small_model)) as answer:
        hubs.hf.log.wait_until_sent(MAIN_FILE, 350_000)
        assert hubs.hf.log.sent(MAIN_FILE) == 350_000
        hubs.hf.faults.clear()
        assert answer.read() == content(small_model)


def test_a_link_is_shared_by_all_connections(hubs: Hubs, small_model: PublishedModel, http: httpx.Client) -> None:
    hubs.hf.link.bytes_per_s = 1e6
    started = time.monotonic()
    http.get(address(hubs.hf, small_model))
    assert time.monotonic() - started > 0.5


def test_listings_lie_as_they_are_told(hubs: Hubs, small_model: PublishedModel, http: httpx.Client) -> None:
    for hub in hubs.all:
        hub.faults.add(Fault(listed=("../evil.txt", "CONFIG.json"), unlisted=("vocab.json",)), on="listing")
        hub.faults.add(Fault(listed_sha256="0" * 64, listed_size=12), on="listing", file=MAIN_FILE)
        names, main = listing(http, hub, small_model)
        assert {"../evil.txt", "CONFIG.json", SMALL_FILE, CODEC_FILE} <= names
        assert "vocab.json" not in names
        assert main == (12, "0" * 64)
    hubs.modelscope.faults.clear()
    hubs.modelscope.faults.add(Fault(success_false=True), on="listing")
    answer = http.get(listing_address(hubs.modelscope, small_model))
    assert (answer.status_code, answer.json()["Success"]) == (200, False)


def listing_address(hub: LoopbackHub, model: PublishedModel) -> str:
    if hub.id == "modelscope":
        return f"{hub.endpoint}/api/v1/models/{model.repository}/repo/files?Revision=master&Recursive=True"
    return f"{hub.endpoint}/api/models/{model.repository}/revision/{model.revision}?blobs=True"


def listing(http: httpx.Client, hub: LoopbackHub, model: PublishedModel) -> tuple[set[str], tuple[int, str]]:
    """Names, and what is said of the large file."""
    answer = http.get(listing_address(hub, model)).json()
    if hub.id == "modelscope":
        rows = {row["Path"]: (row["Size"], row["Sha256"]) for row in answer["Data"]["Files"] if row["Type"] == "blob"}
    else:
        rows = {row["rfilename"]: (row["size"], row.get("lfs", {}).get("sha256", "")) for row in answer["siblings"]}
    return set(rows), rows[MAIN_FILE]


def test_errors_say_what_they_are(hubs: Hubs, small_model: PublishedModel, http: httpx.Client) -> None:
    def code(where: str) -> tuple[int, str]:
        answer = http.get(f"{hubs.hf.endpoint}{where}")
        return answer.status_code, answer.headers.get("X-Error-Code", "")

    repository = small_model.repository
    assert code("/api/models/Qwen/Nothing") == (401, "RepoNotFound")
    assert code(f"/api/models/{repository}/revision/{'0' * 40}") == (404, "RevisionNotFound")
    assert code(f"/{repository}/resolve/main/nothing.bin") == (404, "EntryNotFound")
    hubs.hf.gated = frozenset({repository})
    assert code(f"/{repository}/resolve/main/{SMALL_FILE}") == (403, "GatedRepo")


def test_ports_close_and_open_again_and_certificates_are_nobodys(
    hubs: Hubs, small_model: PublishedModel, http: httpx.Client
) -> None:
    where = address(hubs.mirror, small_model)
    for nowhere in (refused_endpoint(), where):
        hubs.mirror.stop()
        with pytest.raises(httpx.ConnectError):
            http.get(nowhere)
    hubs.mirror.start()
    assert http.get(where).status_code == 200
    hubs.mirror.stop()
    hubs.mirror.start(tls=True)
    secure = address(hubs.mirror, small_model)
    with pytest.raises(httpx.ConnectError, match="CERTIFICATE_VERIFY_FAILED"):
        http.get(secure)
    trusting = ssl.create_default_context()
    trusting.check_hostname, trusting.verify_mode = False, ssl.CERT_NONE
    with httpx.Client(verify=trusting, follow_redirects=True, trust_env=False, timeout=PATIENCE_S) as client:
        assert client.get(secure).content == content(small_model)


def test_headers_are_remembered(hubs: Hubs, small_model: PublishedModel, http: httpx.Client) -> None:
    http.get(
        address(hubs.hf, small_model), headers={"Authorization": "Bearer t", "Range": "bytes=7-", "If-Range": '"x"'}
    )
    first = hubs.hf.log.requests(MAIN_FILE)[0]
    assert (first.method, first.range, first.if_range, first.authorization) == ("GET", "bytes=7-", '"x"', "Bearer t")
    assert (first.stage, first.status, first.sent) == ("address", 302, 0)


def test_it_runs_alone_and_says_how_to_reach_it(http: httpx.Client) -> None:
    command = [sys.executable, "-m", "tests.hubs", "--main-bytes", "700000"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as alone:
        try:
            assert alone.stdout is not None
            lines = [alone.stdout.readline() for _ in range(9)]
            variables = dict(line.strip().removeprefix("export ").split("=", 1) for line in lines)
            entries = json.loads(Path(variables["TTS_STUDIO_CATALOG"]).read_text(encoding="utf-8"))
            repository = entries[BASE_KEY]["hf"]
            answer = http.get(f"{variables['HF_ENDPOINT']}/api/models/{repository}")
            assert answer.json()["sha"] == entries[BASE_KEY]["hf_revision"]
        finally:
            alone.terminate()
