"""What https needs: a certificate and its key, and the look at both that tells before the start what is wrong."""

from __future__ import annotations

import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from tts_core.domain.errors import InvalidSetting

CERT_FLAG, KEY_FLAG, PASSWORD_FLAG = "--ssl-certfile", "--ssl-keyfile", "--ssl-keyfile-password"
CERT_VARIABLE = "TTS_STUDIO_SSL_CERTFILE"
KEY_VARIABLE = "TTS_STUDIO_SSL_KEYFILE"
PASSWORD_VARIABLE = "TTS_STUDIO_SSL_KEYFILE_PASSWORD"  # noqa: S105 - a name
_IS_ENCRYPTED = b"ENCRYPTED"
"""Stands in the PEM form of every key that asks for a password."""


@dataclass(frozen=True, slots=True)
class Certificate:
    """PEM files."""

    cert_file: Path
    """The certificate, and behind it those that vouch for it; it may hold the key, too."""
    key_file: Path | None = None
    password: str | None = field(default=None, repr=False)
    """Of the key."""

    @classmethod
    def from_env(cls, environ: Mapping[str, str]) -> Certificate | None:
        """None is plain http. Raises InvalidSetting where there is a key alone; the files are not looked at."""
        cert, key = environ.get(CERT_VARIABLE, "").strip(), environ.get(KEY_VARIABLE, "").strip()
        if not cert and key:
            raise InvalidSetting(name=KEY_FLAG, value=key, expected=f"its certificate as well: {CERT_FLAG}")
        if not cert:
            return None
        return cls(_path(cert), _path(key) if key else None, environ.get(PASSWORD_VARIABLE) or None)

    def check(self) -> None:
        """Raises InvalidSetting: a file that can't be read, is no certificate or key, or they are not a pair."""
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


def _path(value: str) -> Path:
    return Path(value).expanduser().absolute()


def _read(flag: str, path: Path) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError as error:
        raise _unusable(flag, path, "a file that exists") from error
    except OSError as error:
        raise _unusable(flag, path, "a file that can be read") from error


def _unusable(flag: str, path: Path, expected: str) -> InvalidSetting:
    return InvalidSetting(name=flag, value=str(path), expected=expected)
