"""Requests that once held everybody up for many seconds: what each costs this process, in processor time."""

from __future__ import annotations

import time
from typing import Any

import httpx
import pytest

from tests.api.conftest import API
from tts_core.platform.settings.studio import Limits

MOST_S = 3.0
"""Each took ten or more of an idle processor, or had no end."""
MOST_CHARS = Limits().max_text_chars


def cost(client: httpx.Client, body: dict[str, Any], status: int) -> float:
    started = time.process_time()
    answer = client.post(f"{API}/synthesize", json={"voice_id": "builtin/aria", **body})
    assert answer.status_code == status, answer.text
    return time.process_time() - started


@pytest.fixture(autouse=True)
def loaded(client: httpx.Client) -> None:
    """What the first request loads is no part of a later one's cost."""
    cost(client, {"text": "Hello."}, 200)


@pytest.mark.parametrize("mark", ["؟", "।", "۔", "։", "."])
def test_a_text_of_marks_is_spoken_at_once(client: httpx.Client, mark: str) -> None:
    assert cost(client, {"text": mark * (MOST_CHARS - 1) + "x"}, 200) < MOST_S


def test_a_name_of_a_million_characters_is_no_language(client: httpx.Client) -> None:
    assert cost(client, {"text": "Hello.", "language": "a-" * 450_000}, 422) < MOST_S


@pytest.mark.parametrize("value", ['a="' + "\\" * 60_000 + '"', 'a="' + '\\"' * 30_000 + '"'])
def test_a_cookie_is_read_at_once(client: httpx.Client, value: str) -> None:
    started = time.process_time()
    assert client.get("/health", headers={"Cookie": value}).status_code == 200
    assert time.process_time() - started < MOST_S


def test_a_word_of_suffixes_is_spoken(client: httpx.Client) -> None:
    """It ended the whole process."""
    assert cost(client, {"text": "'s" * 150}, 200) < MOST_S
