"""Restores requests to what the people behind a trusted proxy sent; headers of other proxies are not believed."""

from __future__ import annotations

from starlette.datastructures import Headers
from starlette.types import Scope

from tts_core.platform.addresses import is_this_machine, parsed
from tts_core.platform.settings.server import ProxySettings, is_from_proxy, is_root_path

HOST, PROTO, FOR, PREFIX = (b"x-forwarded-" + name for name in (b"host", b"proto", b"for", b"prefix"))
VIA = (b"via", b"1.1 proxy")
"""The header that replaces all headers of proxies: their facts are in the scope by then, and Gradio would believe such
headers from anybody."""
SCHEMES = frozenset({"http", "https"})


def as_asked(scope: Scope, settings: ProxySettings) -> Scope:
    """The scope with the host, scheme, path and address of the original client.

    `path` begins with `root_path`, as ASGI has it, whether or not the proxy cuts that off. A proxy that sends its
    prefix cuts it off. The Host header that the proxy itself sent must have been checked before.
    """
    peer = (scope.get("client") or ("",))[0]
    forwarded = Headers(scope=scope) if settings.trusts(peer) else Headers()
    prefix = forwarded.get(PREFIX.decode(), "").rstrip("/")
    is_cut = bool(prefix) and is_root_path(prefix)
    headers = _headers(scope, _first(forwarded, HOST))
    asked = {
        **scope,
        "headers": headers,
        **_below(scope, prefix if is_cut else settings.root_path, is_cut=is_cut),
    }
    if (scheme := _first(forwarded, PROTO).lower().replace("ws", "http")) in SCHEMES:
        asked["scheme"] = scheme.replace("http", "ws") if scope["type"] == "websocket" else scheme
    if VIA in headers:
        asked["client"] = (_behind_proxy(forwarded.getlist(FOR.decode()), peer, settings), 0)
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
    kept = [(name, value) for name, value in scope["headers"] if not is_from_proxy(name.decode("latin-1"))]
    if len(kept) < len(scope["headers"]):
        kept.append(VIA)
    if not host:
        return kept
    return [(b"host", host.encode("latin-1")), *(header for header in kept if header[0] != b"host")]


def _first(forwarded: Headers, name: bytes) -> str:
    """The first value of a header: proxies behind each other put a comma between theirs, and people reach the first."""
    return forwarded.get(name.decode(), "").partition(",")[0].strip()


def _behind_proxy(chains: list[str], peer: str, settings: ProxySettings) -> str:
    """The address of the client behind a proxy; "" where nothing but the proxy is known. It is never this machine's: a
    proxy may pass on what its client wrote, and its own address is not the client's."""
    client = _client(chains, settings)
    address = client if client is not None and not is_this_machine(client) else peer
    return "" if is_this_machine(address) else address


def _client(chains: list[str], settings: ProxySettings) -> str | None:
    """The last address that is no trusted proxy's; anybody may have written what stands before it. None: no
    such address."""
    address = None
    for part in reversed([part.strip() for chain in chains for part in chain.split(",")]):
        if (address := _address(part)) is None or not settings.trusts(address):
            break
    return address


def _address(text: str) -> str | None:
    """The address in "1.2.3.4", "1.2.3.4:80", "::1" or "[::1]:80"; None if there is none."""
    bare = text[1:].partition("]")[0] if text.startswith("[") else text
    bare = bare.partition(":")[0] if bare.count(":") == 1 else bare
    address = parsed(bare)
    return None if address is None else str(address)
