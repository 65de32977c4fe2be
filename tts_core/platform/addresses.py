"""Clients' addresses: whether one is this machine's own, and the network its requests are counted with."""

from __future__ import annotations

import ipaddress

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
IPV6_HOME_BITS = 64
"""The bits of an IPv6 address that name its network; a client that has one such network has all its addresses."""


def parsed(text: str) -> Address | None:
    """The address that `text` writes; None where it is none, such as a name or the path of a socket file.

    An IPv4 address written as an IPv6 one, as a server that listens on "::" sees it, is that IPv4 address in every
    version of Python.
    """
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address


def is_this_machine(text: str) -> bool:
    """Whether `text` is a loopback address; a text that is no address counts as another machine's."""
    address = parsed(text)
    return address is not None and address.is_loopback


def counted_address(text: str) -> str:
    """The address or, for an IPv6 one, its network; a text that is no address is counted as it stands."""
    address = parsed(text)
    if isinstance(address, ipaddress.IPv6Address):
        return str(ipaddress.ip_network((int(address), IPV6_HOME_BITS), strict=False))
    return text if address is None else str(address)
