"""What the page does around Whisper, without a browser: listening and its Stop, languages, the offer of a model."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import gradio as gr
import pytest

from tests.conftest import wait_until
from tests.engines.whisper.whisper_studio import whisper_studio
from tests.models.model_folders import TOKENIZER_KEY
from tests.models.staged_downloads import TOTAL_BYTES, StagedDownloads, stage_downloads
from tts_core.audio.judging import ClipReport
from tts_core.domain.engine import CancelCheck
from tts_core.domain.errors import Cancelled
from tts_core.engines.faults import ConversionFailed, TranscriberMissing
from tts_core.engines.whisper.error_rate import compare
from tts_core.engines.whisper.transcriber import LOADING, Say, SpokenCheck
from tts_core.engines.whisper.transcript import Transcript
from tts_core.models.download_task import Phase
from tts_core.platform.job import JobKind, JobRun, JobState
from tts_core.platform.settings.studio import Settings
from tts_core.services import Services, build_services
from tts_core.ui.clone import view as clone_view
from tts_core.ui.clone.handler import CloneHandler, Desk
from tts_core.ui.models.handler import ModelActions
from tts_core.ui.models.view import Action
from tts_core.ui.transcribe import words as transcribe_words
from tts_core.ui.transcribe.handler import Listening, Stage
from tts_core.ui.transcribe.offer import Offers
from tts_core.ui.words import load_words

SMALL, TINY = "whisper_small", "whisper_tiny"
SOON_S = 120.0
EN, ZH = load_words("en"), load_words("zh")


@pytest.fixture
def staged(services: Services) -> Iterator[StagedDownloads]:
    staged = stage_downloads(services)
    yield staged
    staged.services.jobs.close()


def test_stages_come_first_then_the_outcome() -> None:
    seen = threading.Event()

    def work(_cancelled: CancelCheck, say: Say) -> str:
        say(LOADING, 10.0)
        assert seen.wait(SOON_S)
        return "hello"

    run = Listening().run(work, "me")
    assert next(run) == Stage(LOADING, 10.0)
    seen.set()
    assert list(run) == ["hello"]


def test_what_goes_wrong_is_raised_where_it_is_watched() -> None:
    def work(_cancelled: CancelCheck, _say: Say) -> str:
        raise TranscriberMissing(key="k", name="n", megabytes=1)

    with pytest.raises(TranscriberMissing):
        list(Listening().run(work, "me"))


def until_cancelled(cancelled: CancelCheck, say: Say) -> str:
    waiting = threading.Event()
    say(LOADING, 1.0)
    while not cancelled():
        waiting.wait(0.01)
    raise Cancelled


def test_stop_reaches_the_sessions_own_work() -> None:
    listening = Listening()
    run = listening.run(until_cancelled, "me")
    assert next(run) == Stage(LOADING, 1.0)
    listening.stop("somebody else")
    listening.stop("me")
    with pytest.raises(Cancelled):
        list(run)


def test_who_leaves_or_begins_anew_stops_it() -> None:
    listening = Listening()
    left = listening.run(until_cancelled, "me")
    next(left)
    left.close()  # returns once the work has ended
    first = listening.run(until_cancelled, "me")
    next(first)
    second = listening.run(until_cancelled, "me")
    next(second)
    with pytest.raises(Cancelled):
        list(first)
    second.close()


@pytest.mark.parametrize(
    ("chosen", "heard", "text", "expected"),
    [
        ("english", "de", "", "en"),
        ("english", "en", "", ""),
        ("cmn", "zh", "", ""),
        ("Chinese", "yue", "", ""),
        ("auto", "de", "This is what it is.", "en"),
        ("auto", "en", "今天天气很好", "zh"),
        ("auto", "de", "…", ""),
        ("piqd", "de", "", ""),
    ],
)
def test_another_language_is_noticed(chosen: str, heard: str, text: str, expected: str) -> None:
    """Klingon is spoken here, and unknown to Whisper: nothing can be said then."""
    assert transcribe_words.unlike(chosen, heard, text) == expected


def test_languages_have_names_in_both_tables() -> None:
    assert [transcribe_words.language_name(EN, code) for code in ("en", "zh", "cy")] == ["English", "Chinese", "Welsh"]
    assert [transcribe_words.language_name(ZH, code) for code in ("en", "zh", "cy")] == ["英语", "中文", "威尔士语"]


def test_the_coach_tells_the_language_and_whether_it_fits(services: Services, tmp_path: Path) -> None:
    report = ClipReport(
        duration_s=8.0,
        sample_rate=24_000,
        level_db=-20.0,
        peak_db=-3.0,
        snr_db=40.0,
        speech_s=7.0,
        silence_share=0.1,
        clipped_share=0.0,
        bandwidth_hz=10_000.0,
        findings=(),
    )
    desk = Desk(working=tmp_path / "clip.wav", report=report)
    handler = CloneHandler(services)
    assert handler.note_language(desk, tmp_path / "earlier.wav", "de") == desk
    heard = handler.note_language(desk, tmp_path / "clip.wav", "de")
    assert 'class="studio-coach" data-look="good"' in clone_view.coach(EN, heard)
    assert "German" in clone_view.coach(EN, heard)
    coach = clone_view.coach(ZH, heard, unlike="en")
    assert 'class="studio-coach" data-look="advice"' in coach
    assert "录音是德语，文本是英语" in coach


def test_what_differs_is_marked_and_everything_heard_is_escaped() -> None:
    def shown(wanted: str, heard: str, language: str = "en") -> str:
        transcript = Transcript(heard, language, ())
        return transcribe_words.checked(EN, SpokenCheck(transcript, compare(wanted, heard, language)))

    bad = shown("the cat sat", "the <b>dog</b> sat")
    assert "<del>cat</del><ins>dog</ins>" not in bad
    assert "&lt;b&gt;dog&lt;/b&gt;" in bad
    assert "<b>dog" not in bad
    assert "the <del>cat</del><ins>dog</ins> sat" in shown("The cat sat.", "the dog sat")
    assert "Word error rate 33.3 %" in shown("The cat sat.", "the dog sat")
    assert 'data-look="good"' in shown("The cat sat.", "The cat sat.")
    assert "Character error rate 25.0 %" in shown("今天天气", "今天天器", "zh")
    assert 'data-look="advice"' in shown(
        "one two three four five six seven eight nine ten", "one two three four five six seven eight nine", "de"
    )
    assert "No speech was detected" in shown("The cat sat.", "")


def test_who_has_no_model_is_offered_one(staged: StagedDownloads) -> None:
    offers = Offers(staged.services, EN)
    now = offers.look()
    assert (now.is_ready, now.is_coming) == (False, False)
    assert f'data-action="download" data-key="{SMALL}"' in now.html
    assert "Download Whisper small (486 MB)" in now.html
    assert 'data-tab="tab-models"' in now.html
    assert "下载 Whisper small（486 MB）" in Offers(staged.services, ZH).look().html


def test_the_offer_shows_the_numbers_of_the_download(staged: StagedDownloads) -> None:
    offers = Offers(staged.services, EN)
    staged.at(SMALL, 300_000)
    now = offers.follow()
    assert now.is_coming
    assert 'aria-valuenow="30"' in now.html
    assert "30 % · 300 kB of 1 MB" in now.html
    assert f'data-action="cancel" data-key="{SMALL}"' in now.html
    staged.change(SMALL, state=JobState.PAUSED)
    assert f'data-action="resume" data-key="{SMALL}"' in offers.look().html
    staged.change(SMALL, state=JobState.ERROR, phase=Phase.TRANSFERRING, code="disk_full", params={})
    assert not offers.look().is_coming
    assert f'data-action="retry" data-key="{SMALL}"' in offers.look().html


def test_another_whisper_model_on_its_way_is_shown_instead(staged: StagedDownloads) -> None:
    staged.at(TOKENIZER_KEY, TOTAL_BYTES // 2)
    assert not Offers(staged.services, EN).look().is_coming
    staged.at(TINY, TOTAL_BYTES // 2)
    now = Offers(staged.services, EN).look()
    assert now.is_coming
    assert "Whisper tiny is being downloaded" in now.html


def test_the_offers_buttons_steer_the_queue(staged: StagedDownloads) -> None:
    offers, downloads = Offers(staged.services, EN), staged.services.downloads
    assert offers.act(Action.DOWNLOAD, SMALL).is_coming
    assert not offers.act(Action.CANCEL, SMALL).is_coming
    task = downloads.task(SMALL)
    assert task is not None
    assert task.state is JobState.CANCELLED
    with pytest.raises(gr.Error, match="nope"):
        offers.act(Action.DOWNLOAD, "nope")


def test_a_model_that_came_is_told_once(tmp_path: Path) -> None:
    variables = whisper_studio(tmp_path)
    services = build_services(Settings.from_env({**variables, "TTS_STUDIO_DATA_DIR": str(tmp_path / "data")}))
    offers = Offers(services, EN)
    assert (offers.look().html, offers.look().is_ready) == ("", True)
    assert "mine is ready" in offers.follow().html
    services.close()


def test_a_folder_of_an_earlier_version_is_converted_with_a_click_in_its_row(services: Services) -> None:
    go_on, key = threading.Event(), "whisper_base"

    def work(run: JobRun) -> dict[str, object]:
        run.say("convert", 40.0)
        assert go_on.wait(SOON_S)
        raise ConversionFailed(folder="whisper-base", reason="it is broken")

    services.jobs.add_work(JobKind.CONVERSION, work)
    older = services.settings.paths.models_dir / "whisper-base"
    older.mkdir(parents=True)
    (older / "config.json").write_text('{"model_type": "whisper", "d_model": 512, "decoder_layers": 6}')
    (older / "model.safetensors").touch()
    actions, offers, request = ModelActions(services, EN), Offers(services, EN), gr.Request()
    assert "One click converts it" in actions.overview().rows
    assert f'data-action="convert" data-key="{key}"' in actions.overview().rows
    assert f'data-action="convert" data-key="{key}"' in offers.look().html
    assert "点一下即可转换" in ModelActions(services, ZH).overview().rows
    actions.perform(Action.CONVERT, key, "auto", request)
    wait_until(lambda: "Converting · 40 %" in actions.overview().rows)
    assert actions.overview().is_busy
    assert (offers.look().is_coming, "Converting · 40 %" in offers.look().html) == (True, True)
    go_on.set()
    wait_until(lambda: not actions.overview().is_busy)
    assert "it is broken" in actions.overview().rows
    offers.act(Action.CONVERT, key)
    wait_until(lambda: not actions.overview().is_busy)
    with pytest.raises(gr.Error, match="Whisper tiny"):
        actions.perform(Action.CONVERT, TINY, "auto", request)
