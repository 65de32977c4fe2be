"""Which addresses are this machine's own, and which are counted together."""

from __future__ import annotations

import pytest

from tts_core.platform.addresses import counted_address, is_this_machine


@pytest.mark.parametrize(
    "address", ["127.0.0.1", "127.8.8.8", "::1", "0:0:0:0:0:0:0:1", "::ffff:127.0.0.1", "::FFFF:7f00:1"]
)
def test_this_machine(address: str) -> None:
    assert is_this_machine(address)


@pytest.mark.parametrize(
    "address",
    [
        "",
        "localhost",
        "unix",
        "192.168.1.7",
        "::ffff:192.168.1.7",
        "::",
        "0.0.0.0",
        "127.1",
        "2130706433",
        "::127.0.0.1",
    ],
)
def test_nobody_else(address: str) -> None:
    assert not is_this_machine(address)


@pytest.mark.parametrize(
    ("one", "other", "together"),
    [
        ("2001:db8:1:2::1", "2001:db8:1:2:ffff::9", True),
        ("2001:db8:1:2::1", "2001:db8:1:3::1", False),
        ("203.0.113.7", "203.0.113.8", False),
        ("203.0.113.7", "::ffff:203.0.113.7", True),
        ("::ffff:203.0.113.7", "::ffff:203.0.113.8", False),
        ("fe80::1%eth0", "fe80::2%eth0", True),
        ("", "203.0.113.7", False),
    ],
)
def test_who_has_an_ipv6_network_is_counted_once(one: str, other: str, together: bool) -> None:
    assert (counted_address(one) == counted_address(other)) is together
