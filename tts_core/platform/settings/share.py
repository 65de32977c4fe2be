"""Settings of the public link: which share server, which helper program."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from tts_core.domain.errors import InvalidSetting

SERVER_VARIABLE = "TTS_STUDIO_SHARE_SERVER"
HELPER_VARIABLE = "TTS_STUDIO_SHARE_HELPER"
CERTIFICATE_VARIABLE = "TTS_STUDIO_SHARE_CERTIFICATE"
_SERVER = re.compile(r"(?P<host>[A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\]):(?P<port>\d{1,5})")


@dataclass(frozen=True, slots=True)
class ShareSettings:
    server: str = ""
    """HOST:PORT of an own share server; "" is Gradio's."""
    helper: Path | None = None
    """The helper program, used as it is; None is Gradio's, fetched and checked."""
    certificate: Path | None = None
    """PEM: what the own share server's TLS is checked with; None speaks to it without TLS."""

    @classmethod
    def from_env(cls, environ: Mapping[str, str]) -> ShareSettings:
        """TTS_STUDIO_SHARE_SERVER, TTS_STUDIO_SHARE_HELPER, TTS_STUDIO_SHARE_CERTIFICATE. Raises InvalidSetting."""
        server = environ.get(SERVER_VARIABLE, "").strip()
        match = _SERVER.fullmatch(server)
        if server and (match is None or not 1 <= int(match["port"]) <= 65535):
            raise InvalidSetting(name=SERVER_VARIABLE, value=server, expected="HOST:PORT")
        return cls(server, _file(environ, HELPER_VARIABLE), _file(environ, CERTIFICATE_VARIABLE))


def _file(environ: Mapping[str, str], name: str) -> Path | None:
    value = environ.get(name, "").strip()
    if not value:
        return None
    file = Path(value).expanduser().absolute()
    if not file.is_file():
        raise InvalidSetting(name=name, value=value, expected="a file")
    return file
