"""The environment's proxies and certificates, made such that no library that reads them ends with an error.

httpx (inside Gradio, huggingface_hub and OpenAI's client) refuses to be imported or used with a value that it does not
understand, and requests ends in the middle of a download; each understands another part. Here is the part that all of
them understand: what can be said in it is rewritten, the rest is left out, and every variable left out has a sentence.
"""

from __future__ import annotations

import ipaddress
import re
import ssl
import sys
from collections.abc import Callable, Mapping, MutableMapping
from dataclasses import dataclass, field
from importlib.util import find_spec
from urllib.parse import quote, unquote
from urllib.request import getproxies

PROXY_SCHEMES = ("http", "https", "socks5", "socks5h")
_PROXIES = ("http_proxy", "https_proxy", "all_proxy")
_EXCEPTIONS = "no_proxy"
_WHOLE_NUMBERS = ("HF_HUB_DOWNLOAD_TIMEOUT", "HF_HUB_ETAG_TIMEOUT")
_SOCKS_LIBRARIES = ("socks", "socksio")
"""PySocks for requests, socksio for httpx."""
_HOST = re.compile(r"[A-Za-z0-9_]([A-Za-z0-9._-]*[A-Za-z0-9_.])?")
_EXCEPTION_HOST = re.compile(r"\.?[A-Za-z0-9_]([A-Za-z0-9._-]*[A-Za-z0-9_])?(:\d{1,5})?")
_MAX_PORT = 65_535


class _Unusable(Exception):
    """A value that can't be used; the text says why, without any password."""


@dataclass(frozen=True, slots=True)
class NetworkVariables:
    """The variables of outgoing connections that have to change before a library reads them."""

    changes: Mapping[str, str] = field(default_factory=dict)
    """The new values by the variable's name; "" takes the variable away."""
    problems: tuple[str, ...] = ()
    """The English sentences, for each value that is left out. No password is in them."""

    @classmethod
    def of(
        cls, environ: Mapping[str, str], system: Mapping[str, str], *, has_socks: bool | None = None
    ) -> NetworkVariables:
        """Look at `environ` and, where it names no proxy at all, at the `system`'s own proxies by scheme.

        `has_socks` says whether the libraries for SOCKS are installed; None looks.
        """
        socks = all(map(_is_installed, _SOCKS_LIBRARIES)) if has_socks is None else has_socks
        changes: dict[str, str] = {}
        problems: list[str] = []
        for name, value in environ.items():
            reader = _reader(name, socks)
            if reader is None or not value.strip():
                continue
            try:
                usable, left_out = reader(value.strip())
            except _Unusable as problem:
                usable, left_out = "", str(problem)
            if usable != value:
                changes[name] = usable
            if left_out:
                problems.append(f"{name} is left out: {left_out}.")
        if not any(name.lower().endswith("_proxy") and value for name, value in environ.items()):
            _look_at_system(system, socks, changes, problems)
        return cls(changes, tuple(problems))

    def apply(self, environ: MutableMapping[str, str]) -> None:
        """Change the variables; to be called before a library that connects is imported."""
        for name, value in self.changes.items():
            if value:
                environ[name] = value
            else:
                environ.pop(name, None)


def system_proxies() -> Mapping[str, str]:
    """The proxies of the system's own settings by scheme, which libraries take where no variable names one."""
    return getproxies() if sys.platform in ("win32", "darwin") else {}


_Reader = Callable[[str], tuple[str, str]]
"""A function from a value to the usable value, and to what is left out of it."""


def _reader(name: str, socks: bool) -> _Reader | None:
    """The reader of that variable; None for those that are none of ours."""
    readers: dict[str, _Reader] = {
        **dict.fromkeys(_PROXIES, lambda value: (usable_proxy(value, has_socks=socks), "")),
        _EXCEPTIONS: _usable_exceptions,
    }
    exact: dict[str, _Reader] = {
        **dict.fromkeys(_WHOLE_NUMBERS, _whole_number),
        "SSL_CERT_FILE": _certificates,
        "SSLKEYLOGFILE": _key_log,
    }
    return readers.get(name.lower()) or exact.get(name)


def usable_proxy(value: str, *, has_socks: bool) -> str:
    """The proxy's address as all libraries read it. Raises _Unusable."""
    scheme, separator, rest = value.strip("\"'").strip().partition("://")
    scheme, rest = (scheme.lower(), rest) if separator else ("http", scheme)
    login, at, place = rest.rpartition("@")
    host, port = _host_and_port(re.split(r"[/?#]", place, maxsplit=1)[0])
    shown = f"{scheme}://{host}{port}"
    if scheme == "socks":  # desktops write this for proxies that speak SOCKS 5; browsers let those look names up, too
        scheme = "socks5h"
    if scheme not in PROXY_SCHEMES:
        raise _Unusable(f"{shown} is none of the kinds that can be used here ({', '.join(PROXY_SCHEMES)})")
    if scheme.startswith("socks") and not has_socks:
        raise _Unusable(f"{shown} needs PySocks and socksio (pip install -r requirements.txt)")
    user, colon, password = login.partition(":")
    return f"{scheme}://{quote(unquote(user), safe='')}{colon}{quote(unquote(password), safe='')}{at}{host}{port}"


def _host_and_port(place: str) -> tuple[str, str]:
    """The host, in brackets where it is an IPv6 address, and the port with its colon, or ""."""
    match = re.fullmatch(r"(\[[^\]]*\]|[^:\[\]]*)(?::(\d*))?", place)
    if match is None:
        raise _Unusable("it is no address of a proxy such as http://127.0.0.1:7890")
    host, port = match[1], match[2] or ""
    is_host = _is_ipv6(host[1:-1]) if host.startswith("[") else bool(_HOST.fullmatch(host))
    if not is_host or (port and not 1 <= int(port[:6]) <= _MAX_PORT):
        raise _Unusable("it is no address of a proxy such as http://127.0.0.1:7890")
    return host, f":{port}" if port else ""


def _usable_exceptions(value: str) -> tuple[str, str]:
    """NO_PROXY's places in the form that all libraries understand, and the others in a sentence."""
    kept: list[str] = []
    unusable: list[str] = []
    for part in re.split(r"[,;\s]+", value.strip("\"'")):
        if part == "*":
            return "*", ""
        if part:
            place = _exception(part)
            kept += [place] if place else []
            unusable += [] if place else [part]
    problem = f"{', '.join(unusable)} (only names, addresses and ranges of IPv4 addresses can be used)"
    return ",".join(dict.fromkeys(kept)), problem if unusable else ""


def _exception(part: str) -> str:
    """The place in NO_PROXY; "" if not all libraries understand it."""
    if bracketed := re.fullmatch(r"\[([^\]]*)\](?::\d+)?", part):
        return bracketed[1] if _is_ipv6(bracketed[1]) else ""
    if part.startswith("*."):
        part = part[1:]
    if "/" in part:
        return part if _is_ipv4_range(part) else ""
    return part if _is_ipv6(part) or _EXCEPTION_HOST.fullmatch(part) else ""


def _whole_number(value: str) -> tuple[str, str]:
    if not (value.isascii() and value.isdigit()):
        raise _Unusable(f"{value!r} is no whole number of seconds")
    return value, ""


def _certificates(value: str) -> tuple[str, str]:
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(cafile=value)
    except OSError as error:
        raise _Unusable(f"{value} can't be read as certificates ({error.strerror or type(error).__name__})") from error
    return value, ""


def _key_log(value: str) -> tuple[str, str]:
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).keylog_filename = value
    except OSError as error:
        raise _Unusable(f"{value} can't be written ({error.strerror or type(error).__name__})") from error
    return value, ""


def _look_at_system(system: Mapping[str, str], socks: bool, changes: dict[str, str], problems: list[str]) -> None:
    """Where the system names a proxy that can't be used, say the usable ones in variables, which come before it."""
    named = {scheme: value for scheme, value in system.items() if f"{scheme}_proxy" in _PROXIES and value}
    usable: dict[str, str] = {}
    for scheme, value in named.items():
        try:
            usable[scheme] = usable_proxy(value, has_socks=socks)
        except _Unusable as problem:
            problems.append(f"The system's proxy for {scheme} is left out: {problem}.")
    if usable != named:
        changes.update({f"{scheme.upper()}_PROXY": value for scheme, value in usable.items()})
        changes["NO_PROXY"] = "localhost,127.0.0.1,::1"  # any variable keeps libraries from asking the system


def _is_ipv6(text: str) -> bool:
    try:
        ipaddress.IPv6Address(text)
    except ValueError:
        return False
    return "%" not in text  # a zone is no part of an address in a URL


def _is_ipv4_range(text: str) -> bool:
    try:
        ipaddress.IPv4Network(text, strict=False)
    except ValueError:
        return False
    return True


def _is_installed(library: str) -> bool:
    return find_spec(library) is not None
