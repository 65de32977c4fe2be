"""The documents are true where a machine can tell: length, links, and the files, options and commands they name."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests import ROOT
from tts_core.cli.main import main
from tts_core.platform.settings.options import DISK_OPTIONS, MODEL_OPTIONS, PROJECT_OPTIONS, SERVER_OPTIONS

PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
_LINK = re.compile(r"\]\(\s*([^)#\s]+)\s*\)")
_VARIABLE = re.compile(r'"((?:TTS_STUDIO|QWEN_TTS)_[A-Z_]+)"')
_COMMAND = re.compile(r"python -m tts_core ([a-z-]+)")
_FILE = re.compile(r"`((?:ui|api|speech|models|engines|access|audio|domain|platform|cli|voices)/[\w/]+\.\w+)`")


def test_the_readme_is_short() -> None:
    assert len((ROOT / "README.md").read_text(encoding="utf-8").splitlines()) <= 150


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    links = [link for link in _LINK.findall(page.read_text(encoding="utf-8")) if not link.startswith("http")]
    assert [link for link in links if not (page.parent / link).exists()] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_commands_exist(page: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["--help"])
    known = re.findall(r"^ +([a-z][a-z-]+)(?: |$)", capsys.readouterr().out, re.MULTILINE)
    assert [name for name in _COMMAND.findall(page.read_text(encoding="utf-8")) if name not in known] == []


def test_files_that_the_architecture_names_exist() -> None:
    named = _FILE.findall((ROOT / "docs" / "architecture.md").read_text(encoding="utf-8"))
    assert len(named) > 20
    assert [name for name in named if not (ROOT / "tts_core" / name).exists()] == []


def test_every_option_and_variable_has_a_row_in_the_settings() -> None:
    text = (ROOT / "docs" / "settings.md").read_text(encoding="utf-8")
    options = (*DISK_OPTIONS, *MODEL_OPTIONS, *SERVER_OPTIONS, *PROJECT_OPTIONS)
    rows = [line for line in text.splitlines() if line.startswith("| ")]
    for option in options:
        assert [row for row in rows if f"`{option.flag}`" in row and f"`{option.variable}`" in row], option.flag
    sources = (ROOT / "tts_core" / "platform" / "settings").glob("*.py")
    read = {name for source in sources for name in _VARIABLE.findall(source.read_text(encoding="utf-8"))}
    assert len(read) > 20
    assert [name for name in sorted(read) if f"`{name}`" not in text] == []
