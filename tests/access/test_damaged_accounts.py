"""A start beside a damaged file of accounts: it goes on where nobody has to log in, else it ends in words."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.api.conftest import client_of
from tests.serving import serving
from tts_core.api.server import create_api
from tts_core.cli.serve import studio as app
from tts_core.platform.settings.studio import Settings
from tts_core.services import Services, build_services


@pytest.fixture
def damaged(tmp_path: Path) -> Path:
    """The file in a data folder of its own."""
    file = tmp_path / "accounts.json"
    file.write_text('{"users": [', encoding="utf-8")
    return file


@pytest.fixture
def services(damaged: Path) -> Iterator[Services]:
    services = build_services(Settings.from_env({"TTS_STUDIO_DATA_DIR": str(damaged.parent)}))
    yield services
    services.close()


@pytest.mark.parametrize("arguments", [["--auth"], ["--share"], ["--no-auth", "--share"], ["--host", "0.0.0.0"]])
def test_where_people_log_in_the_start_ends_in_words(
    damaged: Path, arguments: list[str], capsys: pytest.CaptureFixture[str], log_handlers_put_back: None
) -> None:
    before = damaged.read_bytes()
    assert app.main(["--data-dir", str(damaged.parent), *arguments]) == 2
    told = capsys.readouterr().err
    assert (str(damaged) in told, told.rstrip().endswith("[accounts_unusable]")) == (True, True)
    assert "Traceback" not in told
    assert damaged.read_bytes() == before


def test_on_this_machine_the_studio_starts_and_says_what_is_wrong(
    damaged: Path, services: Services, caplog: pytest.LogCaptureFixture
) -> None:
    services.check_accounts(services.settings)
    services.start()
    assert [record.levelname for record in caplog.records if str(damaged) in record.message] == ["WARNING"]
    assert app.may_have_guests(services), "the file may be restored while the studio runs"
    with serving(create_api(services)) as url, client_of(url) as client:
        assert client.get("/api/jobs").status_code == 200
        assert client.get("/api/jobs", headers={"X-Forwarded-For": "203.0.113.7"}).status_code == 401
