"""A certificate that can't be used is refused before anything starts, and the refusal says what is wrong with it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.certificates import write_certificate
from tts_core.platform.faults import InvalidSetting
from tts_core.platform.paths import ROOT_DIR
from tts_core.platform.settings.server import Certificate
from tts_core.platform.settings.studio import Settings

HOST = "studio.test"
PAIR = {"TTS_STUDIO_SSL_CERTFILE": "cert.pem", "TTS_STUDIO_SSL_KEYFILE": "key.pem"}


def refused(certificate: Certificate) -> tuple[str, str]:
    """(the option, what it should have been)"""
    with pytest.raises(InvalidSetting) as refusal:
        certificate.check()
    return str(refusal.value.params["name"]), str(refusal.value.params["expected"])


def test_https_is_what_the_variables_ask_for() -> None:
    assert Settings.from_env({}).certificate is None
    asked = Settings.from_env(PAIR | {"TTS_STUDIO_SSL_KEYFILE_PASSWORD": "secret"}).certificate
    assert asked == Certificate(Path.cwd() / "cert.pem", Path.cwd() / "key.pem", "secret")
    assert "secret" not in repr(asked)
    with pytest.raises(InvalidSetting, match="--ssl-certfile"):
        Settings.from_env({"TTS_STUDIO_SSL_KEYFILE": "key.pem"})


@pytest.mark.parametrize("password", ["", "secret"])
def test_a_pair_is_accepted_also_in_one_file(tmp_path: Path, password: str) -> None:
    cert, key = write_certificate(tmp_path, HOST, password)
    Certificate(cert, key, password or None).check()
    both = tmp_path / "both.pem"
    both.write_bytes(cert.read_bytes() + key.read_bytes())
    Certificate(both, None, password or None).check()


def test_files_that_are_not_there_are_named(tmp_path: Path) -> None:
    cert, key = write_certificate(tmp_path, HOST)
    assert refused(Certificate(tmp_path / "none.pem", key)) == ("--ssl-certfile", "a file that exists")
    assert refused(Certificate(cert, tmp_path / "none.pem")) == ("--ssl-keyfile", "a file that exists")
    assert refused(Certificate(tmp_path, key)) == ("--ssl-certfile", "a file that can be read")


def test_what_is_no_certificate_or_no_key_is_named(tmp_path: Path) -> None:
    cert, key = write_certificate(tmp_path, HOST)
    (tmp_path / "page.pem").write_text("<html>", encoding="utf-8")
    assert refused(Certificate(tmp_path / "page.pem", key)) == ("--ssl-certfile", "a certificate in PEM form")
    assert refused(Certificate(key, cert)) == ("--ssl-certfile", "a certificate in PEM form")
    assert refused(Certificate(cert, tmp_path / "page.pem")) == ("--ssl-keyfile", "a private key in PEM form")
    assert refused(Certificate(cert)) == ("--ssl-certfile", "the key in it as well, or --ssl-keyfile")


def test_a_key_of_another_certificate_and_a_missing_password_are_told_apart(tmp_path: Path) -> None:
    cert, _ = write_certificate(tmp_path / "one", HOST)
    other_cert, other_key = write_certificate(tmp_path / "other", HOST, "secret")
    option, expected = refused(Certificate(cert, other_key, "secret"))
    assert (option, str(cert) in expected) == ("--ssl-keyfile", True)
    for password in (None, "wrong"):
        option, expected = refused(Certificate(other_cert, other_key, password))
        assert (option, "--ssl-keyfile-password" in expected) == ("--ssl-keyfile", True)


def test_the_app_ends_before_it_has_begun(tmp_path: Path) -> None:
    command = [
        sys.executable,
        "app.py",
        "--data-dir",
        str(tmp_path / "data"),
        "--ssl-certfile",
        str(tmp_path / "no.pem"),
    ]
    environ = {name: value for name, value in os.environ.items() if not name.startswith("TTS_STUDIO_")}
    ended = subprocess.run(command, cwd=ROOT_DIR, env=environ, capture_output=True, text=True, timeout=120, check=False)
    assert (ended.returncode, ended.stdout) == (2, "")
    assert "no.pem' can't be used: expected a file that exists. [invalid_setting]" in ended.stderr
    assert not (tmp_path / "data").exists()
