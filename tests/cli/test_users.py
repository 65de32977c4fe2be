"""`users` and `keys` as people type them."""

from __future__ import annotations

import io
from pathlib import Path

import pytest

from tts_core.access.accounts import AccountsFile
from tts_core.access.passwords import fits
from tts_core.access.visitor import Role
from tts_core.cli.main import main
from tts_core.cli.status import Exit


@pytest.fixture
def accounts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AccountsFile:
    monkeypatch.setenv("TTS_STUDIO_DATA_DIR", str(tmp_path))
    return AccountsFile(tmp_path / "accounts.json")


def type_in(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO(text))


def test_a_user_comes_changes_the_password_and_goes(
    accounts: AccountsFile, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    type_in(monkeypatch, "correct horse\n")
    assert main(["users", "add", "Anna", "--role", "admin"]) is Exit.DONE
    type_in(monkeypatch, "battery staple\n")
    assert main(["users", "password", "anna"]) is Exit.DONE
    user = accounts.read().user("Anna")
    assert user is not None
    assert (user.role, fits("battery staple", user.password), fits("correct horse", user.password)) == (
        Role.ADMIN,
        True,
        False,
    )
    capsys.readouterr()
    assert main(["users", "list"]) is Exit.DONE
    assert capsys.readouterr().out.split()[::2] == ["admin", "Anna"]
    assert main(["users", "remove", "Anna"]) is Exit.DONE
    assert accounts.read().users == ()


def test_a_key_is_shown_once(accounts: AccountsFile, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["keys", "add", "editor"]) is Exit.DONE
    secret = capsys.readouterr().out.strip()
    key = accounts.read().key(secret)
    assert key is not None
    assert (key.name, key.role) == ("editor", Role.GUEST)
    assert main(["keys", "list"]) is Exit.DONE
    shown = capsys.readouterr().out
    assert key.id in shown
    assert secret not in shown
    assert main(["keys", "remove", key.id]) is Exit.DONE
    assert accounts.read().key(secret) is None


def test_what_is_refused_is_one_line(
    accounts: AccountsFile, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    type_in(monkeypatch, "short\n")
    assert main(["users", "add", "Anna"]) is Exit.ERROR
    assert capsys.readouterr().err.strip().endswith("[invalid_account]")
    assert main(["users", "remove", "Anna"]) is Exit.ERROR
    assert capsys.readouterr().err.strip().endswith("[unknown_user]")
    assert not accounts.file.exists()
