"""The Models tab as HTML, without a browser: groups and rows, the places of acts, details, checks, honest words."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pytest

from tests.models.model_folders import BASE_KEY, CUSTOM_KEY, LARGE_KEY, TOKENIZER_KEY, build_studio
from tests.models.staged_downloads import TOTAL_BYTES, StagedDownloads, stage_downloads
from tts_core.models.cached_model import CachedModel
from tts_core.models.download_faults import NotFoundThere
from tts_core.models.download_task import HUBS, Phase
from tts_core.models.downloads.hubs.ordering import Candidate, hubs
from tts_core.models.files.config import PUBLISHED_SPEAKERS
from tts_core.models.speakers import preset_speakers
from tts_core.platform.job import JobState
from tts_core.platform.settings.sources import SourceSettings
from tts_core.platform.settings.studio import Settings
from tts_core.services import Services, build_services
from tts_core.ui.models.handler import ModelActions, Viewer
from tts_core.ui.models.source_list import source_list
from tts_core.ui.models.sources_panel import answers
from tts_core.ui.models.view import Action
from tts_core.ui.widgets import download_words
from tts_core.ui.widgets.fragments import loaded_models
from tts_core.ui.words import load_words

EN, ZH = load_words("en"), load_words("zh")
FETCHES = {"download", "resume", "retry", "repair", "convert"}
LATIN_IN_CHINESE = set(
    re.findall(
        r"\w+",
        """
        Qwen TTS Hibari Piper Whisper tiny base small medium large turbo CustomVoice Base VoiceDesign Hugging Face
        ModelScope Apache CPU GPU MB GB kB Studio USB HF MIRROR USE HUB OFFLINE OMP WAIT POLICY bfloat float int
        pip install piper tts requirements txt huggingface hub modelscope co rhasspy voices
        """,
    )
)
"""Names of products, units, variables, commands and paths: all that may stand in Latin letters on the Chinese page."""


@pytest.fixture
def staged(services: Services) -> Iterator[StagedDownloads]:
    staged = stage_downloads(services)
    yield staged
    staged.services.jobs.close()


class _Buttons(HTMLParser):
    """Reads the action of each button, in the order of the HTML, with whether it is offered."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.found: list[tuple[str, bool]] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        fields = dict(attrs)
        if tag == "button" and "data-action" in fields:
            self.found.append((fields["data-action"] or "", "hidden" not in fields))


def row(actions: ModelActions, key: str, viewer: Viewer | None = None) -> str:
    overview = actions.overview(viewer or Viewer())
    return re.split(r'(?=<li class="studio-model")', overview.rows.split(f'id="model-{key}"')[1])[0]


def places(row_html: str) -> list[tuple[str, bool]]:
    """The buttons in the row's three places."""
    return _Buttons(row_html.split('class="studio-row-buttons">')[1].partition("</div>")[0]).found


def offered(row_html: str) -> set[str]:
    return {action for action, is_offered in _Buttons(row_html).found if is_offered} - {"details"}


def test_models_stand_in_groups_and_a_row_is_one_line(services: Services) -> None:
    now = ModelActions(services, EN).overview()
    assert re.findall(r"<h2[^>]*>([^<]+)", now.rows) == ["Speak", "Clone", "Design", "Transcribe", "Codec"]
    assert re.findall(r'id="model-(\w+?)" data-look', now.rows)[:3] == ["custom_0_6b", "custom_1_7b", "base_0_6b"]
    assert now.rows.count("<li") == 12
    assert now.small_rows.count("<li") == len(services.models.keys()) - 12
    assert "Not downloaded" in row(ModelActions(services, EN), "custom_1_7b")
    assert 'class="studio-speakers"' not in now.rows
    assert not now.is_busy


def test_every_act_has_a_place_of_its_own_in_every_state(staged: StagedDownloads) -> None:
    actions = ModelActions(staged.services, EN)
    expected = {
        JobState.WAITING: {"pause", "cancel"},
        JobState.RUNNING: {"pause", "cancel"},
        JobState.PAUSED: {"resume", "cancel"},
        JobState.ERROR: {"retry", "cancel"},
    }
    assert offered(row(actions, CUSTOM_KEY)) == {"download"}
    for state, wanted in expected.items():
        code = "disk_full" if state is JobState.ERROR else ""
        staged.change(CUSTOM_KEY, state=state, phase=Phase.TRANSFERRING, bytes_done=1000, code=code)
        now = row(actions, CUSTOM_KEY)
        assert offered(now) == wanted
        pause, cancel, fetch = places(now)
        assert (pause[0], cancel[0]) == ("pause", "cancel")
        assert fetch[0] in FETCHES


def test_a_fresh_download_begins_and_shows_its_progress_at_once(staged: StagedDownloads) -> None:
    actions = ModelActions(staged.services, EN)
    staged.change(CUSTOM_KEY, state=JobState.WAITING, position=1)
    assert 'aria-valuenow="0"' in row(actions, CUSTOM_KEY)
    task = staged.change(CUSTOM_KEY, state=JobState.RUNNING, phase=Phase.VERIFYING, bytes_done=0)
    assert download_words.doing(EN, task) == "Starting"
    assert 'aria-valuenow="0"' in row(actions, CUSTOM_KEY)
    assert actions.overview().is_busy
    resumed = staged.change(CUSTOM_KEY, bytes_done=10)
    assert download_words.doing(EN, resumed) == "Checking files"


def test_the_tabs_name_says_how_far_all_downloads_are(staged: StagedDownloads) -> None:
    actions = ModelActions(staged.services, EN)
    assert actions.overview().tab_label == "Models"
    staged.at(CUSTOM_KEY, 860_000)
    staged.change(BASE_KEY, state=JobState.WAITING)
    assert actions.overview().tab_label == "Models 43 %"
    assert ModelActions(staged.services, ZH).overview().tab_label == "模型 43 %"
    staged.change(CUSTOM_KEY, state=JobState.PAUSED)
    staged.change(BASE_KEY, state=JobState.CANCELLED)
    assert actions.overview().tab_label == "Models"


def test_a_cancelled_download_is_resumed(tmp_path: Path) -> None:
    """Its parts are kept, after a restart as well; only a file that went away later is repaired."""
    studio = build_studio(tmp_path, {})
    services = studio_on(studio.root, tmp_path)
    folder, actions = services.models.folder(CUSTOM_KEY), ModelActions(services, EN)
    assert offered(row(actions, CUSTOM_KEY)) == {"download"}
    entry = services.models.entry(CUSTOM_KEY)
    largest = max(entry.files, key=lambda file: file.size)
    installed = studio.install(CUSTOM_KEY)
    folder.parent.mkdir(parents=True, exist_ok=True)
    installed.rename(folder)
    (folder / largest.path).unlink()
    assert offered(row(actions, CUSTOM_KEY)) == {"repair"}
    parted = replace(services.models.status(CUSTOM_KEY), bytes_done=services.models.status(CUSTOM_KEY).bytes_done + 9)
    view = next(view for view in actions.views() if view.status.key == CUSTOM_KEY)
    assert (view.main_action, replace(view, status=parted).main_action) == (Action.REPAIR, Action.RESUME)
    task = stage_downloads(services).change(CUSTOM_KEY, state=JobState.CANCELLED, bytes_done=10)
    cancelled = replace(view, status=replace(view.status, download=task))
    assert cancelled.main_action is Action.RESUME
    services.close()


@pytest.mark.parametrize("key", [CUSTOM_KEY, LARGE_KEY])
def test_every_preset_speaker_is_described_before_a_byte_is_here(services: Services, key: str) -> None:
    assert set(preset_speakers()) == set(PUBLISHED_SPEAKERS)
    for words, anna, dylan in (
        (EN, "Japanese · female · ", "Beijing Dialect · male"),
        (ZH, "日语 · 女声 · ", "中文（北京话） · 男声"),
    ):
        now = row(ModelActions(services, words), key, Viewer("me", key))
        assert 'data-open="true"' in now
        for speaker in preset_speakers().values():
            assert speaker.about[words.language] in now
            assert f"<dt>{speaker.title}</dt>" in now
        assert anna in now
        assert dylan in now
    assert {len(speaker.about) for speaker in preset_speakers().values()} == {2}


def test_only_the_asked_row_unfolds_and_folds_again(services: Services) -> None:
    actions = ModelActions(services, EN)
    viewer = actions.fold(Viewer("me"), CUSTOM_KEY)
    assert viewer.unfolded == CUSTOM_KEY
    assert actions.overview(viewer).rows.count('data-open="true"') == 1
    assert actions.fold(viewer, BASE_KEY).unfolded == BASE_KEY
    assert actions.fold(viewer, CUSTOM_KEY).unfolded == ""
    assert "hf download Qwen/" in row(actions, CUSTOM_KEY, viewer)
    assert str(services.models.folder(CUSTOM_KEY)) in row(actions, CUSTOM_KEY, viewer)


def studio_on(root: Path, tmp_path: Path) -> Services:
    variables = {"TTS_STUDIO_DATA_DIR": str(tmp_path / "data"), "TTS_STUDIO_CATALOG": str(root / "catalogue.json")}
    return build_services(Settings.from_env(variables))


def test_a_check_ends_with_what_it_found_and_the_finding_goes_with_its_cause(tmp_path: Path) -> None:
    studio = build_studio(tmp_path)
    services = studio_on(studio.root, tmp_path)
    folder = services.models.folder(TOKENIZER_KEY)
    folder.parent.mkdir(parents=True, exist_ok=True)
    studio.install(TOKENIZER_KEY).rename(folder)
    actions, viewer = ModelActions(services, EN), Viewer("me", TOKENIZER_KEY)
    assert "check" in offered(row(actions, TOKENIZER_KEY, viewer))
    shown = [now.rows for now in actions.check(TOKENIZER_KEY, viewer)]
    assert 'data-action="stop_check"' in shown[0]
    assert 'data-action="stop_check"' not in shown[-1]
    assert "all files are complete and intact" in shown[-1]
    assert "all files are complete and intact" not in actions.overview(Viewer("another", TOKENIZER_KEY)).rows
    weights = folder / "model.safetensors"
    data = bytearray(weights.read_bytes())
    data[-1] ^= 1
    weights.write_bytes(data)
    assert "complete and intact" not in row(actions, TOKENIZER_KEY, viewer)
    assert "not everything is in order" in [now.rows for now in actions.check(TOKENIZER_KEY, viewer)][-1]
    data[-1] ^= 1
    weights.write_bytes(data)
    assert "not everything is in order" not in row(actions, TOKENIZER_KEY, viewer)
    services.close()


def test_an_outcome_of_a_test_is_no_success_where_nobody_answered() -> None:
    assert "✓" not in answers(EN, 0)
    assert "No source answered" in answers(EN, 0)
    assert "✓" not in answers(EN, 1)
    assert "✓ 3 of 3 sources answered" in answers(EN, len(HUBS))
    silent = [Candidate(hub, "unreachable") for hub in hubs(SourceSettings())]
    html = source_list(EN, silent, {}, can_move=True)
    assert html.count("Did not answer the test") == len(silent)
    assert "last" not in html.replace("data-", "")


def test_time_until_a_model_is_unloaded_is_rounded() -> None:
    model = CachedModel("qwen", CUSTOM_KEY, "Mine", True, 0, "cpu", 1, 1, 1, unload_in_s=253.0)
    assert "unloads in 4 min" in loaded_models(EN, [model])
    assert "4 分钟后卸载" in loaded_models(ZH, [model])
    assert "loading …" in loaded_models(EN, [replace(model, is_loaded=False, done_bytes=0)])
    assert "50 %" in loaded_models(EN, [replace(model, is_loaded=False, done_bytes=1, total_bytes=2)])


def test_the_chinese_tab_has_no_english_words(staged: StagedDownloads) -> None:
    """Whatever the models' states are, with every row unfolded: only names, units and commands are in Latin letters."""
    staged.at(CUSTOM_KEY, TOTAL_BYTES // 3)
    staged.change(BASE_KEY, state=JobState.PAUSED, bytes_done=10)
    staged.change(LARGE_KEY, state=JobState.ERROR, code=NotFoundThere.code, params={})
    actions, names = ModelActions(staged.services, ZH), LATIN_IN_CHINESE
    spoken = {word for speaker in preset_speakers().values() for word in speaker.title.split()}
    for key in staged.services.models.keys():  # noqa: SIM118
        now = actions.overview(Viewer("me", key))
        text = re.sub(r"<code[^>]*>.*?</code>|<[^>]+>", " ", now.summary + now.rows + now.small_rows)
        voices = {word for name in actions.names.values() for word in re.findall(r"[A-Za-z]{2,}", name)}
        found = set(re.findall(r"[A-Za-z]{2,}", text.replace("&quot;", "")))
        assert found - names - spoken - voices == set()
    tables = ("models", "group", "brief", "sources", "store", "system", "state", "action", "phase", "gender")
    texts = {
        key: re.sub(r"\{\w+\}|<code>.*?</code>|<[^>]+>", " ", text)
        for key, text in ZH.table.items()
        if key.startswith(tables)
    }
    english = {key: set(re.findall(r"[A-Za-z]{2,}", text)) - names for key, text in texts.items()}
    assert {key: found for key, found in english.items() if found} == {}
