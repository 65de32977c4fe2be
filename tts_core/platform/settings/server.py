"""Settings of the server: https, proxies before it, and the share server behind a public link."""

from __future__ import annotations

import ipaddress
import re
import ssl
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType

from tts_core.platform.addresses import parsed
from tts_core.platform.faults import InvalidSetting
from tts_core.platform.settings.environ import MAX_PORT, Environ

CERT_FLAG, KEY_FLAG, PASSWORD_FLAG = "--ssl-certfile", "--ssl-keyfile", "--ssl-keyfile-password"
CERT_VARIABLE = "TTS_STUDIO_SSL_CERTFILE"
KEY_VARIABLE = "TTS_STUDIO_SSL_KEYFILE"
PASSWORD_VARIABLE = "TTS_STUDIO_SSL_KEYFILE_PASSWORD"  # noqa: S105 - a name
_IS_ENCRYPTED = b"ENCRYPTED"
"""A word that stands in the PEM form of every key with a password."""
ROOT_FLAG, ROOT_VARIABLE = "--root-path", "TTS_STUDIO_ROOT_PATH"
TRUSTED_FLAG, TRUSTED_VARIABLE = "--trusted-proxy", "TTS_STUDIO_TRUSTED_PROXIES"
ORIGIN_VARIABLE = "TTS_STUDIO_ALLOWED_ORIGINS"
LOOPBACK_PROXIES = ("127.0.0.0/8", "::1")
NOBODY = "none"
_ORIGIN = re.compile(r"(?P<scheme>[a-z][a-z0-9+.-]*)://(?P<host>[a-z0-9._-]+|\[[0-9a-f:.]+\])(?::(?P<port>\d{1,5}))?/?")
_USUAL_PORTS = MappingProxyType({"http": "80", "https": "443"})
_ROOT_PATH = re.compile(r"(/[A-Za-z0-9._~-]+)*/?")
_PROXY_HEADERS = re.compile(
    r"via|cdn-loop|x-varnish|.*forwarded.*"  # headers by which proxies name themselves and the original request
    r"|x-original-(host|proto|url|uri)|x-rewrite-url|x-arr-.*"
    r"|.*-ip|.*-ipv[46]|.*-?client-?ip|.*-(addr|address)"  # the client: X-Real-IP, True-Client-IP, each cloud's
    r"|(cf|fly|cloudfront|tailscale|x-envoy|x-vercel|x-azure|x-appengine|x-amz-cf)-.*"
)
Network = ipaddress.IPv4Network | ipaddress.IPv6Network
SERVER_VARIABLE = "TTS_STUDIO_SHARE_SERVER"
HELPER_VARIABLE = "TTS_STUDIO_SHARE_HELPER"
CERTIFICATE_VARIABLE = "TTS_STUDIO_SHARE_CERTIFICATE"
_SERVER = re.compile(r"(?P<host>[A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\]):(?P<port>\d{1,5})")


@dataclass(frozen=True, slots=True)
class Certificate:
    """The PEM files that https is served with."""

    cert_file: Path
    """The file of the certificate, followed by those that vouch for it; it may hold the key, too."""
    key_file: Path | None = None
    password: str | None = field(default=None, repr=False)
    """The key's password."""

    @classmethod
    def from_env(cls, environ: Environ) -> Certificate | None:
        """Read the variables; None is plain http. Raises InvalidSetting for a key alone; opens no file."""
        cert, key = environ.path(CERT_VARIABLE), environ.path(KEY_VARIABLE)
        if cert is None and key is not None:
            raise InvalidSetting(name=KEY_FLAG, value=str(key), expected=f"its certificate as well: {CERT_FLAG}")
        return None if cert is None else cls(cert, key, environ.secret(PASSWORD_VARIABLE) or None)

    def check(self) -> None:
        """Raise InvalidSetting where a file can't be read, is no certificate or key, or the two are not a pair."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        _read(CERT_FLAG, self.cert_file)
        try:
            context.load_verify_locations(self.cert_file)
        except ssl.SSLError as error:
            raise _unusable(CERT_FLAG, self.cert_file, "a certificate in PEM form") from error
        flag, key_file = (KEY_FLAG, self.key_file) if self.key_file else (CERT_FLAG, self.cert_file)
        key = _read(flag, key_file)
        try:
            context.load_cert_chain(self.cert_file, self.key_file, lambda: self.password or "")
        except ssl.SSLError as error:
            raise _unusable(flag, key_file, self._wanted_key(key, error)) from error

    def _wanted_key(self, key: bytes, error: ssl.SSLError) -> str:
        if error.reason == "KEY_VALUES_MISMATCH":
            return f"the key that belongs to the certificate {self.cert_file}"
        if _IS_ENCRYPTED in key:
            return f"the key's password: {PASSWORD_FLAG} or {PASSWORD_VARIABLE}"
        return "a private key in PEM form" if self.key_file else f"the key in it as well, or {KEY_FLAG}"


def _read(flag: str, path: Path) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError as error:
        raise _unusable(flag, path, "a file that exists") from error
    except OSError as error:
        raise _unusable(flag, path, "a file that can be read") from error


def _unusable(flag: str, path: Path, expected: str) -> InvalidSetting:
    return InvalidSetting(name=flag, value=str(path), expected=expected)


@dataclass(frozen=True, slots=True)
class ProxySettings:
    root_path: str = ""
    """The path below which a proxy shows the studio, such as "/tts"; "" is none."""
    trusted: tuple[Network, ...] = tuple(ipaddress.ip_network(network) for network in LOOPBACK_PROXIES)
    """The networks of proxies whose X-Forwarded-… headers count."""

    @classmethod
    def from_env(cls, environ: Environ) -> ProxySettings:
        """Read TTS_STUDIO_ROOT_PATH and TTS_STUDIO_TRUSTED_PROXIES: addresses and networks with commas between them,
        or "none". Raises InvalidSetting.
        """
        given = environ.names(TRUSTED_VARIABLE) or LOOPBACK_PROXIES
        names = () if [name.lower() for name in given] == [NOBODY] else given
        return cls(root_path=_root_path(environ.text(ROOT_VARIABLE)), trusted=tuple(_network(name) for name in names))

    def trusts(self, address: str) -> bool:
        """Whether a proxy at that address may name the client it connects for."""
        ip = parsed(address)
        return ip is not None and any(ip in network for network in self.trusted)


def allowed_origins(given: Sequence[str]) -> tuple[str, ...]:
    """The origins as browsers write them, without repeats.

    Raises InvalidSetting, also for "*": a page that nobody named could then do all that the person before it may.
    """
    return tuple(dict.fromkeys(_origin(origin) for origin in given))


def _origin(origin: str) -> str:
    match = _ORIGIN.fullmatch(origin.strip().lower())
    if match is None:
        expected = 'origins such as "http://localhost:3000" or "app://obsidian.md", each by its name'
        raise InvalidSetting(name=ORIGIN_VARIABLE, value=origin, expected=expected)
    scheme, host, port = match["scheme"], match["host"], match["port"]
    return f"{scheme}://{host}" + (f":{port}" if port and port != _USUAL_PORTS.get(scheme) else "")


def is_from_proxy(header: str) -> bool:
    """Whether a header of that name, lower-case, is one that only proxies write.

    Its value may come from the proxy's own client; its presence alone means that the request is not this machine's.
    """
    return _PROXY_HEADERS.fullmatch(header) is not None


def is_root_path(path: str) -> bool:
    return _ROOT_PATH.fullmatch(path) is not None and not {".", ".."} & set(path.split("/"))


def _root_path(path: str) -> str:
    if not is_root_path(path):
        raise InvalidSetting(name=ROOT_VARIABLE, value=path, expected='a path such as "/tts"')
    return path.rstrip("/")


def _network(name: str) -> Network:
    try:
        return ipaddress.ip_network(name, strict=False)
    except ValueError:
        raise InvalidSetting(
            name=TRUSTED_VARIABLE, value=name, expected='addresses such as "10.0.0.2" or networks such as "10.0.0.0/8"'
        ) from None


@dataclass(frozen=True, slots=True)
class ShareSettings:
    server: str = ""
    """The HOST:PORT of an own share server; "" is Gradio's."""
    helper: Path | None = None
    """The helper program, used as it is; None is Gradio's, fetched and checked."""
    certificate: Path | None = None
    """The PEM file that checks the own share server's TLS; None connects to it without TLS."""

    @classmethod
    def from_env(cls, environ: Environ) -> ShareSettings:
        """Read TTS_STUDIO_SHARE_SERVER, TTS_STUDIO_SHARE_HELPER and TTS_STUDIO_SHARE_CERTIFICATE.

        Raises InvalidSetting.
        """
        server = environ.text(SERVER_VARIABLE)
        match = _SERVER.fullmatch(server)
        if server and (match is None or not 1 <= int(match["port"]) <= MAX_PORT):
            raise InvalidSetting(name=SERVER_VARIABLE, value=server, expected="HOST:PORT")
        return cls(server, environ.file(HELPER_VARIABLE), environ.file(CERTIFICATE_VARIABLE))
