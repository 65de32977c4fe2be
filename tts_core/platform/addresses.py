"""What the address of a client says: whether it is this machine's own, and with which others it is counted."""

from __future__ import annotations

import ipaddress

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
IPV6_HOME_BITS = 64
"""Of an IPv6 address name the network; whoever has one such network has all of its addresses."""


def parsed(text: str) -> Address | None:
    """The address; None for what is none, as a name or a socket file's. An IPv4 address written as an IPv6 one, as a
    server that listens on "::" sees it, is that IPv4 address, whatever the version of Python makes of it."""
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address


def is_this_machine(text: str) -> bool:
    """A loopback address. What is no address is somebody else's."""
    address = parsed(text)
    return address is not None and address.is_loopback


def counted_address(text: str) -> str:
    """The address or, of an IPv6 one, its network. What is no address is counted as it stands."""
    address = parsed(text)
    if isinstance(address, ipaddress.IPv6Address):
        return str(ipaddress.ip_network((int(address), IPV6_HOME_BITS), strict=False))
    return text if address is None else str(address)
