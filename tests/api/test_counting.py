"""What a guest's request costs: a place among the works once its body is there, and bytes on the disk."""

from __future__ import annotations

import errno
import json
import os
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
from gradio.route_utils import GradioUploadFile

from tests.api.conftest import API, client_of
from tests.serving import serving
from tts_core.access.accounts import AccountsFile
from tts_core.access.kept_bytes import KEPT_S
from tts_core.access.quotas import LARGE_BODY_BYTES, UPLOAD_BYTES, Quota, Quotas
from tts_core.access.temporary_files import TemporaryFiles, places_of
from tts_core.access.visitor import Role
from tts_core.cli.serve.studio import build_app
from tts_core.engines.whisper.transcriber import Transcriber
from tts_core.models.status import ModelStatuses
from tts_core.platform.job import JobKind, JobRun
from tts_core.platform.settings.studio import Settings
from tts_core.services import Services, build_services
from tts_core.ui.gradio_patches import MAX_GUEST_FILES

JSON, FORM = "application/json", "multipart/form-data; boundary=x"
BODIES = {
    JSON: b'{"text": "Hello."}',
    FORM: b'--x\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\nsound\r\n--x--\r\n',
}
MANY = 10**6
SOON_S = 60.0


@dataclass(frozen=True)
class Studio:
    url: str
    services: Services
    keys: tuple[str, ...]
    """Of guests."""
    clock: list[float]

    def limit(self, *, at_once: int = 3, guests_at_once: int = 8, kept: int = MANY, guests_kept: int = MANY) -> Quotas:
        quota = Quota(MANY, MANY, at_once, MANY, kept)
        quotas = Quotas(dict.fromkeys(Role, quota), guests_at_once, lambda: self.clock[0], guests_kept)
        self.services.login.quotas = quotas
        return quotas

    def client(self, guest: int = 0) -> httpx.Client:
        client = client_of(self.url)
        client.headers["Authorization"] = f"Bearer {self.keys[guest]}"
        return client

    @contextmanager
    def sending(self, path: str, guest: int = 0, kind: str = JSON) -> Iterator[socket.socket]:
        """A request that was let in, of which all but the last byte has come."""
        host, _, port = self.url.removeprefix("http://").partition(":")
        with socket.create_connection((host, int(port)), timeout=SOON_S) as connection:
            head = (
                f"POST {path} HTTP/1.1\r\nHost: {host}:{port}\r\nAuthorization: Bearer {self.keys[guest]}\r\n"
                f"Content-Type: {kind}\r\nContent-Length: {len(BODIES[kind])}\r\n"
                "Connection: close\r\nExpect: 100-continue\r\n\r\n"
            )
            connection.sendall(head.encode())
            assert connection.recv(100).startswith(b"HTTP/1.1 100")  # the body is being read
            connection.sendall(BODIES[kind][:-1])
            yield connection


@pytest.fixture(scope="module")
def studio(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Studio]:
    data_dir = tmp_path_factory.mktemp("counting")
    settings = Settings.from_env({"TTS_STUDIO_DATA_DIR": str(data_dir), "TTS_STUDIO_AUTH": "on"})
    accounts = AccountsFile(settings.paths.accounts_file)
    keys = tuple(accounts.add_key(f"program {number}", Role.GUEST)[1] for number in range(3))
    services = build_services(settings)
    with serving(build_app(services)) as url:
        yield Studio(url, services, keys, [1_000_000.0])
    services.close()


def answer_of(connection: socket.socket, kind: str = JSON) -> tuple[int, str]:
    """Status and body of what is answered once the last byte has come."""
    connection.sendall(BODIES[kind][-1:])
    with connection.makefile("rb") as stream:
        text = stream.read().decode()
    head, _, body = text.partition("\r\n\r\n")
    return int(head.split()[1]), body


def settled(check: Callable[[], bool]) -> None:
    deadline = time.monotonic() + SOON_S
    while not check():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_bodies_that_come_slowly_take_no_place_from_anybody(studio: Studio) -> None:
    quotas = studio.limit(at_once=1, guests_at_once=2)
    with ExitStack() as stack:
        slow = [
            stack.enter_context(studio.sending(path, guest, kind))
            for guest, path, kind in (
                *((number % 3, f"{API}/synthesize", JSON) for number in range(9)),
                *((0, "/v1/audio/speech", JSON), (1, f"{API}/transcriptions", FORM), (2, "/mcp", JSON)),
            )
        ]
        for guest in range(3):
            with studio.client(guest) as client:
                assert client.post(f"{API}/synthesize", json={"text": "Hello."}).status_code == 200
        assert quotas._guests_working == 0
        assert answer_of(slow[0])[0] == 200


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        *((f"{API}/synthesize", JSON), ("/v1/audio/speech", JSON), ("/mcp", JSON), ("/synthesize", JSON)),
        *((f"{API}/transcriptions", FORM), ("/v1/audio/transcriptions", FORM), (f"{API}/voices/check", FORM)),
    ],
)
def test_who_finds_no_place_once_the_body_is_there_is_told_so_in_the_right_form(
    studio: Studio, path: str, kind: str
) -> None:
    quotas = studio.limit(at_once=1)
    with studio.sending(path, 0, kind) as late:
        visitor = studio.services.login.by_key(studio.keys[0], "")
        with quotas.work(visitor):
            status, body = answer_of(late, kind)
    told = json.loads(body)
    code = told["error"]["code"] if path.startswith("/v1/") else told["detail"]
    assert (status, code) == (429, "too_many_at_once")
    assert quotas._guests_working == 0


def test_a_finished_answer_that_is_read_slowly_holds_no_place(studio: Studio) -> None:
    quotas = studio.limit(at_once=1)
    text = "Hello, this is a long text. " * 150  # of sound, more than the system's buffers hold
    body = json.dumps({"input": text, "response_format": "wav"}).encode()
    host, _, port = studio.url.removeprefix("http://").partition(":")
    with socket.create_connection((host, int(port)), timeout=SOON_S) as reader:
        reader.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        head = f"POST {API}/synthesize HTTP/1.1\r\nHost: {host}:{port}\r\nAuthorization: Bearer {studio.keys[0]}\r\n"
        head += f"Accept: audio/wav\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
        body = json.dumps({"text": text}).encode().ljust(len(body))
        reader.sendall(head.encode() + body)
        assert reader.recv(15) == b"HTTP/1.1 200 OK"
        settled(lambda: quotas._guests_working == 0)


def test_a_guest_leaves_so_many_bytes_a_day_and_all_guests_together(studio: Studio, tmp_path: Path) -> None:
    quotas = studio.limit(kept=3_000_000, guests_kept=5_500_000)

    def upload(guest: int, size: int = 2_000_000) -> tuple[int, str]:
        with studio.client(guest) as client:
            answer = client.post("/gradio_api/upload", files={"files": ("me.bin", bytes([guest]) * size)})
            return answer.status_code, "" if answer.status_code == 200 else answer.json()["detail"]

    assert upload(0) == (200, "")
    assert upload(0) == (429, "space_used_up"), "refused while it came, and told cleanly"
    assert upload(0) == (429, "space_used_up"), "refused before it came"
    assert upload(1) == (200, "")
    assert upload(2) == (429, "guests_space_used_up")
    with studio.client(0) as client:
        refused = client.post(f"{API}/synthesize", json={"text": "Hello."})
        assert (refused.status_code, refused.json()["detail"]) == (429, "space_used_up")
        assert 0 < int(refused.headers["retry-after"]) <= KEPT_S + 3600
    studio.clock[0] += KEPT_S + 3600
    paths = studio.services.settings.paths
    pruning = TemporaryFiles(places_of(paths, tmp_path), set, quotas.pruned, lambda: time.time() + 2 * KEPT_S)
    assert pruning.prune() == 2, "what had come of refused uploads was removed at once"
    assert [path for path in paths.page_cache_dir.rglob("*") if path.is_file()] == []
    assert upload(0) == (200, "")
    assert upload(2) == (200, "")


def test_one_upload_has_few_files_and_large_ones_count_more_than_once(studio: Studio) -> None:
    quota = Quota(MANY, MANY, 3, uploads=4, kept_bytes=10 * UPLOAD_BYTES)
    studio.services.login.quotas = Quotas(dict.fromkeys(Role, quota), clock=lambda: studio.clock[0])
    page_dir = studio.services.settings.paths.page_cache_dir
    before = set(page_dir.rglob("*"))
    with studio.client(0) as client:

        def upload(*sizes: int) -> int:
            files = [("files", (f"{number}.bin", bytes(size))) for number, size in enumerate(sizes)]
            return client.post("/gradio_api/upload", files=files).status_code

        assert upload(*range(1, MAX_GUEST_FILES + 2)) == 400
        assert set(page_dir.rglob("*")) == before
        assert upload(*range(1, MAX_GUEST_FILES + 1)) == 200
        assert upload(UPLOAD_BYTES + 1000) == 200, "the third and the fourth"
        assert upload(1) == 429


def test_large_bodies_that_come_slowly_have_places_of_their_own(studio: Studio) -> None:
    quotas = studio.limit(at_once=2, guests_at_once=8)
    host, _, port = studio.url.removeprefix("http://").partition(":")
    size = LARGE_BODY_BYTES + 2
    with ExitStack() as stack:

        def begin(guest: int) -> socket.socket:
            connection = stack.enter_context(socket.create_connection((host, int(port)), timeout=SOON_S))
            head = f"POST /extract HTTP/1.1\r\nHost: {host}:{port}\r\nAuthorization: Bearer {studio.keys[guest]}\r\n"
            connection.sendall(f"{head}Content-Type: {JSON}\r\nContent-Length: {size}\r\n\r\n".encode())
            connection.sendall(b" " * (size - 1))
            return connection

        first, second = begin(0), begin(0)
        settled(lambda: quotas._guests_sending == 2)
        assert begin(0).recv(12) == b"HTTP/1.1 429"
        begin(1)
        settled(lambda: quotas._guests_sending == 3)
        first.sendall(b"1")
        assert first.recv(12) == b"HTTP/1.1 422"
        second.close()
        settled(lambda: quotas._guests_sending == 1)


def test_a_full_disk_refuses_an_upload_and_keeps_nothing_of_it(studio: Studio, monkeypatch: pytest.MonkeyPatch) -> None:
    studio.limit()
    page_dir = studio.services.settings.paths.page_cache_dir
    before = set(page_dir.rglob("*"))

    async def write(_file: GradioUploadFile, _data: bytes) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(GradioUploadFile, "write", write)
    with studio.client() as client:
        answer = client.post("/gradio_api/upload", files={"files": ("me.bin", b"sound")})
    assert (answer.status_code, list(answer.json())) == (507, ["detail"])
    assert str(page_dir) not in answer.text, "guests see no folders"
    assert set(page_dir.rglob("*")) == before


def test_a_transcription_holds_its_place_until_its_job_ends(studio: Studio, monkeypatch: pytest.MonkeyPatch) -> None:
    quotas = studio.limit(at_once=2)
    monkeypatch.setattr(Transcriber, "choose", lambda self, key="": ModelStatuses.statuses(self._models)[0])
    go_on: list[bool] = []
    jobs = studio.services.jobs

    def transcribed(_run: JobRun) -> dict[str, str]:
        settled(lambda: bool(go_on))
        return {}

    jobs.add_work(JobKind.TRANSCRIPTION, transcribed)
    with studio.client() as client:
        sound = client.post(f"{API}/synthesize", json={"text": "Hello."}, headers={"Accept": "audio/wav"}).content

        def start() -> httpx.Response:
            return client.post(f"{API}/transcriptions", files={"file": ("me.wav", sound)})

        first, second, third = start(), start(), start()
        assert [answer.status_code for answer in (first, second, third)] == [200, 200, 429]
        jobs.cancel(second.json()["data"]["job_id"])
        assert quotas._guests_working == 1
        visitor = studio.services.login.by_key(studio.keys[0], "")
        assert quotas._kept.of(visitor) == 2 * len(sound), "what was cancelled lies there still"
        go_on.append(True)
        settled(lambda: quotas._guests_working == 0)
