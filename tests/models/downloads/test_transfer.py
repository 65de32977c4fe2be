"""One file from one source: over the loopback hubs, with everything that can break on the way."""

from __future__ import annotations

import hashlib
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings, strategies as st

from tests.hubs.faults import Fault
from tests.hubs.hub import LoopbackHub
from tests.hubs.hubs import Hubs, refused_endpoint
from tests.hubs.models import MAIN_FILE, PublishedModel
from tests.models.downloads.raw_server import raw_server, sends
from tts_core.models.download_faults import HashMismatch, Interrupted, RateLimited, SourceFault
from tts_core.models.downloads.hub import Remote
from tts_core.models.downloads.transfer.claims import Claim, Claims
from tts_core.models.downloads.transfer.http import HttpClient
from tts_core.models.downloads.transfer.part_file import PartFile, PartStore, Want
from tts_core.models.downloads.transfer.prefix_hash import PrefixHash
from tts_core.models.downloads.transfer.transfer import TransferOptions, transfer

PLAIN = TransferOptions(silence_s=60, stall_s=120, patience_s=0.0, backoff_s=0.01, connections=1)
QUICK = TransferOptions(silence_s=0.6, stall_s=1.5, patience_s=0.0, backoff_s=0.01, connections=1)
"""Only for what ends by silence: a busy machine is silent, too."""
MANY = TransferOptions(silence_s=20, stall_s=60, backoff_s=0.01, connections=4, settle_s=0.05, smallest_piece=50_000)
LONG_S = 60.0


@pytest.fixture
def store(tmp_path: Path) -> PartStore:
    return PartStore(tmp_path / ".downloads")


@pytest.fixture
def want(small_model: PublishedModel) -> Want:
    file = small_model.files[MAIN_FILE]
    return Want(MAIN_FILE, file.size, file.sha256, file.sha256)


def at(hub: LoopbackHub, model: PublishedModel, **headers: str) -> Callable[[], Remote]:
    if hub.id == "modelscope":
        url = f"{hub.endpoint}/api/v1/models/{model.repository}/repo?Revision=master&FilePath={MAIN_FILE}"
    else:
        url = f"{hub.endpoint}/{model.repository}/resolve/{model.revision}/{MAIN_FILE}"
    return lambda: Remote(url, hub.id, headers)


def fetch(part: PartFile, remote: Callable[[], Remote], options: TransferOptions = PLAIN) -> str:
    return transfer(part, remote, options, cancelled=lambda: False, progress=lambda _: None)


def failure(
    store: PartStore, want: Want, remote: Callable[[], Remote], options: TransferOptions = PLAIN
) -> SourceFault:
    with store.open(want) as part, pytest.raises(SourceFault) as caught:
        fetch(part, remote, options)
    assert caught.value.__cause__ is None
    assert caught.value.__context__ is None, "its text would hold a signed address"
    return caught.value


# What comes


@pytest.mark.parametrize("hub_id", ["hf", "mirror", "modelscope"])
def test_a_file_comes_whole_and_hashed(
    hubs: Hubs, small_model: PublishedModel, store: PartStore, want: Want, tmp_path: Path, hub_id: str
) -> None:
    hub = next(hub for hub in hubs.all if hub.id == hub_id)
    seen: list[int] = []
    with store.open(want) as part:
        assert transfer(part, at(hub, small_model), PLAIN, cancelled=lambda: False, progress=seen.append) == want.sha256
    assert seen == sorted(seen)
    assert seen[-1] == want.size
    store.publish(want, tmp_path / "here")
    assert hashlib.sha256((tmp_path / "here").read_bytes()).hexdigest() == want.sha256
    assert hub.log.ranges(MAIN_FILE) == [(0, want.size)]


def test_an_empty_file_costs_no_request(store: PartStore) -> None:
    empty = hashlib.sha256(b"").hexdigest()
    with store.open(Want("empty", 0, empty, empty)) as part:
        assert fetch(part, lambda: Remote(refused_endpoint(), "gone")) == empty


def test_a_whole_part_costs_no_request(hubs: Hubs, small_model: PublishedModel, store: PartStore, want: Want) -> None:
    for _ in range(2):
        with store.open(want) as part:
            assert fetch(part, at(hubs.hf, small_model)) == want.sha256
    assert len(hubs.hf.log.bytes_requests()) == 1


def test_connections_last_from_file_to_file(store: PartStore) -> None:
    content = b"0123456789" * 100

    def keeps(head: str, connection: socket.socket) -> None:
        while head:
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n" + content)
            head = connection.recv(65536).decode()

    with raw_server(keeps) as server, HttpClient() as client:
        for name in ("a", "b", "c"):
            with store.open(Want(name, 1000, hashlib.sha256(content).hexdigest(), name)) as part:
                transfer(
                    part, lambda: Remote(server.url, "x"), PLAIN, cancelled=bool, progress=lambda _: None, client=client
                )
        assert len(server.heads) == 1, "more than one connection was made"


# What breaks and goes on


def test_no_byte_is_sent_twice_however_often_it_breaks(
    hubs: Hubs, small_model: PublishedModel, store: PartStore, want: Want
) -> None:
    hubs.hf.faults.add(Fault(cut_after=100_000), on="bytes")
    with store.open(want) as part:
        assert fetch(part, at(hubs.hf, small_model)) == want.sha256
    ranges = hubs.hf.log.ranges(MAIN_FILE)
    assert [start for start, _ in ranges] == list(range(0, want.size, 100_000))
    assert sum(stop - start for start, stop in ranges) == want.size


def test_what_one_source_began_another_finishes(
    hubs: Hubs, small_model: PublishedModel, store: PartStore, want: Want
) -> None:
    hubs.hf.faults.add(Fault(cut_at=300_000), on="bytes")
    failure(store, want, at(hubs.hf, small_model))
    with store.open(want) as part:
        assert fetch(part, at(hubs.modelscope, small_model)) == want.sha256
    assert hubs.modelscope.log.ranges(MAIN_FILE) == [(300_000, want.size)]
    assert hubs.modelscope.log.bytes_requests(MAIN_FILE)[0].if_range == "", "another address' validator was sent"


def test_an_address_gets_only_its_own_validator(
    hubs: Hubs, small_model: PublishedModel, store: PartStore, want: Want
) -> None:
    hubs.hf.faults.add(Fault(cut_after=300_000), on="bytes", times=1)
    with store.open(want) as part:
        assert fetch(part, at(hubs.hf, small_model)) == want.sha256
    asked = [(request.origin, bool(request.range), request.if_range) for request in hubs.hf.log.requests(MAIN_FILE)]
    (validator,) = {if_range for origin, _, if_range in asked if origin == "cdn" and if_range}
    assert asked == [("hub", False, ""), ("cdn", False, ""), ("hub", True, ""), ("cdn", True, validator)]
    assert want.sha256 not in validator


@pytest.mark.parametrize(
    "fault",
    [Fault(ignore_range=True), Fault(shift_range=7), Fault(status=416), Fault(headers={"Content-Range": "nonsense"})],
)
def test_a_server_without_sound_ranges_sends_all_again(
    hubs: Hubs, small_model: PublishedModel, store: PartStore, want: Want, fault: Fault
) -> None:
    with store.open(want) as part:
        hubs.hf.faults.add(Fault(cut_after=300_000), on="bytes", times=1)
        hubs.hf.faults.add(fault, on="bytes", times=1)
        assert fetch(part, at(hubs.hf, small_model)) == want.sha256


def test_a_changed_validator_does_not_lose_bytes(store: PartStore) -> None:
    content = bytes(range(250)) * 40
    sha256 = hashlib.sha256(content).hexdigest()

    def changed(_head: str, connection: socket.socket) -> None:
        sends(content, etag='"two"')("", connection)

    def short(_head: str, connection: socket.socket) -> None:
        connection.sendall(b'HTTP/1.1 200 OK\r\nContent-Length: 10000\r\nETag: "one"\r\n\r\n' + content[:4000])

    with raw_server(short, changed, sends(content)) as server, store.open(Want("f", len(content), sha256, "f")) as part:
        assert fetch(part, lambda: Remote(server.url, "x")) == sha256
    assert server.header("If-Range") == ["", '"one"', ""]
    assert server.header("Range") == ["", "bytes=4000-", "bytes=4000-"]


def test_an_expired_address_is_asked_for_anew(
    hubs: Hubs, small_model: PublishedModel, store: PartStore, want: Want
) -> None:
    hubs.hf.faults.add(Fault(cut_after=300_000), on="bytes", times=1)
    hubs.hf.faults.add(Fault(status=403), on="bytes", times=1)
    with store.open(want) as part:
        assert fetch(part, at(hubs.hf, small_model)) == want.sha256
    assert [request.origin for request in hubs.hf.log.requests(MAIN_FILE)] == ["hub", "cdn"] * 3


def test_a_stalled_connection_is_replaced(
    hubs: Hubs, small_model: PublishedModel, store: PartStore, want: Want
) -> None:
    hubs.hf.faults.add(Fault(stall_after=300_000), on="bytes", times=1)
    with store.open(want) as part:
        assert fetch(part, at(hubs.hf, small_model), replace(PLAIN, silence_s=2.0)) == want.sha256
    assert [start for start, _ in hubs.hf.log.ranges(MAIN_FILE)] == [0, 300_000]


def test_a_network_that_blinks_is_waited_for(
    hubs: Hubs, small_model: PublishedModel, store: PartStore, want: Want
) -> None:
    hubs.hf.faults.add(Fault(cut_after=300_000), on="bytes", times=1)
    hubs.hf.faults.add(Fault(drop=True), on="address", times=6)
    hubs.hf.faults.add(Fault(), on="address", times=1)
    rules = hubs.hf.faults._rules
    rules[1], rules[2] = rules[2], rules[1]
    options = TransferOptions(silence_s=20, stall_s=LONG_S, patience_s=LONG_S, backoff_s=0.01, connections=1)
    with store.open(want) as part:
        assert fetch(part, at(hubs.hf, small_model), options) == want.sha256


# What ends it


@pytest.mark.parametrize(
    ("fault", "code"),
    [
        (Fault(status=401), "HTTP_401"),
        (Fault(status=403), "HTTP_403"),
        (Fault(status=403, headers={"X-Error-Code": "GatedRepo"}), "GATED"),
        (Fault(status=404, headers={"X-Error-Code": "EntryNotFound"}), "NOT_FOUND"),
        (Fault(status=404, headers={"X-Error-Code": "RevisionNotFound"}), "REVISION_NOT_FOUND"),
        (Fault(status=429), "RATE_LIMITED"),
        (Fault(status=500), "SERVER_5XX"),
        (Fault(status=503), "SERVER_5XX"),
        (Fault(status=511), "NOT_A_HUB"),
        (Fault(status=204), "NOT_A_HUB"),
        (Fault(status=304), "NOT_A_HUB"),
        (Fault(html=True), "NOT_A_HUB"),
        (Fault(drop=True), "NET_CONNECT"),
        (Fault(silent=True), "NET_TIMEOUT"),
    ],
)
@pytest.mark.parametrize("is_resumed", [False, True])
def test_each_refusal_has_its_code(
    hubs: Hubs, small_model: PublishedModel, store: PartStore, want: Want, fault: Fault, code: str, is_resumed: bool
) -> None:
    if is_resumed:
        resume_at(store, want, small_model, 200_000)
    hubs.hf.faults.add(fault)
    assert failure(store, want, at(hubs.hf, small_model), QUICK if fault.silent else PLAIN).code == code
    assert store.present_bytes(want) == (200_000 if is_resumed else 0)


@pytest.mark.parametrize(
    ("fault", "code", "kept"),
    [
        (Fault(status=403), "URL_EXPIRED", 0),
        (Fault(html=True), "NOT_A_HUB", 0),
        (Fault(short_by=10), "SIZE_MISMATCH", 0),
        (Fault(stall_at=300_000), "NET_STALLED", 300_000),
        (Fault(cut_at=300_000), "NET_STALLED", 300_000),
        (Fault(cut_after=0), "NET_STALLED", 0),
    ],
)
def test_each_way_to_send_no_bytes_has_its_code(
    hubs: Hubs, small_model: PublishedModel, store: PartStore, want: Want, fault: Fault, code: str, kept: int
) -> None:
    hubs.hf.faults.add(fault, on="bytes")
    assert failure(store, want, at(hubs.hf, small_model), QUICK if fault.stall_at else PLAIN).code == code
    assert store.present_bytes(want) == kept


def test_a_drip_is_a_stall(hubs: Hubs, small_model: PublishedModel, store: PartStore, want: Want) -> None:
    hubs.hf.faults.add(Fault(chunk_bytes=10, chunk_delay_s=0.1), on="bytes")
    assert failure(store, want, at(hubs.hf, small_model), QUICK).code == "NET_STALLED"
    assert 0 < store.present_bytes(want) < 2000


def test_wrong_bytes_are_told_from_wrong_bytes_that_were_there_before(
    hubs: Hubs, small_model: PublishedModel, store: PartStore, want: Want
) -> None:
    hubs.hf.faults.add(Fault(corrupt_at=500_000), on="bytes")
    fault = failure(store, want, at(hubs.hf, small_model))
    assert isinstance(fault, HashMismatch)
    assert fault.params == {"source": "hf", "file": MAIN_FILE, "resumed": False}
    assert store.set_aside(want) is not None
    resume_at(store, want, small_model, 200_000)
    assert failure(store, want, at(hubs.hf, small_model)).params["resumed"] is True


def test_a_hub_that_tells_another_hash_is_left_before_a_byte_comes(
    hubs: Hubs, small_model: PublishedModel, store: PartStore, want: Want
) -> None:
    resume_at(store, want, small_model, 200_000)
    other = Want(want.file, want.size, "0" * 64, want.name)
    assert failure(store, other, at(hubs.hf, small_model)).code == "REMOTE_CHANGED"
    longer = Want(want.file, want.size + 1, None, "longer")
    assert failure(store, longer, at(hubs.hf, small_model)).code == "SIZE_MISMATCH"
    assert hubs.hf.log.sent() == 0


def test_a_source_that_is_not_there(
    store: PartStore, want: Want, hubs: Hubs, small_model: PublishedModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert failure(store, want, lambda: Remote(refused_endpoint(), "gone")).code == "NET_CONNECT"
    assert failure(store, want, lambda: Remote("http://no-such-host.invalid/f", "gone")).code == "NET_DNS"
    hubs.hf.stop()
    hubs.hf.start(tls=True)
    assert failure(store, want, at(hubs.hf, small_model)).code == "TLS_VERIFY"
    monkeypatch.setenv("HTTP_PROXY", refused_endpoint())
    monkeypatch.setenv("http_proxy", refused_endpoint())
    assert failure(store, want, lambda: Remote("http://no-such-host.invalid/f", "gone")).code == "PROXY_ERROR"


def test_rate_limits_say_how_long(hubs: Hubs, small_model: PublishedModel, store: PartStore, want: Want) -> None:
    hubs.hf.faults.add(Fault(status=429, headers={"Retry-After": "7"}))
    fault = failure(store, want, at(hubs.hf, small_model))
    assert isinstance(fault, RateLimited)
    assert fault.params["retry_after_s"] == 7.0


# Cancelling


@pytest.mark.parametrize("fault", [Fault(silent=True), Fault(stall_after=300_000), Fault(delay_s=30)])
def test_cancelling_ends_every_wait_and_keeps_the_bytes(
    hubs: Hubs, small_model: PublishedModel, store: PartStore, want: Want, fault: Fault
) -> None:
    hubs.hf.faults.add(fault, on="bytes")
    others = set(threading.enumerate())  # of tests before this one
    asked = threading.Event()
    patient = TransferOptions(silence_s=100, stall_s=200)
    caught: list[BaseException] = []
    seen: list[int] = []

    def work() -> None:
        try:
            with store.open(want) as part:
                transfer(part, at(hubs.hf, small_model), patient, cancelled=asked.is_set, progress=seen.append)
        except Interrupted as error:
            caught.append(error)

    thread = threading.Thread(target=work)
    thread.start()
    hubs.hf.log.wait_for(lambda: len(hubs.hf.log.requests(MAIN_FILE)) == 2)
    if fault.stall_after:
        hubs.hf.log.wait_for(lambda: max(seen, default=0) == 300_000)
    asked.set()
    thread.join(60)
    assert not thread.is_alive()
    assert len(caught) == 1
    assert store.present_bytes(want) == (300_000 if fault.stall_after else 0)
    deadline = time.monotonic() + 60
    while any(thread.name.startswith("download") for thread in set(threading.enumerate()) - others):
        assert time.monotonic() < deadline, "a thread was left behind"
        time.sleep(0.01)


# What happens to this machine

CHILD = """
import sys
from pathlib import Path
from tts_core.models.downloads.hub import Remote
from tts_core.models.downloads.transfer.part_file import PartStore, Want
from tts_core.models.downloads.transfer.transfer import TransferOptions, transfer
folder, url, size, sha256 = sys.argv[1:]
want = Want("model.safetensors", int(size), sha256, sha256)
with PartStore(Path(folder)).open(want) as part:
    transfer(part, lambda: Remote(url, "hf"), TransferOptions(), cancelled=bool, progress=lambda _: None)
"""


def test_killed_again_and_again_only_missing_bytes_are_asked_for(
    hubs: Hubs, small_model: PublishedModel, store: PartStore, want: Want, tmp_path: Path
) -> None:
    remote, kept = at(hubs.hf, small_model), [0]
    hubs.hf.link.bytes_per_s = 100_000
    arguments = [str(tmp_path / ".downloads"), remote().url, str(want.size), str(want.sha256)]
    for _ in range(3):
        environ = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
        child = subprocess.Popen([sys.executable, "-c", CHILD, *arguments], env=environ)
        hubs.hf.log.wait_for(lambda: store.present_bytes(want) > kept[-1])
        child.kill()
        child.wait()
        kept.append(store.present_bytes(want))
    hubs.hf.link.bytes_per_s = 0
    with store.open(want) as part:
        assert fetch(part, remote) == want.sha256
    assert [start for start, _ in hubs.hf.log.ranges(MAIN_FILE)] == kept


def test_a_damaged_part_is_mended(
    hubs: Hubs, small_model: PublishedModel, store: PartStore, want: Want, tmp_path: Path
) -> None:
    resume_at(store, want, small_model, 400_000)
    flip(tmp_path / ".downloads" / f"{want.name}.part", 1234)
    with store.open(want) as part:
        assert fetch(part, at(hubs.hf, small_model)) == want.sha256
        part.close()
        flip(part.path, 600_000)
    with store.open(want) as part:
        assert part.is_whole
        assert fetch(part, at(hubs.hf, small_model)) == want.sha256


def test_only_the_damaged_block_is_fetched_again(
    hubs: Hubs, small_model: PublishedModel, store: PartStore, want: Want, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(PrefixHash.__init__, "__kwdefaults__", {"mark_bytes": 50_000})
    with store.open(want) as part:
        fetch(part, at(hubs.hf, small_model))
    flip(part.path, 123_456)
    hubs.hf.log.clear()
    with store.open(want) as part:
        assert fetch(part, at(hubs.hf, small_model)) == want.sha256
    assert hubs.hf.log.ranges(MAIN_FILE) == [(100_000, 150_000)]


def test_a_whole_part_without_a_journal_is_wrong_only_once(
    hubs: Hubs, small_model: PublishedModel, store: PartStore, want: Want, tmp_path: Path
) -> None:
    part_file = tmp_path / ".downloads" / f"{want.name}.part"
    part_file.parent.mkdir()
    part_file.write_bytes(bytes(want.size))
    with store.open(want) as part:
        assert fetch(part, at(hubs.hf, small_model)) == want.sha256


# Files without a known sha256


def test_without_a_hash_only_the_same_etag_joins_bytes(store: PartStore) -> None:
    old, new = b"a" * 5000, b"b" * 5000
    unknown = Want("f", 5000, None, "of-f")

    def short(_head: str, connection: socket.socket) -> None:
        connection.sendall(b'HTTP/1.1 200 OK\r\nContent-Length: 5000\r\nETag: "old"\r\n\r\n' + old[:2000])

    with raw_server(short, sends(old, etag='"old"')) as server, store.open(unknown) as part:
        assert fetch(part, lambda: Remote(server.url, "x")) == hashlib.sha256(old).hexdigest()
    assert server.header("Range") == ["", "bytes=2000-"]
    store.discard(unknown)
    with (
        raw_server(short, lambda _head, connection: sends(new, etag='"new"')("", connection)) as server,
        store.open(unknown) as part,
    ):
        assert fetch(part, lambda: Remote(server.url, "x")) == hashlib.sha256(new).hexdigest()
    store.discard(unknown)
    with store.open(unknown) as part:
        part.write(0, old[:2000])
    with raw_server(sends(new)) as server, store.open(unknown) as part:
        assert fetch(part, lambda: Remote(server.url, "x")) == hashlib.sha256(new).hexdigest()


# Several connections


def test_a_slow_source_gets_more_connections(
    hubs: Hubs, small_model: PublishedModel, store: PartStore, want: Want
) -> None:
    hubs.hf.faults.add(Fault(bytes_per_s=150_000), on="bytes")
    with store.open(want) as part:
        assert fetch(part, at(hubs.hf, small_model), MANY) == want.sha256
    starts = [request.start for request in hubs.hf.log.bytes_requests(MAIN_FILE)]
    assert len(starts) > 2
    assert len(set(starts)) == len(starts)


@pytest.mark.parametrize(
    "fault", [Fault(status=429), Fault(status=503), Fault(ignore_range=True), Fault(silent=True), Fault(drop=True)]
)
def test_a_second_connection_that_is_not_welcome_harms_nobody(
    hubs: Hubs, small_model: PublishedModel, store: PartStore, want: Want, fault: Fault
) -> None:
    slow = Fault(bytes_per_s=300_000)
    hubs.hf.faults.add(slow, on="bytes", times=1)
    hubs.hf.faults.add(fault, on="bytes", times=1 if fault.silent else None)
    silence_s = 1.0 if fault.silent else 20.0
    options = TransferOptions(silence_s=silence_s, stall_s=60, backoff_s=0.01, settle_s=0.05, smallest_piece=50_000)
    with store.open(want) as part:
        assert fetch(part, at(hubs.hf, small_model), options) == want.sha256
    if not fault.silent:
        assert hubs.hf.log.ranges(MAIN_FILE)[0] == (0, want.size), "the first connection should have gone on alone"
    assert len([request for request in hubs.hf.log.requests(MAIN_FILE) if request.origin == "cdn"]) > 1


@settings(deadline=None, max_examples=60)
@given(st.data())
def test_every_missing_byte_is_claimed_once(data: st.DataObject) -> None:
    size = 200
    claims, taken, done = Claims([(0, 50), (60, size)]), list[Claim](), list[int](range(50, 60))
    for _ in range(data.draw(st.integers(0, 40))):
        action = data.draw(st.sampled_from(["take", "advance", "give back"]))
        if action == "take" and (claim := claims.take(10)):
            taken.append(claim)
        elif taken:
            claim = data.draw(st.sampled_from(taken))
            if action == "advance":
                place, count = claims.advance(claim, data.draw(st.integers(0, 30)))
                done += range(place, place + count)
            else:
                claims.give_back(claim)
                taken.remove(claim)
    while taken or claims.has_free:
        claim = taken.pop() if taken else claims.take(10)
        assert claim is not None
        place, count = claims.advance(claim, size)
        done += range(place, place + count)
        claims.give_back(claim)
    assert sorted(done) == list(range(size))


# Secrets


def test_the_token_goes_to_its_origin_only(
    hubs: Hubs,
    small_model: PublishedModel,
    store: PartStore,
    want: Want,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    (tmp_path / "netrc").write_text("default login me password from-netrc\n")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    caplog.set_level("INFO")
    hubs.hf.faults.add(Fault(cut_after=300_000), on="bytes")
    hubs.mirror.faults.add(Fault(cut_after=300_000), on="bytes")
    with store.open(want) as part:
        fetch(part, at(hubs.hf, small_model, Authorization="Bearer secret"))
    store.discard(want)
    with store.open(want) as part:
        fetch(part, at(hubs.mirror, small_model))
    sent = {(request.hub, request.origin, request.authorization) for hub in hubs.all for request in hub.log.requests()}
    assert sent == {("hf", "hub", "Bearer secret"), ("hf", "cdn", ""), ("mirror", "hub", ""), ("mirror", "cdn", "")}
    assert "NET_STALLED" in caplog.text
    assert not any(word in caplog.text for word in ("secret", "Signature", "http:"))


def resume_at(store: PartStore, want: Want, model: PublishedModel, count: int) -> None:
    """A part with the file's first bytes, as a run before has left it."""
    with store.open(want) as part:
        part.write(0, model.files[MAIN_FILE].source.read_bytes()[:count])
        part.prefix_hash.advance(count)


def flip(file: Path, place: int) -> None:
    with file.open("r+b") as stream:
        stream.seek(place)
        byte = stream.read(1)[0]
        stream.seek(place)
        stream.write(bytes([byte ^ 1]))
