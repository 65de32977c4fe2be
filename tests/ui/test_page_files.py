"""No visitor names a file that is not his, whatever function of whatever page he asks, in whatever form."""

from __future__ import annotations

import json
import os
import re
import secrets
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

import httpx
import pytest

from tests.api.conftest import client_of
from tests.serving import serving
from tts_core.access.accounts import AccountsFile
from tts_core.access.visitor import Role
from tts_core.cli.serve.studio import build_app
from tts_core.platform.settings.studio import Settings
from tts_core.services import build_services
from tts_core.ui import gradio_patches as gradio_guard
from tts_core.ui.faults import UnknownFile
from tts_core.ui.page_files import MAX_OF_ONE, PageFiles
from tts_core.ui.words import load_words

MARK = {"_type": "gradio.FileData"}
PAGES = {"": "en", "/zh": "zh"}
REFUSED = {page: load_words(language).error(UnknownFile()) for page, language in PAGES.items()}
SECRET = b"what nobody outside may read"


@dataclass(frozen=True)
class Studio:
    url: str
    data_dir: Path
    keys: dict[str, str]

    def client(self, who: str) -> httpx.Client:
        client = client_of(self.url)
        # A connection for each: hundreds of small answers on one would wait for the network's acknowledgements.
        client.headers.update({"Authorization": f"Bearer {self.keys[who]}", "Connection": "close"})
        client.timeout = httpx.Timeout(20.0)  # what blocks the server fails here
        return client


@pytest.fixture(scope="module")
def studio(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Studio]:
    """One key of an admin, two of guests."""
    data_dir = tmp_path_factory.mktemp("files")
    settings = Settings.from_env({"TTS_STUDIO_DATA_DIR": str(data_dir), "TTS_STUDIO_AUTH": "on"})
    accounts = AccountsFile(settings.paths.accounts_file)
    roles = {"admin": Role.ADMIN, "guest": Role.GUEST, "other": Role.GUEST}
    keys = {who: accounts.add_key(who, role)[1] for who, role in roles.items()}
    services = build_services(settings)
    services.login.quotas.ask = lambda visitor: None  # type: ignore[method-assign]
    with serving(build_app(services)) as url:
        yield Studio(url, data_dir, keys)
    services.close()


@pytest.fixture
def guest(studio: Studio) -> Iterator[httpx.Client]:
    with studio.client("guest") as client:
        yield client


def file_at(path: object, **more: object) -> dict[str, object]:
    return {"path": str(path), "meta": MARK, **more}


def upload(client: httpx.Client, page: str = "") -> str:
    """Something new; its path, as the uploader is told."""
    files = {"files": ("me.wav", secrets.token_bytes(64))}
    path: str = client.post(f"{page}/gradio_api/upload", files=files).raise_for_status().json()[0]
    return path


def functions(client: httpx.Client, page: str = "") -> list[dict[str, object]]:
    found: list[dict[str, object]] = client.get(f"{page}/config").json()["dependencies"]
    return found


def the(name: str, client: httpx.Client) -> tuple[int, int]:
    """(number of the function, how many inputs)."""
    function = next(function for function in functions(client) if function["api_name"] == name)
    return int(str(function["id"])), inputs_of(function)


def inputs_of(function: dict[str, object]) -> int:
    assert isinstance(function["inputs"], list)
    return len(function["inputs"])


def clone_of(client: httpx.Client, recording: object) -> str:
    """What the page's Clone says; the recording is its first input."""
    number, inputs = the("clone", client)
    return queued(client, number, [recording, "Hello.", *[None] * (inputs - 2)])


def answered(client: httpx.Client, number: int, data: Sequence[object], page: str = "", **more: object) -> str:
    """What the page says to an event: the error, or all of the answer."""
    asked = {"fn_index": number, "data": data, **more}
    answer = client.post(f"{page}/gradio_api/run/predict", json=asked).json()
    return str(answer.get("error") or json.dumps(answer))


def queued(client: httpx.Client, number: int, data: Sequence[object]) -> str:
    session = secrets.token_hex(8)
    asked = {"fn_index": number, "data": data, "session_hash": session}
    client.post("/gradio_api/queue/join", json=asked).raise_for_status()
    with client.stream("GET", f"/gradio_api/queue/data?session_hash={session}") as stream:
        return "".join(stream.iter_lines())


def called(client: httpx.Client, way: str, body: dict[str, object]) -> str:
    event = client.post(f"/gradio_api/{way}", json=body).raise_for_status().json()["event_id"]
    return client.get(f"/gradio_api/{way.replace('/v2', '')}/{event}").text


@pytest.mark.parametrize("page", PAGES)
@pytest.mark.parametrize("who", ["admin", "guest"])
def test_no_input_of_any_function_takes_a_file_of_the_server(studio: Studio, who: str, page: str) -> None:
    stranger = file_at(studio.data_dir / "accounts.json")
    with studio.client(who) as client:
        asked = functions(client, page)
        assert len(asked) > 50
        for function in asked:
            number, places = int(str(function["id"])), range(inputs_of(function) + 1)  # one too many, too
            for place in places if page == "" else [number % len(places)]:  # the other page is the same in Chinese
                data = [stranger if other == place else None for other in places]
                assert answered(client, number, data, page) == REFUSED[page], (function["api_name"], place)
        clicked = answered(client, number, [None] * len(places), page, event_data={"key": [stranger]})
        assert clicked == REFUSED[page]


@pytest.mark.parametrize("who", ["admin", "guest"])
def test_an_own_upload_goes_only_where_a_file_belongs(studio: Studio, who: str) -> None:
    with studio.client(who) as client:
        mine, taken = file_at(upload(client)), set()
        number, inputs = the("synthesize", client)
        assert answered(client, number, ["Hello.", mine, *[None] * (inputs - 2)]) == REFUSED[""]
        number, inputs = the("clone", client)
        for place in range(inputs):
            said = answered(client, number, [mine if other == place else None for other in range(inputs)])
            taken |= {place} if said != REFUSED[""] else set()
        assert taken == {0}
        assert "Base is not on this machine" in clone_of(client, mine)


@pytest.mark.skipif(sys.platform == "win32", reason="links, pipes and devices")
@pytest.mark.parametrize("who", ["admin", "guest"])
def test_only_an_ordinary_file_of_ones_own_is_read(studio: Studio, tmp_path: Path, who: str) -> None:
    secret, cache = tmp_path / "secret.wav", studio.data_dir / "cache" / "page"
    secret.write_bytes(SECRET)
    with studio.client(who) as client, studio.client("other") as other:
        mine, link, pipe, folder = (upload(client) for _ in range(4))
        places = [Path(path.replace("/studio-data", str(studio.data_dir))) for path in (mine, link, pipe, folder)]
        for place in places[1:]:
            place.unlink()
        places[1].symlink_to(secret)
        os.mkfifo(places[2])
        places[3].mkdir()
        (cache / f"link-{who}").symlink_to(secret)
        os.mkfifo(cache / f"pipe-{who}")
        held = [os.open(place, os.O_RDWR) for place in (places[2], cache / f"pipe-{who}")]  # else a reader waits on
        strangers = {
            "a file outside": file_at(secret),
            "the accounts": file_at(studio.data_dir / "accounts.json"),
            "the environment": file_at("/proc/self/environ"),
            "a folder": file_at("/etc"),
            "the cache itself": file_at(cache),
            "a device": file_at("/dev/zero"),
            "a link in the cache": file_at(cache / f"link-{who}"),
            "a pipe in the cache": file_at(cache / f"pipe-{who}"),
            "a link where an upload was": file_at(link),
            "a pipe where an upload was": file_at(pipe),
            "a folder where an upload was": file_at(folder),
            "somebody else's upload": file_at(upload(other)),
            "an address": file_at("http://127.0.0.1:1/a.wav"),
            "a way out of an own folder": file_at(f"{Path(mine).parent}/../../../accounts.json"),
            "a way from here": file_at("app.py"),
            "a stream": file_at(secret, is_stream=True),
            "nothing": file_at(""),
            "no mark": {"path": str(secret)},
            "no path": {"meta": MARK, "url": str(secret)},
            "no text": {"path": [str(secret)], "meta": MARK},
            "a list": [file_at(mine), file_at(secret)],
            "an update": {"__type__": "update", "value": file_at(secret)},
            "within an own file": file_at(mine, orig_name=file_at(secret)),
            "deep within": json.loads('{"a":[' * 100 + json.dumps(file_at(secret)) + "]}" * 100),
        }
        try:
            for what, stranger in strangers.items():
                assert REFUSED[""] in clone_of(client, stranger), what
            assert "Base is not on this machine" in clone_of(client, file_at(mine, url="file:///etc/passwd"))
        finally:
            for handle in held:
                os.close(handle)


def test_no_way_of_asking_leads_around_it(studio: Studio, guest: httpx.Client) -> None:
    stranger = file_at(studio.data_dir / "accounts.json")
    number, inputs = the("clone", guest)
    data = [stranger, "Hello.", *[None] * (inputs - 2)]
    for name in ("run/clone", "api/clone", "run/clone/", "api/clone/"):
        assert guest.post(f"/gradio_api/{name}", json={"data": data}).json()["error"] == REFUSED[""], name
    assert REFUSED[""] in queued(guest, number, data)
    assert REFUSED[""] in called(guest, "call/clone", {"data": data})
    assert REFUSED[""] in called(guest, "call/v2/clone", {"file": stranger, "text": "Hello."})
    for closed in ("component_server", "stream/x", "process_recording"):
        assert guest.post(f"/gradio_api/{closed}", json={"data": stranger}).status_code in (403, 404), closed


def test_what_one_uploads_and_gets_only_he_reads(studio: Studio, guest: httpx.Client) -> None:
    said = called(guest, "call/v2/synthesize", {"text": "Hello."})
    spoken = re.search(r'/studio-data/cache/page/[^"]+', said)
    assert spoken is not None
    with studio.client("other") as other, studio.client("admin") as admin:
        for path in (upload(guest), spoken.group()):
            real = path.replace("/studio-data", str(studio.data_dir))
            assert guest.get(f"/gradio_api/file={path}").status_code == 200
            assert guest.get(f"/gradio_api/file={path}", headers={"Range": "bytes=0-3"}).status_code == 206
            for client, name in ((other, path), (other, real), (admin, real)):
                for way in ("GET", "HEAD"):
                    assert client.request(way, f"/gradio_api/file={name}").status_code == 403
                assert client.get(f"/gradio_api/file/{name}").status_code in (403, 404)
        told = other.get(f"/gradio_api/file={path}").text
        assert UnknownFile().message in told
        assert str(studio.data_dir) not in told
        for taken in (studio.data_dir / "cache" / "outputs").iterdir():  # those have an address of their own
            assert admin.get(f"/gradio_api/file={taken}").status_code == 403


def test_two_who_upload_the_same_both_have_it(tmp_path: Path) -> None:
    files, path = PageFiles(tmp_path), tmp_path / "a.wav"
    path.touch()
    for owner in ("one", "two"):
        files.give(owner, [str(path)])
        assert files.may_be_read(owner, [str(path)])
    assert not files.may_be_read("", [str(path)])


def test_what_lies_elsewhere_is_given_to_nobody(tmp_path: Path) -> None:
    files = PageFiles(tmp_path / "page")
    for path in (
        tmp_path / "a",
        tmp_path / "page-2" / "a",
        tmp_path / "page" / ".." / "a",
        tmp_path / "page",
        "",
        None,
    ):
        files.give("one", [path if path is None else str(path)])
        assert not files.is_of("one", path if path is None else str(path))


def test_the_oldest_of_one_owner_are_forgotten_and_nobody_elses(tmp_path: Path) -> None:
    files = PageFiles(tmp_path)
    files.give("two", [str(tmp_path / "his")])
    files.give("one", [str(tmp_path / str(number)) for number in range(MAX_OF_ONE + 1)])
    assert not files.is_of("one", str(tmp_path / "0"))
    assert files.is_of("one", str(tmp_path / "1"))
    assert files.is_of("two", str(tmp_path / "his"))


def test_without_its_place_in_gradio_a_guard_is_no_guard() -> None:
    with pytest.raises(AttributeError):
        gradio_guard._replace(ModuleType("gradio.routes"), "file_fetch", None)
