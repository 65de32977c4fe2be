"""What the user chooses survives, gives way to the environment, and a broken file is never overwritten."""

from __future__ import annotations

import json
import threading
from dataclasses import replace
from pathlib import Path

import pytest

from tts_core.platform.faults import InvalidSetting, PreferencesUnwritable
from tts_core.platform.settings.preferences import Preferences, PreferencesFile
from tts_core.platform.settings.studio import Settings


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "data" / "preferences.json"


_SOURCE_VARIABLES = ("TTS_STUDIO_SOURCES", "HF_MIRROR_ENDPOINT", "TTS_STUDIO_RESUME_DOWNLOADS")


def settings_of(file: Path, **variables: str) -> Settings:
    return Settings.from_env({"TTS_STUDIO_DATA_DIR": str(file.parent), **variables})


def choose_all(file: Path) -> Preferences:
    chosen = Preferences(("modelscope", "hf"), "https://mirror.example", True, file.parent / "elsewhere", "int8")
    PreferencesFile(file).change(lambda _: chosen)
    return chosen


def test_choices_are_there_after_a_restart(file: Path) -> None:
    chosen = choose_all(file)
    assert PreferencesFile(file).read().preferences == chosen
    settings = settings_of(file)
    assert settings.paths.models_dir == chosen.models_dir
    assert settings.sources.order == ("modelscope", "hf")
    assert settings.sources.mirror_endpoint == "https://mirror.example"
    assert settings.sources.resume_at_start
    assert (settings.precision, settings.precision_now()) == ("int8", "int8")
    assert settings.fixed == set()


def test_the_environment_wins_and_blank_variables_count_as_unset(file: Path) -> None:
    chosen = choose_all(file)
    settings = settings_of(
        file,
        QWEN_TTS_MODELS_DIR=str(file.parent / "named"),
        TTS_STUDIO_SOURCES="mirror",
        HF_MIRROR_ENDPOINT="https://other.example",
        TTS_STUDIO_RESUME_DOWNLOADS="false",
        TTS_STUDIO_PRECISION="auto",
    )
    assert settings.paths.models_dir == file.parent / "named"
    assert settings.fixed == {"QWEN_TTS_MODELS_DIR", "TTS_STUDIO_PRECISION", *_SOURCE_VARIABLES}
    assert (settings.precision, settings.precision_now()) == ("auto", "auto")
    assert (settings.sources.order, settings.sources.mirror_endpoint) == (("mirror",), "https://other.example")
    assert not settings.sources.resume_at_start
    assert settings_of(file, QWEN_TTS_MODELS_DIR="  ").paths.models_dir == chosen.models_dir


def test_what_is_chosen_while_the_app_runs_counts_at_once(file: Path) -> None:
    running, fixed = (
        settings_of(file),
        settings_of(file, TTS_STUDIO_SOURCES="hf", HF_MIRROR_ENDPOINT="https://a.example"),
    )
    assert running.sources_now() == running.sources
    assert running.precision_now() == "auto"
    choose_all(file)
    assert running.precision_now() == "int8"
    now = running.sources_now()
    assert (now.order, now.mirror_endpoint) == (("modelscope", "hf"), "https://mirror.example")
    assert fixed.sources_now() == fixed.sources


def test_a_variable_that_puts_the_mirror_first_wins_over_a_chosen_order(file: Path) -> None:
    choose_all(file)
    settings = settings_of(file, USE_HF_MIRROR="true")
    assert (settings.sources.mirror_first, settings.sources.order, settings.sources_now().order) == (True, (), ())


def test_reading_writes_nothing(file: Path) -> None:
    assert settings_of(file).preferences_problem == ""
    assert not file.parent.exists()


def test_unknown_fields_stay_and_an_unchosen_one_leaves(file: Path) -> None:
    file.parent.mkdir()
    file.write_text(json.dumps({"later": {"a": 1}, "resume_downloads": True}), encoding="utf-8")
    PreferencesFile(file).change(lambda now: replace(now, resume_downloads=None, source_order=("hf",)))
    assert json.loads(file.read_text(encoding="utf-8")) == {"later": {"a": 1}, "source_order": ["hf"]}


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"\xff\xfe", b"[" * 100_000, b'"x"'])
def test_a_broken_file_is_reported_and_kept_aside(file: Path, content: bytes) -> None:
    file.parent.mkdir()
    file.write_bytes(content)
    assert str(file) in settings_of(file).preferences_problem
    assert file.read_bytes() == content
    for number in (1, 2):
        file.write_bytes(content)
        PreferencesFile(file).change(lambda now: replace(now, resume_downloads=True))
        assert file.with_name(f"preferences.json.broken-{number}").read_bytes() == content
    assert settings_of(file).sources.resume_at_start


@pytest.mark.parametrize(
    "wrong",
    [
        {"source_order": ["ftp"]},
        {"source_order": ["hf", "hf"]},
        {"source_order": [["hf"]]},
        {"mirror_endpoint": "http://mirror.example"},
        {"mirror_endpoint": "https://[half"},
        {"mirror_endpoint": 7},
        {"resume_downloads": "yes"},
        {"models_dir": "relative/folder"},
        {"models_dir": 7},
        {"precision": "int2"},
        {"precision": ["int8"]},
    ],
)
def test_a_wrong_field_is_reported_left_out_and_kept(file: Path, wrong: dict[str, object]) -> None:
    file.parent.mkdir()
    file.write_text(json.dumps({"source_order": ["hf"], "resume_downloads": True, **wrong}), encoding="utf-8")
    stored = PreferencesFile(file).read()
    assert next(iter(wrong)) in stored.problem
    assert stored.preferences.source_order == (() if "source_order" in wrong else ("hf",))
    assert settings_of(file).paths.models_dir == file.parent / "models" / "Qwen"
    other = "mirror_endpoint" if "mirror_endpoint" not in wrong else "source_order"
    change = {"mirror_endpoint": "https://a.example"} if other == "mirror_endpoint" else {"source_order": ("mirror",)}
    PreferencesFile(file).change(lambda now: Preferences(**{**_fields(now), **change}))  # type: ignore[arg-type]
    kept = json.loads(file.read_text(encoding="utf-8"))
    assert {name: kept[name] for name in wrong} == wrong


def _fields(preferences: Preferences) -> dict[str, object]:
    return {name: getattr(preferences, name) for name in Preferences.__slots__}


def test_a_choice_that_cannot_be_used_is_refused_and_nothing_is_written(file: Path) -> None:
    for wrong in (Preferences(mirror_endpoint="http://mirror.example"), Preferences(models_dir=Path("relative"))):
        with pytest.raises(InvalidSetting):
            PreferencesFile(file).change(lambda _, wrong=wrong: wrong)  # type: ignore[misc]
    assert not file.exists()


def test_a_folder_in_the_place_of_the_file_is_a_typed_error(file: Path) -> None:
    file.mkdir(parents=True)
    assert settings_of(file).preferences_problem
    with pytest.raises(PreferencesUnwritable):
        choose_all(file)
    assert list(file.parent.iterdir()) == [file]


def test_readers_never_see_half_a_file(file: Path) -> None:
    store = PreferencesFile(file)
    over = threading.Event()

    def change() -> None:
        for number in range(60):
            store.change(lambda _, number=number: Preferences(models_dir=Path("/" + "x" * number * 50)))  # type: ignore[misc]
        over.set()

    writers = [threading.Thread(target=change) for _ in range(2)]
    for writer in writers:
        writer.start()
    problems = set()
    while not over.is_set():
        problems.add(PreferencesFile(file).read().problem)
    for writer in writers:
        writer.join()
    assert problems == {""}
    assert list(file.parent.iterdir()) == [file]
