"""What hubs list, what goes wrong when they are asked, and what never leaves this machine."""

from __future__ import annotations

import hashlib
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import huggingface_hub
import pytest
import requests

from tests import ROOT
from tests.hubs.faults import Fault
from tests.hubs.hub import LoopbackHub
from tests.hubs.hubs import Hubs, refused_endpoint
from tests.hubs.models import MAIN_FILE, PublishedModel
from tests.models.downloads.raw_server import raw_server
from tts_core.models.catalogue import ModelEntry, load_catalogue
from tts_core.models.download_faults import DownloadFault, NetTimeout, Offline, RateLimited, ServerError
from tts_core.models.downloads.hub import Hub, Listing, RemoteFile
from tts_core.models.downloads.hubs.hugging_face import HuggingFaceHub
from tts_core.models.downloads.hubs.listings import check_published, in_time, stays_inside
from tts_core.models.downloads.hubs.modelscope import ModelScopeHub

KINDS = ("hf", "modelscope")
PATIENCE_S = 60.0
NEWER = "f" * 40
OUTSIDE = (
    "../evil.txt",
    "a/../../evil.txt",
    "/etc/evil",
    "C:\\evil",
    "C:evil",
    "a\\..\\evil",
    "a//b",
    "a/",
    ".. /evil",
)
STRANGE = ("evil\n", "evil\0", "CONFIG.JSON", "config.json:stream")


@dataclass(frozen=True)
class Pair:
    """Our adapter, and the server that it talks to."""

    hub: Hub
    server: LoopbackHub
    entry: ModelEntry

    def connect(self, endpoint: str, *, listing_s: float = PATIENCE_S) -> Hub:
        return adapter(self.server.id, endpoint, listing_s)

    def fault(self, hub: Hub | None = None) -> DownloadFault:
        with pytest.raises(DownloadFault) as caught:
            (hub or self.hub).listing(self.entry)
        return caught.value


def adapter(kind: str, endpoint: str, listing_s: float = PATIENCE_S) -> Hub:
    if kind == "hf":
        return HuggingFaceHub("hf", endpoint, listing_s=listing_s)
    return ModelScopeHub(endpoint, listing_s=listing_s)


@pytest.fixture
def entry(hubs: Hubs, small_model: PublishedModel) -> ModelEntry:
    return load_catalogue(hubs.catalogue_file).entry(small_model.key)


@pytest.fixture(params=KINDS)
def pair(request: pytest.FixtureRequest, hubs: Hubs, entry: ModelEntry) -> Pair:
    server = {"hf": hubs.hf, "modelscope": hubs.modelscope}[request.param]
    return Pair(adapter(request.param, server.endpoint), server, entry)


@pytest.fixture
def fresh_client() -> Iterator[Callable[[], None]]:
    """huggingface_hub keeps one HTTP client, which knows the environment of its first moment."""
    huggingface_hub.close_session()
    yield huggingface_hub.close_session
    huggingface_hub.close_session()


def test_a_listing_has_every_file_with_its_size(pair: Pair, small_model: PublishedModel) -> None:
    listed = pair.hub.listing(pair.entry).files
    assert {path: file.size for path, file in listed.items()} == {
        path: file.size for path, file in small_model.files.items()
    }
    assert listed[MAIN_FILE].sha256 == small_model.files[MAIN_FILE].sha256
    check_published(pair.entry.files, pair.hub.listing(pair.entry), pair.hub.endpoint)


def test_the_address_of_a_file_leads_to_its_bytes(pair: Pair, small_model: PublishedModel) -> None:
    listing = pair.hub.listing(pair.entry)
    for path, file in small_model.files.items():
        remote = pair.hub.remote(pair.entry, listing, path)
        answer = requests.get(remote.url, headers=dict(remote.headers), timeout=60)
        assert hashlib.sha256(answer.content).hexdigest() == file.sha256, path
    assert remote.source == pair.server.endpoint.removeprefix("http://")


def test_no_listing_fetches_file_bytes(pair: Pair) -> None:
    pair.hub.listing(pair.entry)
    assert [request.stage for request in pair.server.log.requests()] == ["listing"]


def test_no_token_cookie_or_login_leaves_this_machine(
    pair: Pair, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = tmp_path / "home"
    home.mkdir()
    netrc = home / ".netrc"
    netrc.write_text("default login me password secret\n", encoding="ascii")
    netrc.chmod(0o600)
    for name, value in (("HOME", home), ("USERPROFILE", home), ("NETRC", netrc)):
        monkeypatch.setenv(name, str(value))
    monkeypatch.setenv("HF_TOKEN", "hf_secret")
    monkeypatch.setenv("MODELSCOPE_API_TOKEN", "ms-secret")
    listing = pair.hub.listing(pair.entry)
    assert huggingface_hub.get_token() == "hf_secret", "there is one to be sent"
    assert pair.hub.remote(pair.entry, listing, MAIN_FILE).headers == {}
    (request,) = pair.server.log.requests()
    assert not {"authorization", "cookie"} & request.headers.keys()
    assert "secret" not in str(request.headers)
    assert sorted(path.name for path in home.iterdir()) == [".netrc"], "nothing is left in the home folder"


def test_the_libraries_do_nothing_else_on_the_way(hubs: Hubs, entry: ModelEntry, tmp_path: Path) -> None:
    """In a fresh process and home: no telemetry, no list of agents, no install id, no region query."""
    home = tmp_path / "home"
    home.mkdir()
    # One of them does not have it, so that modelscope_hub is loaded, too.
    hubs.modelscope.repositories.clear()
    ask = f"""
from tts_core.models.catalogue import load_catalogue
from tts_core.models.download_faults import NotFoundThere
from tts_core.models.downloads.hubs.ordering import hubs
from tts_core.platform.settings.studio import Settings
import os
settings = Settings.from_env(os.environ)
entry = load_catalogue(settings.catalogue_file).entry({entry.key!r})
hf, mirror, modelscope = hubs(settings.sources)
hf.listing(entry)
try:
    modelscope.listing(entry)
except NotFoundThere:
    print("done")
"""
    environ = os.environ | hubs.environ() | {"HOME": str(home), "HF_HOME": str(home / "hf"), "HF_TOKEN": "hf_secret"}
    environ.pop("HF_HUB_DISABLE_TELEMETRY", None)
    root = ROOT
    answer = subprocess.run(
        [sys.executable, "-c", ask], cwd=root, env=environ, capture_output=True, text=True, check=False, timeout=120
    )
    assert answer.stdout.split() == ["done"], answer.stderr
    assert [len(hub.log.requests()) for hub in hubs.all] == [1, 0, 1]
    assert all(request.authorization == "" for hub in hubs.all for request in hub.log.requests())
    assert list(home.iterdir()) == []


@pytest.mark.parametrize(
    ("fault", "code"),
    [
        (Fault(html=True), "NOT_A_HUB"),
        (Fault(drop=True), "NET_CONNECT"),
        (Fault(status=302), "NOT_A_HUB"),
        (Fault(status=400), "NOT_A_HUB"),
        (Fault(status=401), "HTTP_401"),
        (Fault(status=403), "HTTP_403"),
        (Fault(status=404), "NOT_FOUND"),
        (Fault(status=407), "PROXY_ERROR"),
        (Fault(status=429), "RATE_LIMITED"),
        (Fault(status=500), "SERVER_5XX"),
        (Fault(status=503), "SERVER_5XX"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_each_failure_has_its_code_after_one_request(pair: Pair, fault: Fault, code: str) -> None:
    pair.server.faults.add(fault)
    assert pair.fault().code == code
    assert len(pair.server.log.requests()) == 1, "who decides about another try is the caller"


def test_failures_know_who_and_when(pair: Pair) -> None:
    pair.server.faults.add(Fault(status=429, headers={"Retry-After": "17"}), times=1)
    pair.server.faults.add(Fault(status=503), times=1)
    limited, broken = pair.fault(), pair.fault()
    assert isinstance(limited, RateLimited)
    assert limited.params == {"source": pair.server.endpoint.removeprefix("http://"), "retry_after_s": 17.0}
    assert isinstance(broken, ServerError)
    assert broken.params["status"] == 503


def test_a_refusal_in_an_answer_of_200_is_no_empty_listing(pair: Pair) -> None:
    if pair.server.id == "hf":
        pytest.skip("ModelScope's way to refuse")
    pair.server.faults.add(Fault(success_false=True))
    assert pair.fault().code == "NOT_A_HUB"


def test_a_repository_without_files_is_no_listing(pair: Pair, small_model: PublishedModel) -> None:
    pair.server.faults.add(Fault(unlisted=tuple(small_model.files)))
    assert pair.fault().code == "NOT_A_HUB"


def test_nobody_listens(pair: Pair) -> None:
    assert pair.fault(pair.connect(refused_endpoint())).code == "NET_CONNECT"


def test_no_such_name(pair: Pair) -> None:
    assert pair.fault(pair.connect("https://no-such-host.invalid")).code == "NET_DNS"


def test_a_certificate_that_nobody_signed(pair: Pair) -> None:
    pair.server.stop()
    pair.server.start(tls=True)
    assert pair.fault(pair.connect(pair.server.endpoint)).code == "TLS_VERIFY"


@pytest.mark.parametrize(
    ("variable", "scheme"),
    [("HTTP_PROXY", "http://"), ("ALL_PROXY", "socks5://"), ("ALL_PROXY", "socks5h://"), ("ALL_PROXY", "nonsense://")],
)
def test_a_dead_proxy(
    pair: Pair, monkeypatch: pytest.MonkeyPatch, fresh_client: Callable[[], None], variable: str, scheme: str
) -> None:
    for name in ("NO_PROXY", "no_proxy", "HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy", "http_proxy"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv(variable, scheme + refused_endpoint().partition("://")[2])
    assert pair.fault().code == "PROXY_ERROR"
    assert pair.server.log.requests() == ()
    if scheme != "nonsense://":  # huggingface_hub refuses every address then
        monkeypatch.setenv("NO_PROXY", "127.0.0.1")
        fresh_client()
        assert pair.hub.listing(pair.entry).files


def test_a_silent_source_is_left(pair: Pair) -> None:
    pair.server.faults.add(Fault(silent=True))
    assert isinstance(pair.fault(pair.connect(pair.server.endpoint, listing_s=0.5)), NetTimeout)


def test_a_listing_without_end_is_not_read_to_its_end(pair: Pair) -> None:
    """Else it would take all memory."""

    def talk(_head: str, connection: socket.socket) -> None:
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n[")
        while True:
            connection.sendall(b'"x",' * 50_000)

    with raw_server(talk) as server:
        assert pair.fault(pair.connect(server.url)).code == "NOT_A_HUB"


def test_work_that_never_ends_is_left() -> None:
    """A source that sends a byte now and then keeps every timeout of an HTTP library from striking."""
    end = threading.Event()
    with pytest.raises(NetTimeout) as caught:
        in_time(end.wait, "https://somewhere.example/api", seconds=0.2)
    end.set()
    assert caught.value.params == {"source": "somewhere.example"}


@pytest.mark.parametrize("name", [*OUTSIDE, *STRANGE])
def test_a_listing_with_an_unsafe_name_is_refused(pair: Pair, name: str) -> None:
    pair.server.faults.add(Fault(listed=(name,)))
    assert pair.fault().code == "UNSAFE_PATH"


def test_safe_names() -> None:
    assert [name for name in (*OUTSIDE, "evil\n", "", ".", "..", "./a") if stays_inside(name)] == []
    good = ("config.json", ".gitattributes", "speech_tokenizer/model.safetensors", "图片/a b.png", "a..b", "..a")
    assert [name for name in good if not stays_inside(name)] == []


def test_a_version_that_is_gone_and_the_newest_one(hubs: Hubs, entry: ModelEntry, small_model: PublishedModel) -> None:
    hub = HuggingFaceHub("mirror", hubs.mirror.endpoint, listing_s=PATIENCE_S)
    assert hub.listing(entry).revision == small_model.revision
    hubs.mirror.publish(small_model, revision=NEWER)
    with pytest.raises(DownloadFault) as caught:
        hub.listing(entry)
    assert caught.value.code == "REVISION_NOT_FOUND"
    assert hub.listing(entry, newest=True).revision == NEWER
    modelscope = ModelScopeHub(hubs.modelscope.endpoint, listing_s=PATIENCE_S)
    assert modelscope.listing(entry, newest=True).revision == "master"


def test_repositories_that_are_not_there_or_not_for_everybody(hubs: Hubs, entry: ModelEntry) -> None:
    hub = HuggingFaceHub("hf", hubs.hf.endpoint, listing_s=PATIENCE_S)
    hubs.hf.gated = frozenset({entry.hf})
    codes = []
    for asked in (entry, replace(entry, hf="Qwen/nothing"), replace(entry, hf="")):
        with pytest.raises(DownloadFault) as caught:
            hub.listing(asked)
        codes.append(caught.value.code)
    assert codes == ["GATED", "NOT_FOUND", "NOT_FOUND"]


def test_offline_by_huggingface_hubs_own_switch(hubs: Hubs, entry: ModelEntry, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    with pytest.raises(Offline):
        HuggingFaceHub("hf", hubs.hf.endpoint).listing(entry)
    assert hubs.hf.log.requests() == ()


def test_a_listing_that_is_not_the_published_one(entry: ModelEntry) -> None:
    def code(change: Callable[[RemoteFile], RemoteFile | None]) -> str:
        files = {file.path: RemoteFile(file.path, file.size, file.sha256) for file in entry.files}
        changed = change(files.pop(MAIN_FILE))
        listing = Listing("main", files | ({MAIN_FILE: changed} if changed else {}))
        with pytest.raises(DownloadFault) as caught:
            check_published(entry.files, listing, "https://somewhere.example")
        assert caught.value.params == {"source": "somewhere.example", "file": MAIN_FILE}
        return caught.value.code

    assert code(lambda file: None) == "NOT_FOUND"
    assert code(lambda file: replace(file, size=12, sha256=None)) == "REMOTE_CHANGED"
    assert code(lambda file: replace(file, sha256="0" * 64)) == "REMOTE_CHANGED"
