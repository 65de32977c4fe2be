"""What stands between the studio and the people who use it: below which path, and whose word about them counts."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping
from dataclasses import dataclass

from tts_core.domain.errors import InvalidSetting
from tts_core.platform.addresses import parsed

ROOT_FLAG, ROOT_VARIABLE = "--root-path", "TTS_STUDIO_ROOT_PATH"
TRUSTED_FLAG, TRUSTED_VARIABLE = "--trusted-proxy", "TTS_STUDIO_TRUSTED_PROXIES"
LOOPBACK_PROXIES = ("127.0.0.0/8", "::1")
NOBODY = "none"
_PROXY_HEADERS = re.compile(
    r"via|cdn-loop|x-varnish|.*forwarded.*"  # what proxies say of themselves and of what they were asked
    r"|x-original-(host|proto|url|uri)|x-rewrite-url|x-arr-.*"
    r"|.*-ip|.*-ipv[46]|.*-?client-?ip|.*-(addr|address)"  # for whom: X-Real-IP, True-Client-IP, those of each cloud
    r"|(cf|fly|cloudfront|tailscale|x-envoy|x-vercel|x-azure|x-appengine|x-amz-cf)-.*"
)
_ROOT_PATH = re.compile(r"(/[A-Za-z0-9._~-]+)*/?")
Network = ipaddress.IPv4Network | ipaddress.IPv6Network


@dataclass(frozen=True, slots=True)
class ProxySettings:
    root_path: str = ""
    """The path below which a proxy shows the studio, as "/tts"; "" is none."""
    trusted: tuple[Network, ...] = tuple(ipaddress.ip_network(network) for network in LOOPBACK_PROXIES)
    """Whose X-Forwarded-… headers count."""

    @classmethod
    def from_env(cls, environ: Mapping[str, str]) -> ProxySettings:
        """Read TTS_STUDIO_ROOT_PATH and TTS_STUDIO_TRUSTED_PROXIES: addresses and networks with commas between them,
        or "none". Raises InvalidSetting.
        """
        given = environ.get(TRUSTED_VARIABLE, "").strip()
        names = LOOPBACK_PROXIES if not given else () if given.lower() == NOBODY else given.split(",")
        return cls(
            root_path=_root_path(environ.get(ROOT_VARIABLE, "").strip()),
            trusted=tuple(_network(name.strip()) for name in names if name.strip()),
        )

    def trusts(self, address: str) -> bool:
        """Whether the one who connects from there may say for whom."""
        ip = parsed(address)
        return ip is not None and any(ip in network for network in self.trusted)


def is_from_proxy(header: str) -> bool:
    """Whether a header of that name, lower-case, is one of those that only proxies write. What it says may have been
    written by the proxy's own client; that it is there means that nobody at this machine asks."""
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
