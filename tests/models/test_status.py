from __future__ import annotations

import logging
import shlex
import subprocess
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import wait_until
from tests.models.model_folders import (
    BASE_KEY,
    CUSTOM_KEY,
    LARGE_KEY,
    PUBLISHED,
    TOKENIZER_KEY,
    Studio,
    build_studio,
    catalogue_entry,
    config,
    noise,
    weights,
    write_files,
)
from tts_core.domain.engine import never
from tts_core.domain.errors import Cancelled, UnknownModelKey
from tts_core.domain.events import CheckProgress
from tts_core.models.by_hand import quote_for_shell
from tts_core.models.catalogue import ModelKind
from tts_core.models.files.hash_cache import CHUNK_BYTES, ContentReader
from tts_core.models.status import ModelState, ModelStatus, ModelStatuses, Verification

MAIN, CODEC = "model.safetensors", "speech_tokenizer/model.safetensors"
FILES = PUBLISHED[BASE_KEY]
LANGUAGES = ["Auto", "Chinese", "English", "German", "Italian", "Portuguese"]
LANGUAGES += ["Spanish", "Japanese", "Korean", "French", "Russian"]


@pytest.fixture
def studio(tmp_path: Path) -> Studio:
    return build_studio(tmp_path)


@pytest.fixture
def long_studio(tmp_path: Path) -> Studio:
    """The base model's weights take several chunks to read."""
    files = {**FILES, MAIN: weights(noise(2 * CHUNK_BYTES + 1000, "long"))}
    studio = build_studio(tmp_path, {BASE_KEY: catalogue_entry(ModelKind.BASE, "Long", files)})
    write_files(studio.folder(BASE_KEY), files)
    return studio


@pytest.mark.parametrize(
    "ask",
    [
        lambda models: models.entry("nope"),
        lambda models: models.folder("nope"),
        lambda models: models.status("nope"),
        lambda models: models.validate("nope", deep=True, cancelled=never),
        lambda models: models.capabilities("nope"),
        lambda models: models.manual_download("nope"),
    ],
)
def test_an_unknown_key_is_refused_at_the_call(studio: Studio, ask: Callable[[ModelStatuses], object]) -> None:
    with pytest.raises(UnknownModelKey):
        ask(studio.manager())


def test_statuses_come_in_the_catalogues_order_and_follow_the_disk(studio: Studio) -> None:
    models = studio.manager()
    assert tuple(status.key for status in models.statuses()) == models.keys()
    studio.install(TOKENIZER_KEY)
    ready = [status.key for status in models.statuses() if status.valid]
    assert ready == [TOKENIZER_KEY]
    (studio.folder(TOKENIZER_KEY) / MAIN).unlink()
    assert models.status(TOKENIZER_KEY).state is ModelState.INCOMPLETE


def test_a_deep_check_verifies_and_stays_verified_until_a_file_changes(studio: Studio) -> None:
    studio.install(BASE_KEY)
    assert studio.status(BASE_KEY).verification is Verification.UNCHECKED
    assert studio.deep(BASE_KEY).verification is Verification.VERIFIED
    assert studio.status(BASE_KEY).verification is Verification.VERIFIED
    write_files(studio.folder(BASE_KEY), {CODEC: bytes(bytearray(FILES[CODEC]))})
    assert studio.status(BASE_KEY).verification is Verification.UNCHECKED


def test_progress_never_falls_and_ends_at_the_total_with_the_status_last(long_studio: Studio) -> None:
    *progress, status = long_studio.check(BASE_KEY)
    assert isinstance(status, ModelStatus)
    events = [event for event in progress if isinstance(event, CheckProgress)]
    assert len(events) == len(progress) == 4
    done = [event.done_bytes for event in events]
    assert done == sorted(done)
    sizes = {file.path: file.size for file in long_studio.catalogue.entry(BASE_KEY).files}
    assert {event.total_bytes for event in events} == {sizes[MAIN] + sizes[CODEC]}
    assert done[-1] == events[-1].total_bytes
    assert {event.file for event in events} == {MAIN, CODEC}


def test_a_shallow_validation_reads_nothing_through(long_studio: Studio) -> None:
    events = list(long_studio.manager().validate(BASE_KEY, deep=False, cancelled=never))
    assert [type(event) for event in events] == [ModelStatus]
    assert not long_studio.cache_file.exists()


@pytest.mark.parametrize("deep", [True, False])
def test_a_cancelled_validation_raises(long_studio: Studio, deep: bool) -> None:
    with pytest.raises(Cancelled):
        next(long_studio.manager().validate(BASE_KEY, deep=deep, cancelled=lambda: True))


def test_cancelling_stops_between_chunks_and_keeps_the_files_already_read(long_studio: Studio) -> None:
    seen: list[str] = []
    stop = threading.Event()
    checking = long_studio.manager().validate(BASE_KEY, deep=True, cancelled=stop.is_set)
    for event in checking:
        assert isinstance(event, CheckProgress)
        seen.append(event.file)
        if event.file == CODEC:
            stop.set()
            break
    with pytest.raises(Cancelled):
        next(checking)
    assert seen == [MAIN, MAIN, MAIN, CODEC]
    events = [event for event in long_studio.check(BASE_KEY) if isinstance(event, CheckProgress)]
    assert [event.file for event in events] == [CODEC]


def test_a_file_that_changes_while_it_is_read_is_not_believed(long_studio: Studio) -> None:
    folder = long_studio.folder(BASE_KEY)
    checking = long_studio.check(BASE_KEY)
    next(checking)
    with (folder / MAIN).open("r+b") as stream:
        stream.seek(CHUNK_BYTES + 10)
        stream.write(b"changed meanwhile")
    *_, status = checking
    assert isinstance(status, ModelStatus)
    assert status.verification is Verification.UNCHECKED
    assert [problem.code for problem in long_studio.deep(BASE_KEY).problems] == ["hash_mismatch"]


def test_a_file_that_vanishes_while_it_is_checked_is_missing(long_studio: Studio) -> None:
    checking = long_studio.check(BASE_KEY)
    next(checking)
    (long_studio.folder(BASE_KEY) / CODEC).unlink()
    *_, status = checking
    assert isinstance(status, ModelStatus)
    assert status.missing == (CODEC,)


def test_a_disk_that_fails_to_read_is_reported_for_its_file(
    long_studio: Studio, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_reader: ContentReader) -> object:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(ContentReader, "chunk_sizes", fail)
    status = long_studio.deep(BASE_KEY)
    assert status.state is ModelState.ERROR
    assert {problem.file: problem.code for problem in status.problems} == {MAIN: "unreadable", CODEC: "unreadable"}
    assert "Input/output error" in status.problems[0].message


def test_an_incomplete_model_is_read_as_far_as_it_is_there(studio: Studio) -> None:
    studio.install(BASE_KEY, **{MAIN: None, CODEC: FILES[CODEC][:-4] + b"oops"})
    status = studio.deep(BASE_KEY)
    assert (status.state, status.missing) == (ModelState.ERROR, (MAIN,))
    assert [problem.code for problem in status.problems] == ["hash_mismatch"]
    assert status.reason is not None
    assert status.reason.endswith(f"Missing: {MAIN}.")


@pytest.mark.parametrize(
    ("key", "speakers", "instruct", "clone", "design"),
    [
        ("base_0_6b", 0, False, True, False),
        ("base_1_7b", 0, False, True, False),
        ("custom_0_6b", 9, False, False, False),
        ("custom_1_7b", 9, True, False, False),
        ("voice_design_1_7b", 0, True, False, True),
    ],
)
def test_an_absent_model_can_do_what_is_published(
    studio: Studio, key: str, speakers: int, instruct: bool, clone: bool, design: bool
) -> None:
    able = studio.manager().capabilities(key)
    assert [language.name for language in able.languages] == LANGUAGES
    assert [language.code for language in able.languages] == [name.lower() for name in LANGUAGES]
    assert (len(able.speakers), able.supports_instruct, able.can_clone, able.can_design) == (
        speakers,
        instruct,
        clone,
        design,
    )
    assert able.supports_sampling


def test_the_tokenizer_can_not_speak(studio: Studio) -> None:
    able = studio.manager().capabilities(TOKENIZER_KEY)
    assert (able.languages, able.speakers, able.supports_sampling, able.can_clone) == ((), (), False, False)


def test_a_model_on_the_disk_says_itself_what_it_can_do(studio: Studio) -> None:
    languages = {"English": 2050, "thai": 2080, "sichuan_dialect": 2062}
    own = config(ModelKind.CUSTOM_VOICE, codec_language_id=languages, spk_id={"me": 3000, "you": 3001})
    write_files(studio.folder(CUSTOM_KEY), {"config.json": own})
    able = studio.manager().capabilities(CUSTOM_KEY)
    assert [(language.code, language.name) for language in able.languages] == [
        ("auto", "Auto"),
        ("english", "English"),
        ("thai", "Thai"),
    ]
    assert able.speakers == ("me", "you")


@pytest.mark.parametrize(
    "data",
    [
        b"{",
        b"[]",
        config(ModelKind.BASE),
        b'{"model_type": "qwen3_tts", "tts_model_type": ["x"], "talker_config": 5}',
        config(ModelKind.CUSTOM_VOICE, "1b7", spk_id={"me": 1}),
    ],
)
def test_a_config_that_is_not_this_models_changes_nothing(studio: Studio, data: bytes) -> None:
    write_files(studio.folder(CUSTOM_KEY), {"config.json": data})
    able = studio.manager().capabilities(CUSTOM_KEY)
    assert (len(able.languages), len(able.speakers)) == (11, 9)


def test_an_own_large_custom_voice_of_unstated_size_follows_instructions_by_its_config(tmp_path: Path) -> None:
    entry = {**catalogue_entry(ModelKind.CUSTOM_VOICE, "Mine", PUBLISHED[LARGE_KEY]), "hf": "me/x", "modelscope": ""}
    studio = build_studio(tmp_path, {"mine": entry})
    assert not studio.manager().capabilities("mine").supports_instruct
    write_files(studio.folder("mine"), PUBLISHED[LARGE_KEY])
    assert studio.manager().capabilities("mine").supports_instruct


def test_the_manual_commands_survive_a_shell_whatever_the_folders_name(tmp_path: Path) -> None:
    root = tmp_path / "it's; a $(folder) with 空格"
    root.mkdir()
    studio = build_studio(root)
    manual = studio.manager().manual_download(BASE_KEY)
    folder = str(studio.folder(BASE_KEY))
    assert manual.folder == studio.folder(BASE_KEY)
    repository = "Qwen/Qwen3-TTS-12Hz-0.6B-Base"
    assert shlex.split(manual.hf_command) == ["hf", "download", repository, "--local-dir", folder]
    assert shlex.split(manual.modelscope_command) == [
        "modelscope",
        "download",
        "--model",
        repository,
        "--local_dir",
        folder,
    ]
    echoed = subprocess.run(
        ["sh", "-c", manual.hf_command.replace("hf download", "printf '%s\\n'", 1)],
        capture_output=True,
        text=True,
        check=True,
    )
    assert echoed.stdout.splitlines() == [repository, "--local-dir", folder]


def test_a_windows_path_is_put_in_double_quotes() -> None:
    assert quote_for_shell(r"C:\Users\A B\models", windows=True) == r'"C:\Users\A B\models"'


def test_a_model_that_is_published_nowhere_has_no_commands(tmp_path: Path) -> None:
    entry = {**catalogue_entry(ModelKind.CUSTOM_VOICE, "Mine", PUBLISHED[CUSTOM_KEY]), "hf": "", "modelscope": ""}
    manual = build_studio(tmp_path, {"mine": entry}).manager().manual_download("mine")
    assert (manual.hf_command, manual.modelscope_command) == ("", "")


def test_the_background_check_verifies_every_ready_model(studio: Studio) -> None:
    for key in (TOKENIZER_KEY, BASE_KEY, CUSTOM_KEY):
        studio.install(key)
    (studio.folder(CUSTOM_KEY) / MAIN).unlink()
    models = studio.manager()
    assert not models.background.running
    models.start_background_check()
    models.start_background_check()
    wait_until(lambda: not models.background.running)
    found = {status.key: status.verification.value for status in models.statuses() if status.exists}
    assert found == {TOKENIZER_KEY: "verified", BASE_KEY: "verified", CUSTOM_KEY: "none"}
    models.close()


def test_the_background_check_tells_how_far_it_is_and_stops_when_closed(
    long_studio: Studio, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tts_core.models.status._BACKGROUND_PAUSE_S", 60.0)
    models, others = long_studio.manager(), set(threading.enumerate())  # of tests before this one
    models.start_background_check()
    wait_until(lambda: models.background.done_bytes > 0)
    seen = models.background
    assert (seen.running, seen.key, seen.done_bytes) == (True, BASE_KEY, CHUNK_BYTES)
    assert seen.total_bytes > 2 * CHUNK_BYTES
    models.close()
    assert not models.background.running
    assert not [thread for thread in set(threading.enumerate()) - others if thread.name == "model-check"]
    assert long_studio.status(BASE_KEY).verification is Verification.UNCHECKED


def test_a_failure_of_the_background_check_is_logged_and_the_next_model_still_checked(
    studio: Studio, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    studio.install(TOKENIZER_KEY)
    studio.install(BASE_KEY)
    healthy = ModelStatuses.entry

    def fail_once(models: ModelStatuses, key: str) -> object:
        if key == TOKENIZER_KEY and threading.current_thread().name == "model-check":
            raise RuntimeError("surprise")
        return healthy(models, key)

    monkeypatch.setattr(ModelStatuses, "entry", fail_once)
    models = studio.manager()
    with caplog.at_level(logging.INFO):
        models.start_background_check()
        wait_until(lambda: not models.background.running)
    models.close()
    assert "surprise" in caplog.text
    assert models.status(BASE_KEY).verification is Verification.VERIFIED
