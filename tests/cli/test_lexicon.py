"""`lexicon` as people type it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli.conftest import Run
from tts_core.cli.status import Exit


def test_entries_come_change_and_go(run: Run, tmp_path: Path) -> None:
    assert run("lexicon", "add", "SQL", "sequel", "--language", "en").out == "SQL is read as sequel.\n"
    assert run("lexicon", "add", "行长", "航掌", "--voice", "builtin/aria", "--inside-words").status is Exit.DONE
    assert run("lexicon", "add", "SQL", "S Q L", "--language", "en").status is Exit.DONE
    shown = run("lexicon", "list").out
    assert shown == "SQL  →  S Q L  (en)\n行长  →  航掌  (builtin/aria)\n"
    rows = json.loads(run("lexicon", "list", "--json").out)
    assert [row["whole_word"] for row in rows] == [True, False]
    assert run("lexicon", "remove", "SQL").status is Exit.DONE
    assert run("lexicon", "remove", "SQL").status is Exit.NO
    assert run("lexicon", "add", "x", " ").status is Exit.ERROR


def test_a_lexicon_goes_out_and_comes_in(run: Run, tmp_path: Path) -> None:
    run("lexicon", "add", "SQL", "sequel")
    for name in ("words.csv", "words.json"):
        assert run("lexicon", "export", tmp_path / name).status is Exit.DONE
        assert run("lexicon", "export", tmp_path / name).status is Exit.ERROR
        run("lexicon", "add", "other", "another")
        assert run("lexicon", "import", tmp_path / name).out == "1 entries were read; the lexicon has 2.\n"
        assert run("lexicon", "import", tmp_path / name, "--replace").out.endswith("has 1.\n")
    assert run("lexicon", "import", tmp_path / "nothing.csv").status is Exit.ERROR


def test_a_text_is_spoken_with_it_and_with_pauses(run: Run, tmp_path: Path) -> None:
    run("lexicon", "add", "a", "a rather long reading of a single letter", "--match-case")
    lengths = {}
    texts = {
        "plain": "b. c d e.",
        "read": "a. c d e.",
        "paused": "b. [pause 2s] c d e.",
        "longer": "b. [pause 2.5s] c d e.",
    }
    for name, text in texts.items():
        out = tmp_path / f"{name}.wav"
        answer = run("speak", text, "--voice", "builtin/aria", "--language", "en-us", "--out", out, "--json")
        lengths[name] = json.loads(answer.out)["duration_s"]
    assert lengths["read"] > lengths["plain"] + 1
    assert lengths["paused"] > lengths["plain"] + 1
    assert lengths["longer"] - lengths["paused"] == pytest.approx(0.5, abs=0.005)
