"""Server-sent events: what is told first, what after a break, to many readers, to slow ones, and how it ends."""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing
from dataclasses import dataclass

import pytest

from tests.api.conftest import client_of
from tests.api.raw_http import RawServer
from tests.api.test_models import KEYS
from tests.api.watchers import EVENTS, EventReader, listening
from tests.conftest import wait_until
from tests.models.staged_downloads import TOTAL_BYTES, StagedDownloads, stage_downloads
from tests.serving import serving
from tts_core.api.server import create_api
from tts_core.api.streams import Streams
from tts_core.platform.job import JobState
from tts_core.services import Services

LIMIT = 4
SEND_TIMEOUT_S = 3
"""Short, since one who never reads is waited for; no shorter, since those who do may be slow."""
KEY = "custom_0_6b"
FIELDS = {
    *("type", "model_id", "progress", "status", "message", "provider", "source", "phase", "file", "code"),
    *("downloaded_bytes", "total_bytes", "bytes_per_second", "eta_seconds", "stalled", "position", "notes", "foreign"),
    *("download_status", "seq", "timestamp"),
}


@dataclass(frozen=True)
class Stage:
    url: str
    downloads: StagedDownloads


@pytest.fixture
def stage(services: Services) -> Iterator[Stage]:
    downloads = stage_downloads(services)
    streams = Streams(limit=LIMIT, heartbeat_s=0.2, send_timeout_s=SEND_TIMEOUT_S)
    with serving(create_api(downloads.services, streams)) as url:
        yield Stage(url, downloads)


def test_first_comes_the_state_of_every_model(stage: Stage) -> None:
    stage.downloads.at(KEY, 420_000)
    with listening(stage.url) as reader:
        state = reader.next()
    assert state is not None
    assert (state.name, state.data["type"]) == ("initial_state", "initial_state")
    assert [model["model_id"] for model in state.data["models"]] == KEYS
    by_key = {model["key"]: model for model in state.data["models"]}
    assert by_key["base_0_6b"]["status"] == "not_downloaded"
    assert (by_key["base_0_6b"]["progress"], by_key[KEY]["progress"]) == (0, 42)
    assert by_key[KEY]["downloaded_bytes"] == 420_000


def test_changes_follow_with_their_numbers(stage: Stage) -> None:
    with listening(stage.url) as reader:
        reader.until("initial_state")
        task = stage.downloads.at(KEY, 420_000)
        event = reader.until("model_progress")
        assert event.data.keys() == FIELDS
        assert (event.id, event.data["seq"]) == (str(task.seq), task.seq)
        assert (event.data["type"], event.data["model_id"]) == ("model_progress", KEY)
        assert (event.data["status"], event.data["progress"]) == ("downloading", 42)
        stage.downloads.change(KEY, state=JobState.PAUSED)
        paused = reader.until("model_incomplete").data
        assert (paused["status"], paused["download_status"]) == ("incomplete", "paused")
        assert paused["downloaded_bytes"] == 420_000
        stage.downloads.finish(KEY)
        done = reader.until("model_complete").data
        assert (done["status"], done["progress"], done["downloaded_bytes"]) == ("ready", 100, TOTAL_BYTES)


def test_a_failure_is_told_with_code_and_sentence(stage: Stage) -> None:
    with listening(stage.url) as reader:
        reader.until("initial_state")
        stage.downloads.change(KEY, state=JobState.ERROR, code="HTTP_401", params={"source": "huggingface.co"})
        failed = reader.until("model_error").data
    assert (failed["status"], failed["code"]) == ("error", "HTTP_401")
    assert failed["message"] == "huggingface.co wants a login for this model."


def test_who_comes_back_is_told_every_end_it_missed(stage: Stage) -> None:
    with listening(stage.url) as reader:
        reader.until("initial_state")
        stage.downloads.at(KEY, 420_000)
        last = reader.until("model_progress").id
    stage.downloads.finish(KEY)
    stage.downloads.at("base_0_6b", 1)
    with listening(stage.url, last) as reader:
        state = reader.until("initial_state")
        assert state.id == last, "a second break before the next event loses nothing"
        assert reader.until("model_complete").data["model_id"] == KEY
        assert reader.until("model_progress").data["model_id"] == "base_0_6b"


@pytest.mark.parametrize("last", ["9" * 17, "nonsense", "-1", "", "٣", "9" * 5000])
def test_a_number_that_is_not_ours_tells_how_things_stand(stage: Stage, last: str) -> None:
    task = stage.downloads.at(KEY, 420_000)
    with client_of(stage.url) as client:
        headers = [(b"Last-Event-ID", last.encode())]
        with client.stream("GET", EVENTS, headers=headers) as response:
            state = EventReader(response).until("initial_state")
    assert state.id == str(task.seq)


def test_readers_see_the_same_numbers(stage: Stage) -> None:
    with listening(stage.url) as one, listening(stage.url) as other:
        for reader in (one, other):
            reader.until("initial_state")
        for done in (100_000, 200_000, 300_000):
            stage.downloads.at(KEY, done)
            events = [reader.until("model_progress") for reader in (one, other)]
            assert events[0] == events[1]
            assert events[0].data["downloaded_bytes"] == done


def test_hearts_beat(stage: Stage) -> None:
    with listening(stage.url) as reader:
        beats = [reader.until("heartbeat").data for _ in range(2)]
    assert beats == [{"type": "heartbeat", "count": 1}, {"type": "heartbeat", "count": 2}]


def test_hearts_beat_every_half_minute_unless_a_test_is_in_a_hurry() -> None:
    assert Streams().heartbeat_s == 30


def test_who_is_cut_off_is_told_when_to_come_back(stage: Stage) -> None:
    """A browser's EventSource does so by itself, with `Last-Event-ID`."""
    with client_of(stage.url) as client, client.stream("GET", EVENTS) as response:
        first = []
        for line in response.iter_lines():
            if not line:
                break
            first.append(line.partition(": ")[::2])
    fields = dict(first)
    assert (fields["event"], fields["retry"]) == ("initial_state", "2000")
    assert fields["id"].isdecimal()


def test_a_flood_of_changes_is_told_eight_times_a_second_and_its_end_at_once(stage: Stage) -> None:
    with listening(stage.url) as reader:
        reader.until("initial_state")
        enough, changes = threading.Event(), 0

        def flood() -> None:
            nonlocal changes
            while not enough.is_set():
                changes += 1
                stage.downloads.at(KEY, changes)
            stage.downloads.finish(KEY)

        began, told = time.monotonic(), 0
        flooding = threading.Thread(target=flood)
        flooding.start()
        while (event := reader.next()) is not None and event.name != "model_complete":
            told += event.name == "model_progress"
            if told == 4:
                enough.set()
        flooded_s = time.monotonic() - began
        flooding.join()
    assert 4 <= told <= 8 * flooded_s + 2 < changes


def test_a_reader_who_leaves_is_forgotten(stage: Stage) -> None:
    with ExitStack() as readers:
        opened = [readers.enter_context(listening(stage.url)) for _ in range(LIMIT)]
        for reader in opened:
            reader.until("initial_state")
        wait_until(lambda: stage.downloads.readers == LIMIT)
        with client_of(stage.url) as client:
            refused = client.get(EVENTS)
        assert (refused.status_code, refused.json()["detail"]) == (429, "too_many_streams")
        assert int(refused.headers["retry-after"]) > 0
    wait_until(lambda: stage.downloads.readers == 0)
    with listening(stage.url) as reader:
        reader.until("initial_state")


def test_who_does_not_read_holds_nobody_up_and_is_given_up(stage: Stage) -> None:
    server = RawServer(stage.url)
    done = threading.Event()

    def flood() -> None:
        while not done.is_set():
            stage.downloads.change(KEY, file="x" * 60_000)
            stage.downloads.finish(KEY)  # ends are told at once, so that the pipe is soon full

    with closing(server.connect()) as deaf:
        deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        deaf.sendall(f"GET {EVENTS} HTTP/1.1\r\nHost: {server.host}\r\n\r\n".encode())
        wait_until(lambda: stage.downloads.readers == 1)
        flooding = threading.Thread(target=flood)
        flooding.start()
        try:
            with listening(stage.url) as reader:
                for _ in range(20):
                    reader.until("model_complete")
            wait_until(lambda: stage.downloads.readers == 0)
        finally:
            done.set()
            flooding.join()


def test_another_sites_page_cannot_take_the_places(stage: Stage) -> None:
    with client_of(stage.url) as client:
        for headers in ({"Origin": "https://evil.example"}, {"Sec-Fetch-Site": "cross-site"}):
            with client.stream("GET", EVENTS, headers=headers) as answer:
                assert answer.status_code == 403
                assert json.loads(answer.read())["detail"] == "origin_not_allowed"
        with client.stream("GET", EVENTS, headers={"Host": "evil.example"}) as answer:
            assert answer.status_code == 400


def test_the_stream_is_not_kept_and_not_buffered_on_the_way(stage: Stage) -> None:
    with client_of(stage.url) as client, client.stream("GET", EVENTS) as response:
        assert response.headers["content-type"].startswith("text/event-stream")
        assert response.headers["cache-control"] == "no-store"
        assert response.headers["x-accel-buffering"] == "no"
        assert "content-security-policy" in response.headers


def test_the_stream_ends_with_the_server(services: Services) -> None:
    ending = threading.Event()
    streams = Streams()
    streams.end_when(ending.is_set)
    with serving(create_api(services, streams)) as url, listening(url) as reader:
        reader.until("initial_state")
        ending.set()
        assert reader.next() is None, "ended as a whole, not cut off"
