"""One rule for REST, OpenAI's routes, WebSocket and SSE: who asks, whether they may, and how much."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

from tests.api.conftest import API, client_of
from tests.serving import serving
from tts_core.access.accounts import AccountsFile
from tts_core.access.attempts import Attempts
from tts_core.access.login import FREE_AT_ADDRESS
from tts_core.access.quotas import Quota, Quotas
from tts_core.access.visitor import Role
from tts_core.api.protection import guest_rules as rights
from tts_core.api.protection.authentication import COOKIE
from tts_core.api.protection.login import add_login
from tts_core.api.server import create_api
from tts_core.platform.settings.studio import Settings
from tts_core.services import Services, build_services
from tts_core.ui.login_page import login_page

PASSWORD = "correct horse"
HTML = {"Accept": "text/html,*/*;q=0.8"}
ELSEWHERE = {"X-Forwarded-For": "203.0.113.7"}
MODELS, EVENTS = f"{API}/models", "/api/models/events"


@dataclass(frozen=True)
class Closed:
    """A studio where people have to log in."""

    url: str
    services: Services
    accounts: AccountsFile
    keys: dict[Role, str]
    routes: list[tuple[str, str]]
    """Method and path of all that REST knows."""

    def client(self, role: Role | None = None) -> httpx.Client:
        client = client_of(self.url)
        if role is not None:
            client.headers["Authorization"] = f"Bearer {self.keys[role]}"
        return client


def build(data_dir: Path, **variables: str) -> tuple[Services, AccountsFile]:
    settings = Settings.from_env({"TTS_STUDIO_DATA_DIR": str(data_dir), "TTS_STUDIO_AUTH": "on", **variables})
    return build_services(settings), AccountsFile(settings.paths.accounts_file)


@pytest.fixture(scope="module")
def closed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Closed]:
    services, accounts = build(tmp_path_factory.mktemp("closed"), TTS_STUDIO_ADMIN_PASSWORD="from the environment")
    keys = {role: accounts.add_key("a program", role)[1] for role in Role}
    accounts.add_user("Anna", PASSWORD, Role.ADMIN)
    services.login.quotas = Quotas({role: Quota(10**6, 10**6, 32) for role in Role})
    services.login._attempts = Attempts(lambda: 0.0)  # no machine is so slow that a wait is over
    app = create_api(services)
    add_login(app, services.login, login_page)
    routes = [(method.upper(), path) for path, methods in app.openapi()["paths"].items() for method in methods]
    with serving(app) as url:
        yield Closed(url, services, accounts, keys, routes)
    services.close()


def filled(path: str) -> str:
    return re.sub(r"\{[a-z_]+\}", "x", path)


def test_nobody_gets_anything_without_a_log_in(closed: Closed) -> None:
    with closed.client() as stranger:
        for method, path in closed.routes:
            answer = stranger.request(method, filled(path))
            if path not in rights.OPEN:
                asked = (answer.status_code, answer.headers["www-authenticate"])
                assert asked == (401, 'Bearer realm="TTS Studio"'), f"{method} {path}"
        assert stranger.get("/health").status_code == 200
        assert stranger.get(MODELS).json()["detail"] == "login_required"
        assert stranger.get("/nothing").status_code == 401


def test_guests_get_what_the_table_lists_and_no_more(closed: Closed) -> None:
    assert len(closed.routes) > 50
    refused: list[tuple[str, str]] = []
    answered: list[tuple[str, str]] = []
    with closed.client(Role.GUEST) as guest:
        for method, path in closed.routes:
            answer = guest.request(method, filled(path), headers={"Accept": "application/json"})
            (refused if answer.status_code == 403 else answered).append((method, path))
    for method, path in (
        ("POST", f"{MODELS}/download"),
        ("DELETE", f"{MODELS}/{{key}}"),
        ("GET", f"{MODELS}/open-path"),
        ("POST", f"{MODELS}/validate"),
        ("POST", f"{MODELS}/{{key}}/load"),
        ("POST", f"{API}/voices/upload"),
        ("DELETE", f"{API}/voices/{{voice_id}}"),
        ("PATCH", f"{API}/voices/{{voice_id}}"),
        ("GET", f"{API}/voices/{{voice_id}}/audio"),
        ("GET", f"{API}/voices/{{voice_id}}/export"),
        ("GET", f"{API}/acceleration-status"),
        ("GET", "/api/jobs"),
        ("GET", EVENTS),
        ("POST", "/register_speaker"),
        ("GET", "/api/lexicon"),
        ("PUT", "/api/lexicon"),
    ):
        assert (method, path) in refused, path
    for method, path in (
        ("GET", MODELS),
        ("POST", f"{API}/synthesize"),
        ("POST", "/v1/audio/speech"),
        ("POST", "/api/text/preview"),
    ):
        assert (method, path) in answered, path


def test_an_admins_key_opens_everything(closed: Closed) -> None:
    with closed.client(Role.ADMIN) as admin:
        assert admin.get(f"{API}/acceleration-status").status_code == 200
        assert admin.get("/api/jobs").status_code == 200
        assert str(closed.services.settings.paths.models_dir) in admin.get(MODELS).text


def test_guests_see_no_folder_of_this_machine(closed: Closed) -> None:
    hidden = str(closed.services.settings.paths.data_dir)
    with closed.client(Role.GUEST) as guest:
        for path in (MODELS, f"{API}/voices", f"{API}/speakers", "/openapi.json"):
            answer = guest.get(path, headers={"Accept-Encoding": "gzip"})
            assert (answer.status_code, hidden in answer.text) == (200, False), path
            assert int(answer.headers["content-length"]) == answer.num_bytes_downloaded
        assert guest.get(MODELS).json()["data"][0]["path"].startswith("/studio-models/")


def test_openai_clients_get_errors_in_their_form(closed: Closed) -> None:
    with closed.client() as stranger:
        answer = stranger.post("/v1/audio/speech", json={})
    assert answer.status_code == 401
    assert answer.json()["error"]["code"] == "login_required"


@pytest.mark.parametrize(("role", "status"), [(None, 401), (Role.GUEST, 403)])
def test_sockets_are_refused_before_they_open(closed: Closed, role: Role | None, status: int) -> None:
    headers = {"Authorization": f"Bearer {closed.keys[role]}"} if role else {}
    with pytest.raises(InvalidStatus) as refused:
        connect(closed.url.replace("http", "ws") + "/ws", additional_headers=headers, proxy=None)
    assert refused.value.response.status_code == status


def test_an_admins_socket_and_stream_open(closed: Closed) -> None:
    headers = {"Authorization": f"Bearer {closed.keys[Role.ADMIN]}"}
    with connect(closed.url.replace("http", "ws") + "/ws", additional_headers=headers, proxy=None) as socket:
        socket.send('{"type": "ping"}')
        assert json.loads(socket.recv(timeout=120)) == {"type": "pong"}
    with closed.client(Role.ADMIN) as admin, admin.stream("GET", EVENTS) as stream:
        assert stream.status_code == 200


def test_a_browser_logs_in_and_out(closed: Closed) -> None:
    with closed.client() as browser:
        asked = browser.get("/docs", headers=HTML)
        assert (asked.status_code, asked.headers["location"]) == (303, "./login?to=docs")
        form = browser.get("/login?to=docs", headers=HTML)
        assert 'name="password"' in form.text
        assert form.headers["cache-control"] == "no-store"
        said = {"username": "anna", "password": PASSWORD, "to": "docs"}
        answer = browser.post("/login", data=said, headers=HTML)
        assert (answer.status_code, answer.headers["location"]) == (303, "./docs")
        cookie = answer.headers["set-cookie"].lower()
        assert "httponly" in cookie
        assert "samesite=lax" in cookie
        assert "secure" not in cookie
        assert browser.get("/docs", headers=HTML).status_code == 200
        kept = dict(browser.cookies)
        assert browser.post("/logout", headers=HTML).headers["location"] == "./login"
        assert (
            browser.get(
                MODELS, headers={"Cookie": "; ".join(f"{name}={value}" for name, value in kept.items())}
            ).status_code
            == 401
        ), "the server has forgotten it, too"


def test_over_https_the_cookie_stays_there(closed: Closed) -> None:
    with closed.client() as browser:
        said = {"username": "Anna", "password": PASSWORD}
        answer = browser.post("/login", data=said, headers={"X-Forwarded-Proto": "https", **HTML})
    assert "secure" in answer.headers["set-cookie"].lower()


@pytest.mark.parametrize("order", [("good", "stale"), ("stale", "good")])
def test_a_cookie_from_another_path_hides_no_session(closed: Closed, order: tuple[str, str]) -> None:
    with closed.client() as browser:
        browser.post("/login", data={"username": "Anna", "password": PASSWORD}, headers=HTML)
        values = {"good": browser.cookies[COOKIE], "stale": "x"}
    cookies = "; ".join(f"{COOKIE}={values[name]}" for name in order)
    with closed.client() as browser:
        assert browser.get("/api/jobs", headers={"Cookie": cookies}).status_code == 200


@pytest.mark.parametrize("target", ["https://evil.example", "//evil.example", "../x", "\\evil"])
def test_a_log_in_leads_to_our_own_pages_only(closed: Closed, target: str) -> None:
    with closed.client() as browser:
        said = {"username": "Anna", "password": PASSWORD, "to": target}
        assert browser.post("/login", data=said, headers=HTML).headers["location"] == "./"


def test_the_environment_may_name_an_admin(closed: Closed) -> None:
    with closed.client() as program:
        said = {"username": "admin", "password": "from the environment"}
        assert program.post("/login", data=said).json() == {"success": True}
        assert program.get("/api/jobs").status_code == 200
    assert "from the environment" not in repr(closed.services.settings)


def test_another_sites_page_cant_log_anybody_in_or_out(closed: Closed) -> None:
    with closed.client() as browser:
        for path in ("/login", "/logout"):
            answer = browser.post(path, data={"username": "Anna"}, headers={"Origin": "https://evil.example"})
            assert answer.status_code == 403


def test_the_log_in_page_speaks_the_browsers_language_and_keeps_the_name_as_a_plain_text(closed: Closed) -> None:
    with closed.client() as browser:
        chinese = browser.get("/login", headers={"Accept-Language": "zh-CN", **HTML}).text
        assert 'lang="zh-CN"' in chinese
        said = {"username": "<script>x", "password": "<b>", "to": '"><script>'}
        wrong = browser.post("/login", data=said, headers={**ELSEWHERE, **HTML})
        assert wrong.status_code == 401
        assert 'role="alert"' in wrong.text
        assert "<script>" not in wrong.text
        assert 'value="&lt;script&gt;x"' in wrong.text
        assert "&lt;b&gt;" not in wrong.text, "nobody reads a password"


def test_guessing_is_slowed_down(closed: Closed) -> None:
    there = {"X-Forwarded-For": "198.51.100.1"}
    with closed.client() as stranger:
        for number in range(FREE_AT_ADDRESS + 1):
            bearer = {"Authorization": "Bearer tts-wrong"}
            kind = stranger.get(MODELS, headers={**there, **bearer}) if number % 2 else None
            answer = kind or stranger.post("/login", data={"username": "x", "password": "y"}, headers=there)
            assert answer.status_code == 401, number
        for path in (MODELS, "/v1/models"):
            answer = stranger.get(path, headers={**there, "Authorization": f"Bearer {closed.keys[Role.ADMIN]}"})
            assert (answer.status_code, int(answer.headers["retry-after"]) >= 1) == (429, True)
        assert (
            stranger.post("/login", data={"username": "Anna", "password": PASSWORD}, headers=there).status_code == 429
        )
        assert stranger.get(MODELS, headers={"Authorization": f"Bearer {closed.keys[Role.GUEST]}"}).status_code == 200


def test_who_has_an_ipv6_network_has_no_more_attempts_than_others(closed: Closed) -> None:
    with closed.client() as stranger:

        def status(host: int) -> int:
            there = {"X-Forwarded-For": f"2001:db8:5:6::{host:x}", "Authorization": "Bearer tts-wrong"}
            return stranger.get(MODELS, headers=there).status_code

        statuses = [status(host) for host in range(FREE_AT_ADDRESS + 2)]
        assert statuses == [401] * (FREE_AT_ADDRESS + 1) + [429]
        neighbour = {"X-Forwarded-For": "2001:db8:5:7::1", "Authorization": "Bearer tts-wrong"}
        assert stranger.get(MODELS, headers=neighbour).status_code == 401


Serving = Callable[..., httpx.Client]


@pytest.fixture
def open_studio(tmp_path: Path) -> Iterator[Serving]:
    """Served with these variables; changed first by `change`, which is given the services."""
    with ExitStack() as stack:

        def serve(change: Callable[[Services], Services] = lambda services: services, **variables: str) -> httpx.Client:
            services, _ = build(tmp_path, **variables)
            stack.callback(services.close)
            url = stack.enter_context(serving(create_api(change(services))))
            return stack.enter_context(client_of(url))

        yield serve


def test_on_loopback_only_who_comes_through_a_proxy_logs_in(open_studio: Serving) -> None:
    client = open_studio(TTS_STUDIO_AUTH="auto")
    assert client.get(MODELS).status_code == 200
    assert client.get(MODELS, headers=ELSEWHERE).status_code == 401


OF_PROXIES = (
    *("Via", "Forwarded", "CDN-Loop", "X-Real-IP", "X-Client-IP", "X-Cluster-Client-IP", "True-Client-IP", "Client-IP"),
    *("X-Forwarded", "X-Forwarded-By", "X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Port", "X-Forwarded-Proto"),
    *("X-Forwarded-Server", "X-Forwarded-Ssl", "X-Original-Forwarded-For", "X-Original-Host", "Forwarded-For"),
    *("CF-Connecting-IP", "CF-Connecting-IPv6", "CF-Ray", "Fastly-Client-IP", "Fly-Client-IP", "DO-Connecting-IP"),
    *("X-Envoy-External-Address", "X-Azure-ClientIP", "X-Vercel-Forwarded-For", "X-AppEngine-User-IP", "X-ARR-SSL"),
    *("CloudFront-Viewer-Address", "X-NF-Client-Connection-IP", "Incap-Client-IP", "X-Sucuri-ClientIP", "X-Varnish"),
    *("Tailscale-User-Login", "X-ProxyUser-IP", "WL-Proxy-Client-IP", "X-Remote-Addr"),
)


def test_no_header_makes_a_stranger_behind_a_proxy_the_owner(open_studio: Serving) -> None:
    """Whatever the proxy tells and its client adds: it can only take the owner's rights away."""
    client = open_studio(TTS_STUDIO_AUTH="auto")
    for name in OF_PROXIES:
        for claim in ({}, {"X-Forwarded-For": "127.0.0.1"}):
            assert client.get("/api/jobs", headers={name: "127.0.0.1", **claim}).status_code == 401, (name, claim)
    for claims in (["::1"], ["::ffff:127.0.0.1"], ["[::1]:80"], ["203.0.113.7", "127.0.0.1"], ["unknown"], [""]):
        lines = [("Via", "1.1 x"), *(("X-Forwarded-For", claim) for claim in claims)]
        assert client.get("/api/jobs", headers=lines).status_code == 401, claims
    forged = {"X-Forwarded-Proto": "http", "X-Forwarded-For": "127.0.0.1"}
    assert client.delete(f"{MODELS}/base_0_6b", headers=forged).status_code == 401
    assert client.post("/mcp", json={}, headers=forged).status_code == 401
    for name in ("Accept-Language", "X-Request-ID", "User-Agent", "X-Stainless-OS", "Traceparent", "DNT", "Priority"):
        assert client.get("/api/jobs", headers={name: "x"}).status_code == 200, name


@pytest.mark.parametrize(("auth", "status"), [("auto", 401), ("off", 200), ("on", 401)])
def test_any_other_address_asks_everybody_unless_told_not_to(open_studio: Serving, auth: str, status: int) -> None:
    client = open_studio(TTS_STUDIO_AUTH=auth, TTS_STUDIO_HOST="0.0.0.0")
    assert client.get(MODELS).status_code == status


def test_a_visitors_requests_are_limited_and_the_owners_are_not(open_studio: Serving) -> None:
    def few(services: Services) -> Services:
        services.login.quotas = Quotas({role: Quota(requests=3, works=3, at_once=1) for role in Role})
        return services

    client = open_studio(few, TTS_STUDIO_AUTH="off")
    for _ in range(3):
        assert client.get(MODELS, headers=ELSEWHERE).status_code == 200
    answer = client.get(MODELS, headers=ELSEWHERE)
    assert (answer.status_code, answer.json()["detail"]) == (429, "too_many_requests")
    assert int(answer.headers["retry-after"]) >= 1
    for _ in range(5):
        assert client.get(MODELS).status_code == 200
