"""Who somebody is: sessions end when they should, guessing costs time, and visitors leave room for each other."""

from __future__ import annotations

from pathlib import Path

import pytest

from tts_core.access.accounts import AccountsFile, User
from tts_core.access.attempts import FORGET_S, LONGEST_WAIT_S, Attempts
from tts_core.access.faults import (
    GuestsWaiting,
    TooManyAtOnce,
    TooManyAttempts,
    TooManyRequests,
    WrongKey,
    WrongPassword,
)
from tts_core.access.login import FREE_AT_ADDRESS, LoginRule, LoginService
from tts_core.access.quotas import Quota, Quotas
from tts_core.access.sessions import MAX_OF_ONE, SESSION_S, Sessions
from tts_core.access.visitor import OWNER, Role, Visitor

PASSWORD, OTHER = "correct horse", "battery staple"
HERE, THERE = "127.0.0.1", "203.0.113.7"


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def file(tmp_path: Path) -> AccountsFile:
    file = AccountsFile(tmp_path / "accounts.json")
    file.add_user("Anna", PASSWORD, Role.ADMIN)
    return file


@pytest.fixture
def login(file: AccountsFile) -> LoginService:
    return LoginService(file, LoginRule.ALL)


def test_a_password_begins_a_session_that_a_log_out_ends(login: LoginService) -> None:
    token = login.log_in("anna", PASSWORD, HERE)
    visitor = login.by_session(token, HERE)
    assert visitor is not None
    assert (visitor.name, visitor.role) == ("Anna", Role.ADMIN)
    login.log_out(token)
    assert login.by_session(token, HERE) is None


@pytest.mark.parametrize("name", ["Anna", "nobody"])
def test_a_wrong_password_and_an_unknown_name_say_the_same(login: LoginService, name: str) -> None:
    with pytest.raises(WrongPassword):
        login.log_in(name, OTHER, HERE)


def test_a_new_password_and_a_removal_end_sessions(file: AccountsFile, login: LoginService) -> None:
    token = login.log_in("Anna", PASSWORD, HERE)
    AccountsFile(file.file).set_password("Anna", OTHER)
    assert login.by_session(token, HERE) is None
    token = login.log_in("Anna", OTHER, HERE)
    AccountsFile(file.file).remove_user("Anna")
    assert login.by_session(token, HERE) is None


def test_an_account_of_this_run_is_written_nowhere(file: AccountsFile, login: LoginService) -> None:
    before = file.file.read_bytes()
    login.add("guest", OTHER, Role.GUEST)
    token = login.log_in("guest", OTHER, HERE)
    visitor = login.by_session(token, HERE)
    assert visitor is not None
    assert visitor.is_guest
    login.remove("guest")
    assert login.by_session(token, HERE) is None
    assert file.file.read_bytes() == before


def test_a_broken_file_of_accounts_ends_sessions(file: AccountsFile, login: LoginService) -> None:
    token = login.log_in("Anna", PASSWORD, HERE)
    file.file.write_text("{", encoding="utf-8")
    assert login.by_session(token, HERE) is None
    with pytest.raises(WrongPassword):
        login.log_in("Anna", PASSWORD, HERE)


def test_a_broken_file_is_told_once_and_again_after_it_was_whole(
    file: AccountsFile, login: LoginService, caplog: pytest.LogCaptureFixture
) -> None:
    whole = file.file.read_bytes()
    for _ in range(2):
        file.file.write_text("{", encoding="utf-8")
        for _ in range(3):
            assert login.of_key("tts-any") is None
        file.file.write_bytes(whole)
        login.of_key("tts-any")
    assert len([line for line in caplog.messages if str(file.file) in line]) == 2


def test_attempts_of_one_ipv6_network_are_counted_together(file: AccountsFile) -> None:
    login = LoginService(file, LoginRule.ALL, Clock())
    for host in range(FREE_AT_ADDRESS + 1):
        with pytest.raises(WrongPassword):
            login.log_in(f"name {host}", OTHER, f"2001:db8::{host:x}")
    with pytest.raises(TooManyAttempts):
        login.log_in("Anna", PASSWORD, "2001:db8::ffff")
    assert login.log_in("Anna", PASSWORD, "2001:db8:0:1::1")
    assert login.without_login("2001:db8::1") == login.without_login("2001:db8::2")


def test_wrong_keys_and_passwords_of_one_address_are_counted_together(file: AccountsFile) -> None:
    login = LoginService(file, LoginRule.ALL, Clock())
    _, secret = file.add_key("program", Role.GUEST)
    for _ in range(FREE_AT_ADDRESS):
        with pytest.raises(WrongKey):
            login.by_key("tts-wrong", THERE)
    assert login.by_key(secret, THERE).is_guest
    with pytest.raises(WrongKey):
        login.by_key("tts-wrong", THERE)
    with pytest.raises(TooManyAttempts) as refused:
        login.log_in("Anna", PASSWORD, THERE)
    assert int(str(refused.value.params["retry_after_s"])) > 0
    with pytest.raises(TooManyAttempts):
        login.by_key(secret, THERE)
    assert login.by_key(secret, HERE).name == "program", "other addresses don't wait"


@pytest.mark.parametrize(
    ("whom", "here", "there"),
    [(LoginRule.ALL, True, True), (LoginRule.OTHERS, False, True), (LoginRule.NOBODY, False, False)],
)
def test_who_has_to_log_in(file: AccountsFile, whom: LoginRule, here: bool, there: bool) -> None:
    login = LoginService(file, whom)
    assert (login.needs_login(HERE), login.needs_login(THERE)) == (here, there)
    assert login.needs_login("::1") is here


def test_without_log_ins_only_the_owner_is_not_counted(login: LoginService) -> None:
    assert login.without_login(HERE) == OWNER
    assert login.without_login(THERE).counted_as
    assert login.without_login("").counted_as


def test_each_attempt_beyond_the_free_ones_waits_longer() -> None:
    clock = Clock()
    throttle = Attempts(clock)
    waits = []
    for _ in range(12):
        throttle.begin("x", 2)
        started = clock.now
        while True:
            try:
                throttle.check("x")
                break
            except TooManyAttempts as refused:
                clock.now += float(str(refused.params["retry_after_s"]))
        waits.append(clock.now - started)
    assert waits == [0, 0, 1, 2, 4, 8, 16, 32, 64, 128, 256, LONGEST_WAIT_S]
    clock.now += FORGET_S + 1
    throttle.begin("x", 2)
    throttle.check("x")


def test_many_attempts_at_once_gain_nothing() -> None:
    throttle = Attempts(Clock())
    for _ in range(3):
        throttle.begin("x", 2)  # none of them has failed yet
    with pytest.raises(TooManyAttempts):
        throttle.begin("x", 2)


def test_sessions_end_by_themselves_and_are_bounded() -> None:
    clock = Clock()
    sessions = Sessions(clock)
    token = sessions.begin(User("Anna", Role.ADMIN, "", ""))
    clock.now += SESSION_S - 1
    assert sessions.find(token) is not None
    clock.now += 1
    assert sessions.find(token) is None


def test_one_accounts_sessions_end_none_of_others() -> None:
    sessions = Sessions()
    token = sessions.begin(User("Anna", Role.ADMIN, "", ""))
    many = [sessions.begin(User("Gast", Role.GUEST, "", "")) for _ in range(MAX_OF_ONE + 1)]
    assert sessions.find(token) is not None
    assert [sessions.find(one) is not None for one in (many[0], many[1], many[-1])] == [False, True, True]


def test_uploads_a_minute_are_counted_apart() -> None:
    quotas = Quotas({Role.GUEST: Quota(requests=9, works=9, at_once=9, uploads=1)}, clock=Clock())
    guest = Visitor("Gast", Role.GUEST, "session 1")
    quotas.upload(guest)
    with pytest.raises(TooManyRequests):
        quotas.upload(guest)
    quotas.ask(guest)


def test_to_log_in_again_gains_nothing_and_gives_no_files_of_another_login(
    file: AccountsFile, login: LoginService
) -> None:
    file.add_user("Gast", PASSWORD, Role.GUEST)
    one, again = (login.by_session(login.log_in(name, PASSWORD, THERE), THERE) for name in ("Gast", "gast"))
    elsewhere = login.by_session(login.log_in("Gast", PASSWORD, HERE), HERE)
    assert one is not None
    assert again is not None
    assert elsewhere is not None
    assert one.counted_as == again.counted_as != elsewhere.counted_as
    assert len({one.login, again.login, elsewhere.login}) == 3


def test_requests_a_minute_are_counted_for_each_visitor() -> None:
    clock = Clock()
    quotas = Quotas({Role.GUEST: Quota(requests=2, works=1, at_once=1)}, clock=clock)
    one, two = (Visitor(name, Role.GUEST, name) for name in ("one", "two"))
    quotas.ask(one)
    quotas.ask(one)
    with pytest.raises(TooManyRequests) as refused:
        quotas.ask(one)
    quotas.ask(two)
    clock.now += float(str(refused.value.params["retry_after_s"]))
    quotas.ask(one)
    for _ in range(5000):
        quotas.ask(OWNER)


def test_works_at_once_are_counted_for_each_visitor_and_for_all_guests() -> None:
    quotas = Quotas({role: Quota(requests=9, works=9, at_once=2) for role in Role}, guests_at_once=3)
    one, two, admin = Visitor("", Role.GUEST, "1"), Visitor("", Role.GUEST, "2"), Visitor("", Role.ADMIN, "3")
    with quotas.work(one), quotas.work(one):
        with pytest.raises(TooManyAtOnce), quotas.work(one):
            pass
        with quotas.work(two), pytest.raises(GuestsWaiting), quotas.work(two):
            pass
        with quotas.work(admin):
            pass
    with quotas.work(one):
        pass
