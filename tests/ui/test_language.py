"""Which page a browser gets."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from concurrent.futures import ThreadPoolExecutor

import pytest

from tts_core.ui.language import COOKIE, LanguageRedirect, preferred_language


@pytest.mark.parametrize(
    ("accepts", "expected"),
    [
        ("zh-CN,zh;q=0.9,en;q=0.8", "zh"),
        ("en-US,en;q=0.9,zh;q=0.8", "en"),
        ("de,zh;q=0.5,en;q=0.4", "zh"),
        ("en;q=0.1,zh-TW;q=0.9", "zh"),
        ("fr", "en"),
        ("", "en"),
        ("zh;q=bad,en", "en"),
    ],
)
def test_the_browsers_first_known_language_wins(accepts: str, expected: str) -> None:
    assert preferred_language("", accepts) == expected


def test_a_remembered_choice_wins_over_the_browser() -> None:
    assert preferred_language(f"a=b; {COOKIE}=en", "zh-CN") == "en"
    assert preferred_language(f"{COOKIE}=klingon", "zh-CN") == "zh"


class Sent(list[dict[str, object]]):
    async def __call__(self, message: dict[str, object]) -> None:
        self.append(message)


async def open_page(path: str = "/", query: str = "", root: str = "", **headers: str) -> dict[bytes, bytes] | None:
    """The redirect's headers, or None when the request went through."""
    passed = []

    async def app(scope: object, receive: object, send: object) -> None:
        passed.append(scope)

    raw = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
    scope = {"type": "http", "path": root + path, "root_path": root, "query_string": query.encode(), "headers": raw}
    sent = Sent()
    await LanguageRedirect(app)(scope, None, sent)  # type: ignore[arg-type]
    return None if passed else dict(sent[0]["headers"])  # type: ignore[call-overload]


def run(coroutine: Coroutine[None, None, dict[bytes, bytes] | None]) -> dict[bytes, bytes] | None:
    """In a thread of its own: a browser that other tests opened keeps an event loop in this one."""
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(asyncio.run, coroutine).result()


def test_a_chinese_browser_is_sent_to_the_chinese_page() -> None:
    headers = run(open_page(accept="text/html", accept_language="zh-CN"))
    assert headers is not None
    assert headers[b"location"] == b"./zh/"


@pytest.mark.parametrize(
    ("query", "headers", "location"),
    [
        ("tab=models", {"accept_language": "zh"}, b"./zh/?tab=models"),
        ("voice=library%2Fa%20b&x=", {"cookie": f"{COOKIE}=zh"}, b"./zh/?voice=library%2Fa+b&x="),
        ("lang=zh&tab=models", {}, b"./zh/?tab=models"),
        ("tab=system&lang=en", {"accept_language": "zh"}, b"./?tab=system"),
        ("lang=klingon&tab=system", {"accept_language": "zh"}, b"./zh/?tab=system"),
    ],
)
def test_a_link_into_the_page_leads_there_in_each_language(
    query: str, headers: dict[str, str], location: bytes
) -> None:
    redirect = run(open_page(query=query, accept="text/html", **headers))
    assert redirect is not None
    assert redirect[b"location"] == location


@pytest.mark.parametrize(
    ("query", "location"),
    [
        ("lang=zh&to=", b"./login?to=zh"),
        ("lang=en&to=zh", b"./login?to="),
        ("lang=zh&to=docs", b"./login?to=docs"),
        ("lang=en&to=%22%3E%0D%0AX", b"./login?to=%22%3E%0D%0AX"),
    ],
)
def test_the_language_of_the_log_in_page_is_that_of_the_page_after_it(query: str, location: bytes) -> None:
    headers = run(open_page("/login", query=query, accept="text/html"))
    assert headers is not None
    assert headers[b"location"] == location
    assert headers[b"set-cookie"].startswith(f"{COOKIE}={query[5:7]};".encode())
    assert run(open_page("/login", query="to=zh", accept="text/html", accept_language="zh")) is None


def test_programs_and_other_pages_are_never_redirected() -> None:
    assert run(open_page(accept="*/*", accept_language="zh-CN")) is None
    assert run(open_page("/zh/", accept="text/html", accept_language="en")) is None
    assert run(open_page("/api/x", accept="text/html", accept_language="zh")) is None


def test_the_chinese_page_is_found_without_its_slash() -> None:
    headers = run(open_page("/zh", query="__theme=dark", accept="*/*"))
    assert headers is not None
    assert headers[b"location"] == b"./zh/?__theme=dark"


def test_the_switch_is_remembered_and_works_behind_a_proxy_path() -> None:
    headers = run(open_page(query="lang=en", root="/tts", accept="text/html", accept_language="zh"))
    assert headers is not None
    assert headers[b"location"] == b"./"
    assert headers[b"set-cookie"].startswith(f"{COOKIE}=en;".encode())
