"""Guests get a page of their own at the usual addresses: what they may not do is not on it, so nothing asks for it."""

from __future__ import annotations

import gzip
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urljoin

import httpx
import pytest
from gradio_client import Client
from gradio_client.exceptions import AuthenticationError

from tests.api.conftest import client_of
from tests.serving import serving
from tts_core.access.accounts import AccountsFile
from tts_core.access.visitor import Role
from tts_core.cli.serve.studio import build_app
from tts_core.platform.settings.studio import Settings
from tts_core.services import build_services

PASSWORD = "correct horse"
FORBIDDEN = (
    *("download_model", "list_downloads", "pause_download", "resume_download", "cancel_download", "delete_model"),
    *("validate_model", "delete_voice", "save_voice"),
)


@dataclass(frozen=True)
class Studio:
    url: str
    data_dir: Path
    keys: dict[Role, str]

    def client(self, role: Role) -> httpx.Client:
        client = client_of(self.url)
        client.headers["Authorization"] = f"Bearer {self.keys[role]}"
        return client

    def ask(self, role: Role, name: str, body: dict[str, object]) -> httpx.Response:
        with self.client(role) as client:
            return client.post(f"/gradio_api/{name}", json=body)


@pytest.fixture(scope="module")
def studio(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Studio]:
    data_dir = tmp_path_factory.mktemp("guests")
    settings = Settings.from_env({"TTS_STUDIO_DATA_DIR": str(data_dir), "TTS_STUDIO_AUTH": "on"})
    accounts = AccountsFile(settings.paths.accounts_file)
    accounts.add_user("gast", PASSWORD, Role.GUEST)
    keys = {role: accounts.add_key("program", role)[1] for role in Role}
    services = build_services(settings)
    with serving(build_app(services)) as url:
        yield Studio(url, data_dir, keys)
    services.close()


@pytest.mark.parametrize("role", list(Role))
def test_the_page_comes_compressed_and_its_scripts_are_kept_for_ever(studio: Studio, role: Role) -> None:
    with studio.client(role) as client, client.stream("GET", "/zh/") as page:
        raw = b"".join(page.iter_raw())
        text = gzip.decompress(raw).decode()
        assert page.headers["content-encoding"] == "gzip"
        assert len(raw) < len(text) / 4
        name = re.search(r"assets/index-[\w-]+\.js", text)
        assert name is not None
        for path in (name.group(), f"zh/{name.group()}"):
            script = client.get(f"/{path}")
            assert "immutable" in script.headers["cache-control"]
            assert script.headers["content-encoding"] == "gzip"
            assert script.headers["content-type"].startswith("text/javascript")
            assert "import" in script.text
        assert client.get("/assets/nothing-1.js").status_code == 404


@pytest.mark.parametrize(("language", "text"), [("en", "There is no page here"), ("zh", "这里没有页面")])
def test_a_browser_gets_a_page_where_there_is_none_and_a_program_gets_data(
    studio: Studio, language: str, text: str
) -> None:
    eyes = {"Accept": "text/html,*/*", "Accept-Language": language}
    with studio.client(Role.ADMIN) as client:
        for path in ("/nothing", "/zh/nothing", "/deep/in/nothing"):
            page = client.get(path, headers=eyes)
            assert (page.status_code, page.headers["content-type"]) == (404, "text/html; charset=utf-8"), path
            way_back = re.search(r'class="button" href="([^"]+)"', page.text)
            assert way_back is not None
            assert client.get(urljoin(path, way_back[1]), headers=eyes).status_code == 200
            assert client.get(path).json() == {"detail": "Not Found"}
        assert text in client.get("/nothing", headers=eyes).text
        assert client.get("/api/nothing", headers=eyes).json()["detail"] == "not_found"


def events(studio: Studio, role: Role, page: str = "") -> list[str]:
    with studio.client(role) as client:
        return [str(event["api_name"]) for event in client.get(f"{page}/config").json()["dependencies"]]


@pytest.mark.parametrize("page", ["", "/zh"])
def test_what_guests_may_not_do_is_not_on_their_page(studio: Studio, page: str) -> None:
    mine, theirs = (events(studio, role, page) for role in (Role.ADMIN, Role.GUEST))
    assert set(FORBIDDEN) <= set(mine)
    assert set(FORBIDDEN) & set(theirs) == set()
    assert {"synthesize", "clone", "design", "list_voices", "list_models", "stop"} <= set(theirs)
    with studio.client(Role.GUEST) as client:
        shown = client.get(f"{page}/config").text
    for untrue in ("download a Qwen3-TTS model", "请下载 Qwen3-TTS", "leaves it", "stay on the computer", "都保存在"):
        assert untrue not in shown, untrue


@pytest.mark.thorough
def test_the_streams_of_a_page_end_with_the_account(studio: Studio) -> None:
    accounts = AccountsFile(studio.data_dir / "accounts.json")
    accounts.add_user("for a day", PASSWORD, Role.GUEST)
    with client_of(studio.url) as page:
        page.post("/login", data={"username": "for a day", "password": PASSWORD}).raise_for_status()
        events = page.get("/config").json()["dependencies"]
        load = next(event for event in events if "load" in [name for _, name in event["targets"]] and event["queue"])
        asked = {"data": [None for _ in load["inputs"]], "fn_index": load["id"], "session_hash": "day"}
        page.post("/gradio_api/queue/join", json=asked).raise_for_status()
        page.get("/gradio_api/queue/data?session_hash=day").raise_for_status()  # its end leaves the queue open
        with (
            page.stream("GET", "/gradio_api/heartbeat/day") as alive,
            page.stream("GET", "/gradio_api/queue/data?session_hash=day") as queue,
        ):
            assert (alive.status_code, queue.status_code) == (200, 200)
            accounts.remove_user("for a day")
            assert b"ALIVE" in alive.read()
            assert b"process_completed" not in queue.read()


@pytest.mark.parametrize("name", FORBIDDEN)
def test_a_forbidden_endpoint_does_not_answer_by_its_name(studio: Studio, name: str) -> None:
    for address in (f"call/{name}", f"api/{name}", f"run/{name}", f"call/v2/{name}"):
        answer = studio.ask(Role.GUEST, address, {"data": ["custom_0_6b", "auto"]})
        assert answer.status_code >= 400, address


def test_a_guests_numbers_are_those_of_the_guests_page(studio: Studio) -> None:
    """Whatever number of an admin's event a guest sends, nothing of the admins' page is reached."""
    mine, theirs = (events(studio, role) for role in (Role.ADMIN, Role.GUEST))
    assert len(mine) > len(theirs)
    for number in range(len(theirs), len(mine)):
        body: dict[str, object] = {"fn_index": number, "data": [], "session_hash": "x"}
        for address in ("queue/join", "run/predict"):
            assert studio.ask(Role.GUEST, address, body).status_code >= 400, mine[number]


@pytest.mark.parametrize(
    ("method", "path"),
    [
        *(("GET", "/gradio_api/file=/etc/passwd"), ("GET", "/gradio_api/proxy=http://127.0.0.1/")),
        *(("POST", "/gradio_api/component_server"), ("GET", "/gradio_api/deep_link"), ("GET", "/monitoring")),
        *(("GET", "/gradio_api/vibe-code"), ("GET", "/dev/reload"), ("GET", "/gradio_api/mcp/"), ("GET", "/mcp")),
    ],
)
def test_gradios_other_addresses_are_closed(studio: Studio, method: str, path: str) -> None:
    with studio.client(Role.GUEST) as guest:
        assert guest.request(method, path).status_code in (403, 404)


def test_a_guest_speaks_through_gradios_client_and_sees_no_folder(studio: Studio, tmp_path: Path) -> None:
    client = Client(
        studio.url, auth=("gast", PASSWORD), verbose=False, download_files=str(tmp_path), analytics_enabled=False
    )
    file, details, *_ = client.predict(text="Hello.", api_name="/synthesize")
    assert Path(file).read_bytes()[:4] == b"RIFF"
    assert details["voice"] == "builtin/by-language"
    assert str(studio.data_dir) not in json.dumps(client.config)
    client.close()


def test_a_guest_hears_a_take_by_its_veiled_address_only(studio: Studio) -> None:
    with studio.client(Role.GUEST) as guest:
        page = guest.get("/", headers={"Accept": "text/html"})
        assert (page.status_code, "studio-for-guests" in page.text) == (200, True)
        assert str(studio.data_dir) not in page.text
        client = Client(
            studio.url,
            headers={"Authorization": guest.headers["Authorization"]},
            verbose=False,
            download_files=False,
            analytics_enabled=False,
        )
        take, *_ = client.predict(text="Hello.", api_name="/synthesize")
        client.close()
        assert str(studio.data_dir) not in json.dumps(take)
        assert take["path"].startswith("/studio-")
        sound = guest.get(f"/gradio_api/file={take['path']}")
        assert (sound.status_code, sound.content[:4]) == (200, b"RIFF")
        assert guest.get("/gradio_api/file=/studio-data/accounts.json").status_code in (403, 404)


@pytest.mark.parametrize("page", ["", "/zh"])
def test_a_guests_page_speaks_by_itself_and_its_takes_are_the_guests(studio: Studio, page: str) -> None:
    asked = {"session": "a" * 32, "form": {"text": "Hello."}}
    with studio.client(Role.GUEST) as guest:
        messages = guest.post(f"{page}/speak/synthesize", json=asked).text.split("\n\n")
        take = json.loads(messages[-2].removeprefix("data: "))["take"]
        assert str(studio.data_dir) not in "".join(messages)
        address = f"/api/tts/qwen3/audio/{take['id']}"
        assert guest.get(address, params={"format": "flac"}).content[:4] == b"fLaC"
        assert guest.post(f"{page}/speak/stop", json=asked).json() == {"stopped": False}
        assert guest.post(f"{page}/speak/prepare").status_code == 204
        assert guest.delete("/api/tts/qwen3/audio/take").status_code == 403
        assert guest.delete(address).status_code == 200
        assert guest.get(address).status_code == 404


def test_nobody_comes_in_with_a_wrong_password(studio: Studio) -> None:
    for how in ({"auth": ("gast", "wrong password")}, {"headers": {"Authorization": "Bearer x"}}, {}):
        with pytest.raises(AuthenticationError):
            Client(studio.url, verbose=False, analytics_enabled=False, **how)
