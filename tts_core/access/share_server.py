"""Parts of the public link that come from outside: the helper program, and a share server on the internet."""

from __future__ import annotations

import hashlib
import platform
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import requests

from tts_core.access.faults import HelperDamaged, HelperMissing, HelperUnsupported, ShareServerSilent
from tts_core.platform.settings.server import ShareSettings
from tts_core.platform.whole_files import part_of

CONNECT_S, SILENCE_S = 10.0, 30.0
MAX_HELPER_BYTES = 100_000_000


@dataclass(frozen=True, slots=True)
class Sources:
    """The addresses where Gradio keeps what its links need. The helper's file is the one that Gradio itself would
    use."""

    helper_address: str
    helper_file: Path
    helper_sha256: str
    """The helper's sha256 sum; "" where no helper exists for this machine."""
    directory_address: str
    """The address that says which share server to use."""


@dataclass(frozen=True, slots=True)
class Server:
    address: str
    """The share server as HOST:PORT."""
    certificate: Path | None
    is_https: bool
    """Whether its links are https, whatever the helper says."""


def gradio_sources() -> Sources:
    from gradio import networking, tunneling  # noqa: PLC0415 - seconds, for those that share only

    return Sources(
        helper_address=tunneling.BINARY_URL,
        helper_file=Path(tunneling.BINARY_PATH),
        helper_sha256=tunneling.CHECKSUMS.get(tunneling.BINARY_URL, ""),
        directory_address=networking.GRADIO_API_SERVER,
    )


def find_helper(settings: ShareSettings, sources: Sources) -> Path:
    """The helper program, fetched where it is missing. Raises HelperMissing, HelperDamaged, HelperUnsupported."""
    if settings.helper is not None:
        return settings.helper
    file, wanted = sources.helper_file, sources.helper_sha256
    if not wanted:
        raise HelperUnsupported(platform=f"{platform.system()} {platform.machine()}")
    if not file.is_file():
        _fetch(sources)
    if hashlib.sha256(file.read_bytes()).hexdigest() != wanted:
        raise HelperDamaged(file=str(file), sha256=wanted)
    file.chmod(file.stat().st_mode | 0o100)  # a copy made by hand may not be runnable
    return file


def find_server(settings: ShareSettings, sources: Sources, certificate_file: Path) -> Server:
    """The server of the settings, else the one that Gradio names; its certificate goes to `certificate_file`.

    Raises ShareServerSilent.
    """
    if settings.server:
        return Server(settings.server, settings.certificate, is_https=False)
    address = sources.directory_address
    try:
        with requests.get(address, timeout=(CONNECT_S, SILENCE_S)) as answer:
            answer.raise_for_status()
            entry = answer.json()[0]
        server, certificate = f"{entry['host']}:{int(entry['port'])}", str(entry["root_ca"])
        certificate_file.parent.mkdir(parents=True, exist_ok=True)
        certificate_file.write_text(certificate, encoding="utf-8")
    except (OSError, ValueError, LookupError, TypeError) as error:
        raise ShareServerSilent(address=address, reason=_reason(error)) from error
    return Server(server, certificate_file, is_https=True)


def _fetch(sources: Sources) -> None:
    """Fetch the helper; its sum is checked before the file gets its name."""
    file = sources.helper_file
    part = part_of(file)
    params = {"address": sources.helper_address, "file": str(file), "sha256": sources.helper_sha256}
    digest, size = hashlib.sha256(), 0
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        with requests.get(sources.helper_address, stream=True, timeout=(CONNECT_S, SILENCE_S)) as answer:
            answer.raise_for_status()
            with part.open("wb") as stream:
                for piece in answer.iter_content(256 << 10):
                    size += len(piece)
                    if size > MAX_HELPER_BYTES:
                        raise HelperMissing(**params, reason="what comes from there is far too large")
                    stream.write(piece)
                    digest.update(piece)
        if digest.hexdigest() != sources.helper_sha256:
            raise HelperMissing(**params, reason="what comes from there is another file")
        part.chmod(0o755)
        part.replace(file)
    except OSError as error:  # requests' errors, too
        raise HelperMissing(**params, reason=_reason(error)) from error
    finally:
        with suppress(OSError):
            part.unlink()


def _reason(error: Exception) -> str:
    """A short reason; for errors of the network, the one at the bottom of the chain."""
    if isinstance(error, requests.HTTPError) and error.response is not None:
        return f"HTTP {error.response.status_code}"
    if isinstance(error, requests.Timeout):
        return "no answer in time"
    if isinstance(error, requests.ConnectionError):
        return "no connection"
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return "the answer makes no sense"
