"""The file of users and keys: what it holds, who may read it, and that nobody's change gets lost."""

from __future__ import annotations

import json
import os
import stat
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from tts_core.access.accounts import Accounts, AccountsFile
from tts_core.access.faults import AccountsUnusable, InvalidAccount, UnknownKey, UnknownUser, UserExists
from tts_core.access.visitor import Role

PASSWORD = "correct horse"


@pytest.fixture
def file(tmp_path: Path) -> AccountsFile:
    return AccountsFile(tmp_path / "data" / "accounts.json")


def test_no_file_is_nobody(file: AccountsFile) -> None:
    assert file.read() == Accounts()


def test_it_holds_neither_passwords_nor_keys(file: AccountsFile) -> None:
    file.add_user("Anna", PASSWORD, Role.ADMIN)
    key, secret = file.add_key("program", Role.GUEST)
    text = file.file.read_text(encoding="utf-8")
    assert PASSWORD not in text
    assert secret not in text
    assert "$argon2id$" in text
    found = AccountsFile(file.file).read()
    assert found.key(secret) == key
    assert found.key(secret + "x") is None
    assert [(user.name, user.role) for user in found.users] == [("Anna", Role.ADMIN)]


@pytest.mark.skipif(os.name == "nt", reason="Windows keeps other files' rights")
def test_only_its_owner_reads_it(file: AccountsFile) -> None:
    file.add_user("Anna", PASSWORD, Role.ADMIN)
    assert stat.S_IMODE(file.file.stat().st_mode) == 0o600


def test_a_change_by_another_process_counts_at_once(file: AccountsFile) -> None:
    file.add_user("Anna", PASSWORD, Role.ADMIN)
    assert file.read().user("anna") is not None
    AccountsFile(file.file).remove_user("ANNA")
    assert file.read().user("anna") is None


def test_changes_at_once_all_count(file: AccountsFile) -> None:
    makers = [threading.Thread(target=AccountsFile(file.file).add_key, args=(f"k{i}", Role.GUEST)) for i in range(8)]
    for maker in makers:
        maker.start()
    for maker in makers:
        maker.join()
    assert {key.name for key in file.read().keys} == {f"k{i}" for i in range(8)}
    assert [path.name for path in file.file.parent.iterdir() if path.suffix == ".part"] == []


def test_what_cant_be_done_says_why(file: AccountsFile) -> None:
    file.add_user("Anna", PASSWORD, Role.GUEST)
    with pytest.raises(UserExists):
        file.add_user("anna", PASSWORD, Role.ADMIN)
    with pytest.raises(InvalidAccount):
        file.add_user("Bea", "short", Role.ADMIN)
    with pytest.raises(InvalidAccount):
        file.add_user("<b>", PASSWORD, Role.ADMIN)
    with pytest.raises(UnknownUser):
        file.set_password("nobody", PASSWORD)
    with pytest.raises(UnknownKey):
        file.remove_key("00000000")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        "null",
        "[" * 100_000,
        '{"users": {}}',
        '{"users": "", "keys": []}',
        '{"users": null}',
        '{"accounts": [], "users": []}',
        '{"users": [{"name": "Anna"}]}',
        '{"users": [{"name": 1, "role": "admin", "password": "", "created_at": ""}]}',
        '{"users": [{"name": "Anna", "role": "owner", "password": "", "created_at": ""}]}',
        '{"users": [{"name": "Anna", "role": "admin", "password": "ä", "created_at": ""}]}',
        '{"users": [{"name": "\\ud800", "role": "admin", "password": "", "created_at": ""}]}',
        '{"keys": [{"id": "1", "name": "x", "role": "guest", "sha256": "ä", "created_at": ""}]}',
    ],
)
def test_a_broken_file_lets_nobody_in_and_is_left_as_it_is(file: AccountsFile, text: str) -> None:
    file.file.parent.mkdir()
    file.file.write_text(text, encoding="utf-8")
    with pytest.raises(AccountsUnusable):
        file.read()
    with pytest.raises(AccountsUnusable):
        file.add_user("Anna", PASSWORD, Role.ADMIN)
    assert file.file.read_text(encoding="utf-8") == text


def check_unusable(file: AccountsFile) -> None:
    with pytest.raises(AccountsUnusable):
        file.read()
    for change in (
        lambda: file.add_user("Bea", PASSWORD, Role.ADMIN),
        lambda: file.remove_user("Anna"),
        lambda: file.add_key("program", Role.GUEST),
    ):
        with pytest.raises(AccountsUnusable):
            change()


def test_half_a_file_is_left_as_it_is_and_counts_again_when_it_is_whole(file: AccountsFile) -> None:
    file.add_user("Anna", PASSWORD, Role.ADMIN)
    whole = file.file.read_bytes()
    half = whole[: len(whole) // 2]
    file.file.write_bytes(half)
    check_unusable(file)
    assert file.file.read_bytes() == half
    file.file.write_bytes(whole)
    assert file.read().user("Anna") is not None


@pytest.mark.skipif(os.name == "nt", reason="Windows makes room for all of it")
def test_a_file_of_any_size_costs_no_memory(file: AccountsFile) -> None:
    file.file.parent.mkdir()
    with file.file.open("wb") as huge:
        huge.truncate(10**12)
    check_unusable(file)
    assert file.file.stat().st_size == 10**12


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such files")
@pytest.mark.parametrize("make", [os.mkdir, os.mkfifo], ids=["folder", "pipe"])
def test_what_is_no_ordinary_file_is_neither_read_nor_replaced(
    file: AccountsFile, make: Callable[[Path], None]
) -> None:
    file.file.parent.mkdir()
    make(file.file)
    before = file.file.stat()
    check_unusable(file)
    assert (file.file.stat().st_mode, file.file.stat().st_ino) == (before.st_mode, before.st_ino)


def test_a_key_can_be_taken_back(file: AccountsFile) -> None:
    key, secret = file.add_key("program", Role.ADMIN)
    file.remove_key(key.id)
    assert file.read().key(secret) is None
    assert json.loads(file.file.read_text(encoding="utf-8"))["keys"] == []
