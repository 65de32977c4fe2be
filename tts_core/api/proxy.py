"""Requests as the people behind a trusted proxy made them; whoever else claims to be a proxy is not believed."""

from __future__ import annotations

import ipaddress

from starlette.datastructures import Headers
from starlette.types import Scope

from tts_core.proxy_settings import ProxySettings, is_root_path
from tts_core.settings import is_loopback

HOST, PROTO, FOR, PREFIX = (b"x-forwarded-" + name for name in (b"host", b"proto", b"for", b"prefix"))
HEARSAY = frozenset({HOST, PROTO, FOR, PREFIX, b"x-forwarded-port", b"x-forwarded-server", b"forwarded", b"x-real-ip"})
"""Taken off every request: what counts of it is in the scope then, and Gradio would believe it from anybody."""
SCHEMES = frozenset({"http", "https"})


def as_asked(scope: Scope, settings: ProxySettings) -> Scope:
    """The scope with the host, scheme, path and address of the one who asked.

    `path` begins with `root_path`, as ASGI has it, whether or not the proxy cuts that off. A proxy that tells its
    prefix cuts it off. The Host header that the proxy itself sent must have been checked before.
    """
    is_trusted = settings.trusts((scope.get("client") or ("",))[0])
    said = Headers(scope=scope) if is_trusted else Headers()
    prefix = said.get(PREFIX.decode(), "").rstrip("/")
    is_cut = bool(prefix) and is_root_path(prefix)
    asked = {
        **scope,
        "headers": _headers(scope, _first(said, HOST)),
        **_below(scope, prefix if is_cut else settings.root_path, is_cut=is_cut),
    }
    if (scheme := _first(said, PROTO).lower().replace("ws", "http")) in SCHEMES:
        asked["scheme"] = scheme.replace("http", "ws") if scope["type"] == "websocket" else scheme
    if (address := _client(said.getlist(FOR.decode()), settings)) is not None:
        asked["client"] = (address, 0)
    elif is_loopback((scope.get("client") or ("",))[0]) and any(name in HEARSAY for name, _ in scope["headers"]):
        asked["client"] = ("", 0)  # a proxy here does not say for whom it asks: not for somebody at this machine
    return asked


def route_path(scope: Scope) -> str:
    """The path as the routes know it, without what a proxy puts before it; begins with a slash."""
    path: str = scope["path"]
    root = scope.get("root_path", "")
    return path.removeprefix(root) or "/" if path == root or path.startswith(root + "/") else path


def _below(scope: Scope, root_path: str, *, is_cut: bool) -> dict[str, object]:
    if not root_path:
        return {}
    path: str = scope["path"]
    if not is_cut and (path == root_path or path.startswith(root_path + "/")):
        return {"root_path": root_path}
    raw = {"raw_path": root_path.encode() + scope["raw_path"]} if scope.get("raw_path") else {}
    return {"root_path": root_path, "path": root_path + path, **raw}


def _headers(scope: Scope, host: str) -> list[tuple[bytes, bytes]]:
    kept = [(name, value) for name, value in scope["headers"] if name not in HEARSAY]
    if len(kept) < len(scope["headers"]):  # who stands behind a proxy does not sit at this machine
        kept.append((b"via", b"1.1 proxy"))
    if not host:
        return kept
    return [(b"host", host.encode("latin-1")), *(header for header in kept if header[0] != b"host")]


def _first(said: Headers, name: bytes) -> str:
    """Proxies behind each other put a comma between their words; the first is the one that people reach."""
    return said.get(name.decode(), "").partition(",")[0].strip()


def _client(chains: list[str], settings: ProxySettings) -> str | None:
    """The last address that no trusted proxy has; what stands before it, anybody may have written. None: not told."""
    address = None
    for part in reversed([part.strip() for chain in chains for part in chain.split(",")]):
        if (address := _address(part)) is None or not settings.trusts(address):
            break
    return address


def _address(text: str) -> str | None:
    """Of "1.2.3.4", "1.2.3.4:80", "::1" or "[::1]:80"."""
    bare = text[1:].partition("]")[0] if text.startswith("[") else text
    bare = bare.partition(":")[0] if bare.count(":") == 1 else bare
    try:
        return str(ipaddress.ip_address(bare))
    except ValueError:
        return None
