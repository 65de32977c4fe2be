"""REST as it is served, and clients of different manners."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from tests.serving import serving
from tts_core.api.server import create_api
from tts_core.platform.logs import setup_logging
from tts_core.platform.settings.studio import Settings
from tts_core.services import Services, build_services

API = "/api/tts/qwen3"


@dataclass(frozen=True)
class RunningApi:
    url: str
    services: Services


@pytest.fixture(scope="session")
def api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningApi]:
    """One server for all tests that leave it as it was."""
    settings = Settings.from_env({"TTS_STUDIO_DATA_DIR": str(tmp_path_factory.mktemp("api"))})
    services = build_services(settings)
    with serving(create_api(services)) as url:
        yield RunningApi(url, services)
    services.close()


@pytest.fixture
def client(api: RunningApi) -> Iterator[httpx.Client]:
    with client_of(api.url) as client:
        yield client


@pytest.fixture
def log_file(tmp_path: Path, log_handlers_put_back: None) -> Path:
    """The log as the app writes it."""
    setup_logging(tmp_path / "studio.log", console=False)
    return tmp_path / "studio.log"


def client_of(url: str) -> httpx.Client:
    """A client that ignores proxies of the environment and waits for slow machines."""
    return httpx.Client(base_url=url, timeout=120, trust_env=False)
