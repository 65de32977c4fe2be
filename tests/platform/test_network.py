"""Every value that a desktop or a VPN tool may set is one that all libraries can be used with, or is left out."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import httpx
import httpx2
import pytest
import requests
from hypothesis import given, settings as checked, strategies as st

from tests import ROOT
from tts_core.platform.settings.network import NetworkVariables
from tts_core.platform.settings.studio import Settings

PROXY = "http://127.0.0.1:9"
UNREADABLE = [
    *("socks://127.0.0.1:7891/", "socks4://127.0.0.1:1", "socks4a://127.0.0.1:1", "ftp://h:1", "quic://h:1"),
    *("localhost:7890", "http://", "http://h:port", "http://h:99999", "http:127.0.0.1:1", "direct://", "http://::1:1"),
    *('"http://127.0.0.1:1"', "http://u:p#s@h:1", "http://a b:1", "http://代理:1", "http://[::1%25eth0]:1", "://", "@"),
]
EXCEPTIONS = ["[::1]", "fe80::/10", "[::1]:80", "host:port", "[fe80::1%25eth0]", "代理.cn", "<local>", "10.*;<local>"]


@pytest.fixture(autouse=True)
def no_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.lower().endswith("_proxy")]:
        monkeypatch.delenv(name)


def mended(variables: Mapping[str, str], *, has_socks: bool = True) -> dict[str, str]:
    environ = dict(variables)
    NetworkVariables.of(environ, {}, has_socks=has_socks).apply(environ)
    return environ


def use_all_libraries() -> None:
    """As Gradio, huggingface_hub and the downloads do; raises whatever they raise."""
    httpx.Client().close()
    httpx2.Client().close()
    for url in ("http://192.0.2.1/", "https://huggingface.co/", "http://[2001:db8::1]/"):
        with requests.Session() as session:
            found = session.merge_environment_settings(url, {}, True, None, None)
            request = session.prepare_request(requests.Request("GET", url))
            adapter = session.get_adapter(url)
            adapter.get_connection_with_tls_context(request, True, found["proxies"])  # type: ignore[attr-defined]


@pytest.mark.parametrize("name", ["ALL_PROXY", "https_proxy", "HTTP_PROXY"])
@pytest.mark.parametrize("value", UNREADABLE)
def test_a_proxy_that_some_library_can_not_read_is_rewritten_or_left_out_and_said(
    name: str, value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = NetworkVariables.of({name: value}, {}, has_socks=True)
    monkeypatch.setenv(name, value)
    found.apply(os.environ)
    use_all_libraries()
    assert set(found.changes) == {name}
    assert bool(found.problems) is (name not in os.environ)
    assert all(name in problem for problem in found.problems)


@pytest.mark.parametrize(
    ("value", "usable"),
    [
        ("socks://127.0.0.1:7891/", "socks5h://127.0.0.1:7891"),
        ("SOCKS5://me:p@ss@h:1", "socks5://me:p%40ss@h:1"),
        ("http://u:p#s@h:1", "http://u:p%23s@h:1"),
        ("http://u:p%23s@h:1/", "http://u:p%23s@h:1"),
        ("localhost:7890", "http://localhost:7890"),
        ("'http://127.0.0.1:1'", "http://127.0.0.1:1"),
        ("https://[::1]:8080", "https://[::1]:8080"),
    ],
)
def test_what_can_be_said_in_other_words_is(value: str, usable: str) -> None:
    assert mended({"ALL_PROXY": value}) == {"ALL_PROXY": usable}


def test_what_all_libraries_read_stays_as_it_is() -> None:
    plain = {"HTTPS_PROXY": "http://u:p@proxy.lan:3128", "all_proxy": "socks5://127.0.0.1:1080", "NO_PROXY": "a.b,::1"}
    assert NetworkVariables.of(plain, {}, has_socks=True) == NetworkVariables()
    assert NetworkVariables.of({"HTTP_PROXY": "", "http_proxy_note": "socks://x"}, {}) == NetworkVariables()


def test_socks_needs_its_libraries() -> None:
    found = NetworkVariables.of({"ALL_PROXY": "socks://h:1"}, {}, has_socks=False)
    assert found.changes == {"ALL_PROXY": ""}
    assert "pip install -r requirements.txt" in found.problems[0]


def test_no_password_is_in_a_sentence() -> None:
    for value in ("socks4://me:secret@h:1", "http://me:secret@h:port", "me:secret@", "quic://secret@h:1"):
        found = NetworkVariables.of({"ALL_PROXY": value}, {}, has_socks=True)
        assert found.problems
        assert "secret" not in " ".join(found.problems)


@pytest.mark.parametrize("value", EXCEPTIONS)
def test_a_place_that_some_library_can_not_read_is_rewritten_or_left_out_and_said(
    value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    variables = {"HTTP_PROXY": PROXY, "NO_PROXY": f"localhost, {value}"}
    for name, mended_value in mended(variables).items():
        monkeypatch.setenv(name, mended_value)
    use_all_libraries()
    found = NetworkVariables.of(variables, {}, has_socks=True)
    assert bool(found.problems) is ("::1]" not in value)


def test_places_keep_their_meaning() -> None:
    value = " localhost;127.0.0.0/8 [::1],*.lan .corp  fe80::/10,example.com:8080"
    found = NetworkVariables.of({"no_proxy": value}, {}, has_socks=True)
    assert found.changes == {"no_proxy": "localhost,127.0.0.0/8,::1,.lan,.corp,example.com:8080"}
    assert len(found.problems) == 1
    assert "fe80::/10" in found.problems[0]
    assert mended({"NO_PROXY": "a,*"}) == {"NO_PROXY": "*"}


@checked(max_examples=20, deadline=None)
@given(st.text(alphabet="abc:/@[]%#?.*,; 019-_\\\"'sockhtp代", max_size=24), st.sampled_from(["ALL_PROXY", "NO_PROXY"]))
def test_no_text_whatever_stops_a_library(text: str, name: str) -> None:
    for value in (text, f"socks://{text}", f"http://{text}"):
        with pytest.MonkeyPatch.context() as patch:
            for key, mended_value in mended({"HTTP_PROXY": PROXY, name: value}).items():
                patch.setenv(key, mended_value)
            use_all_libraries()


def test_the_systems_own_proxies_are_looked_at_where_no_variable_names_one() -> None:
    """Windows names a SOCKS proxy socks4://, which httpx refuses."""
    system = {"http": "http://127.0.0.1:7890", "https": "socks4://127.0.0.1:7891", "ftp": "http://127.0.0.1:7890"}
    found = NetworkVariables.of({}, system, has_socks=True)
    assert found.changes == {"HTTP_PROXY": "http://127.0.0.1:7890", "NO_PROXY": "localhost,127.0.0.1,::1"}
    assert "socks4://127.0.0.1:7891" in found.problems[0]
    assert NetworkVariables.of({"ALL_PROXY": PROXY}, system, has_socks=True) == NetworkVariables()
    assert NetworkVariables.of({}, {"http": PROXY}, has_socks=True) == NetworkVariables()


def test_certificates_and_numbers_that_end_an_import_are_left_out(tmp_path: Path) -> None:
    (tmp_path / "empty.pem").write_text("no certificate")
    variables = {
        "SSL_CERT_FILE": str(tmp_path / "gone.pem"),
        "SSLKEYLOGFILE": str(tmp_path / "gone" / "keys"),
        "HF_HUB_DOWNLOAD_TIMEOUT": "10s",
        "HF_HUB_ETAG_TIMEOUT": "20",
    }
    assert mended(variables) == {"HF_HUB_ETAG_TIMEOUT": "20"}
    assert mended({"SSL_CERT_FILE": str(tmp_path / "empty.pem")}) == {}
    assert len(NetworkVariables.of(variables, {}).problems) == 3


@pytest.fixture
def environ(tmp_path: Path) -> dict[str, str]:
    return {
        **os.environ,
        "TTS_STUDIO_DATA_DIR": str(tmp_path),
        "ALL_PROXY": "socks4://127.0.0.1:7891",
        "NO_PROXY": "[::1],fe80::/10",
        "SSL_CERT_FILE": str(tmp_path / "gone.pem"),
        "HF_ENDPOINT": "http://192.168.1.5:8090",
        "TTS_STUDIO_SOURCES": "nobody",
        "TTS_STUDIO_YOURTTS_URL": "http://192.168.1.5/m.zip",
    }


@pytest.mark.slow
def test_the_whole_application_is_built_in_such_an_environment(environ: dict[str, str]) -> None:
    """In another process: Gradio reads its environment when it is imported, once."""
    code = (
        "import os; from tts_core.cli.serve.studio import build_app; from tts_core.services import build_services;"
        "from tts_core.platform.settings.studio import Settings; settings = Settings.from_env(os.environ);"
        "settings.network.apply(os.environ); build_app(build_services(settings)); print('built')"
    )
    ended = subprocess.run(
        [sys.executable, "-c", code], check=False, cwd=ROOT, env=environ, capture_output=True, text=True
    )
    assert ended.stdout.endswith("built\n"), ended.stderr


@pytest.mark.slow
def test_only_downloads_stop_where_a_source_can_not_be_used(environ: dict[str, str], tmp_path: Path) -> None:
    def command(*arguments: str) -> subprocess.CompletedProcess[str]:
        line = [sys.executable, "-m", "tts_core", *arguments]
        return subprocess.run(line, check=False, cwd=ROOT, env=environ, capture_output=True, text=True)

    assert command("speak", "Hello.", "--out", str(tmp_path / "hello.wav")).returncode == 0
    refused = command("download", "tokenizer_12hz")
    assert refused.returncode != 0
    assert "HF_ENDPOINT='http://192.168.1.5:8090' can't be used" in refused.stderr


def test_what_can_not_be_used_is_in_the_settings(environ: dict[str, str]) -> None:
    settings = Settings.from_env(environ)
    assert [problem.params["name"] for problem in settings.source_problems] == [
        "HF_ENDPOINT",
        "TTS_STUDIO_SOURCES",
        "TTS_STUDIO_YOURTTS_URL",
    ]
    assert len(settings.network.problems) == 3
