"""What the Clone tab does with a recording, without a browser: nothing that came in is ever changed."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile

from tests.audio.recordings import broken, encoded
from tests.engines.qwen.formula_checkpoint import reference_audio
from tts_core.audio.faults import AudioUnreadable, RecordingSilent, RecordingTooLong
from tts_core.audio.judging import Fix
from tts_core.domain.errors import ModelNotReady, ReferenceRequired
from tts_core.domain.values import Recording
from tts_core.services import Services
from tts_core.ui.clone.handler import CloneHandler, Desk
from tts_core.ui.clone.sentence_card import ANOTHER, CHOOSE, press
from tts_core.ui.clone.sentences import LANGUAGES, Sentence
from tts_core.ui.clone.view import coach
from tts_core.ui.transcribe.button import Filled
from tts_core.ui.widgets.forms import OWN_VOICE, TIMBRE_ONLY, CloneForm, SaveForm
from tts_core.ui.words import load_words
from tts_core.voices.faults import ConsentMissing, TranscriptMissing

RATE = 24_000


@pytest.fixture
def handler(services: Services) -> CloneHandler:
    return CloneHandler(services)


def quiet_with_pauses(path: Path, seconds: float = 4.0) -> Path:
    silence = np.random.default_rng(0).normal(0, 2e-4, 4 * RATE)
    voice = 0.02 * reference_audio(seconds, RATE)
    soundfile.write(path, np.concatenate([silence, voice, silence]), RATE)
    return path


def findings(desk: Desk) -> set[str]:
    assert desk.report is not None
    return {finding.code for finding in desk.report.findings}


def seconds(path: Path | None) -> float:
    assert path is not None
    return float(soundfile.info(path).duration)


def test_mending_makes_new_files_and_can_be_undone(handler: CloneHandler, tmp_path: Path) -> None:
    upload = quiet_with_pauses(tmp_path / "me.flac")
    before = upload.read_bytes()
    desk = handler.take_in(Desk(), upload)
    assert findings(desk) >= {"quiet", "pauses"}
    assert not desk.is_mended
    mended = handler.mend(handler.mend(desk, Fix.TRIM), Fix.LEVEL)
    assert not findings(mended) & {"quiet", "pauses"}
    assert mended.is_mended
    assert seconds(mended.working) < seconds(desk.working)
    back = handler.revert(mended)
    assert (back.working, findings(back)) == (desk.working, findings(desk))
    assert (mended.upload, upload.read_bytes()) == (upload, before)


def test_a_part_chosen_by_hand_replaces_what_is_worked_on(handler: CloneHandler, tmp_path: Path) -> None:
    desk = handler.take_in(Desk(), quiet_with_pauses(tmp_path / "me.wav"))
    soundfile.write(tmp_path / "audio.wav", reference_audio(2.0, RATE), RATE)
    trimmed = handler.take_in(desk, tmp_path / "audio.wav")
    assert seconds(trimmed.working) == pytest.approx(2.0, abs=0.01)
    assert (trimmed.upload, trimmed.plain) == (desk.upload, desk.plain)


def test_what_the_page_was_just_told_is_nothing_new(handler: CloneHandler, tmp_path: Path) -> None:
    desk = handler.take_in(Desk(), quiet_with_pauses(tmp_path / "me.wav"))
    assert desk.working is not None
    assert desk.shows(Path("elsewhere") / desk.working.name)
    assert not desk.shows(None)
    assert Desk().shows(None)


def test_several_recordings_are_joined_in_their_order(handler: CloneHandler, tmp_path: Path) -> None:
    for number, length in enumerate((2.0, 3.0)):
        soundfile.write(tmp_path / f"{number}.wav", reference_audio(length, RATE), RATE)
    kept = handler.put_aside(handler.take_in(Desk(), tmp_path / "0.wav"))
    assert (kept.working, len(kept.kept)) == (None, 1)
    joined = handler.take_in(kept, tmp_path / "1.wav")
    assert 5.0 < seconds(joined.working) < 6.0
    assert handler.take_in(joined, None).kept == kept.kept


def test_too_much_together_is_refused_and_nothing_is_lost(handler: CloneHandler, tmp_path: Path) -> None:
    soundfile.write(tmp_path / "long.wav", np.tile(reference_audio(10.0, RATE), 4), RATE)
    kept = handler.put_aside(handler.take_in(Desk(), tmp_path / "long.wav"))
    with pytest.raises(RecordingTooLong):
        handler.take_in(kept, tmp_path / "long.wav")
    assert len(kept.kept) == 1


def test_a_recording_that_was_removed_can_be_brought_back(handler: CloneHandler, tmp_path: Path) -> None:
    desk = handler.take_in(Desk(), quiet_with_pauses(tmp_path / "me.wav"))
    assert handler.restored(desk) == desk
    without = handler.take_in(desk, None)
    assert (without.working, handler.take_in(without, None)) == (None, without)
    assert 'data-action="restore"' in coach(load_words("en"), without)
    assert handler.restored(without) == desk
    broken = tmp_path / "page.wav"
    broken.write_text("<html>", encoding="utf-8")
    with pytest.raises(AudioUnreadable):
        handler.take_in(without, broken)
    aside = handler.put_aside(desk)
    started_over = handler.without(aside, keeps_earlier=False)
    assert (started_over.kept, handler.restored(started_over)) == ((), aside)
    assert handler.take_in(without, tmp_path / "me.wav").removed is None


def test_a_chosen_sentence_is_the_transcript_and_typed_text_comes_back() -> None:
    words, first = load_words("en"), Sentence("german")
    assert [Sentence("german", 2).following(), first.following()] == [first, Sentence("german", 1)]
    sentence, card, *others = press(words, ANOTHER, first, Filled(), "mine")
    assert sentence == Sentence("german", 1)
    assert 'lang="de"' in card
    assert all("update" in str(other) for other in others), "the transcript stays as it is"
    _, card, transcript, filled, status = press(words, CHOOSE, first, Filled(), "")
    assert (transcript, filled, status) == (first.text, Filled(first.text), "")
    assert words("sentence.chosen") in card
    *_, transcript, filled, status = press(words, CHOOSE, first, Filled(), "mine")
    assert (transcript, filled) == (first.text, Filled(first.text, "mine"))
    assert 'data-action="undo"' in status
    *_, status = press(words, CHOOSE, sentence, filled, first.text)
    assert status == "", "an earlier sentence is nobody's own text"


def test_every_sentence_can_be_read_in_five_to_fifteen_seconds() -> None:
    for language in LANGUAGES:
        texts = {Sentence(language, number).text for number in range(3)}
        assert len(texts) == 3
        is_dense = language in ("chinese", "japanese", "korean")
        for text in texts:
            assert (28 if is_dense else 85) <= len(text) <= (62 if is_dense else 145), (language, len(text))


def test_a_long_upload_gives_its_best_part(handler: CloneHandler, tmp_path: Path) -> None:
    soundfile.write(tmp_path / "talk.wav", np.tile(reference_audio(10.0, RATE), 7), RATE)
    desk = handler.take_in(Desk(), tmp_path / "talk.wav")
    assert desk.was_cut
    assert 3.0 <= seconds(desk.working) <= 16.0


def test_silence_is_not_praised_for_its_level(handler: CloneHandler, tmp_path: Path) -> None:
    soundfile.write(tmp_path / "silence.wav", np.zeros(4 * RATE), RATE)
    desk = handler.take_in(Desk(), tmp_path / "silence.wav")
    told = coach(load_words("en"), desk)
    assert "Check the microphone" in told
    assert " dB" not in told
    form = SaveForm("Nobody", str(desk.working), mode=TIMBRE_ONLY, model="base_0_6b", consent=OWN_VOICE)
    with pytest.raises(RecordingSilent):
        handler.save(form, desk)


def test_what_is_damaged_is_told_also_after_mending(handler: CloneHandler, tmp_path: Path) -> None:
    samples = np.concatenate([np.zeros(3 * RATE, np.float32), reference_audio(6.0, RATE)])
    (tmp_path / "me.flac").write_bytes(broken(encoded("flac", "flac", samples, RATE)))
    desk = handler.take_in(Desk(), tmp_path / "me.flac")
    for shown in (desk, handler.mend(desk, Fix.TRIM)):
        assert "of the file are damaged and left out" in coach(load_words("en"), shown)
    assert "已跳过" in coach(load_words("zh"), desk)


def test_what_is_no_recording_is_refused(handler: CloneHandler, tmp_path: Path) -> None:
    (tmp_path / "page.wav").write_text("<html>", encoding="utf-8")
    with pytest.raises(AudioUnreadable):
        handler.take_in(Desk(), tmp_path / "page.wav")


def test_a_request_says_what_is_missing(handler: CloneHandler, tmp_path: Path) -> None:
    recording = str(quiet_with_pauses(tmp_path / "me.wav"))
    with pytest.raises(ReferenceRequired):
        handler.spoken(CloneForm(None, "hello"))
    with pytest.raises(ModelNotReady):
        handler.spoken(CloneForm(recording, "hello", "what is said"))
    with pytest.raises(TranscriptMissing):
        handler.spoken(CloneForm(recording, "hello", model="base_0_6b"))
    with pytest.raises(TranscriptMissing):
        handler.spoken(CloneForm(recording, "hello", "hello", model="base_0_6b", mode="nothing known"))
    source = handler.spoken(CloneForm(recording, "hi", model="base_0_6b", mode=TIMBRE_ONLY)).to_request().source
    assert isinstance(source, Recording)
    assert source.transcript is None


def test_a_voice_is_kept_with_the_upload_and_the_mended_recording(
    handler: CloneHandler, services: Services, tmp_path: Path
) -> None:
    upload = quiet_with_pauses(tmp_path / "me.flac")
    desk = handler.mend(handler.take_in(Desk(), upload), Fix.TRIM)
    form = SaveForm("Anna", str(desk.working), "hello", model="base_0_6b", consent=OWN_VOICE)
    voice = handler.save(form, desk)
    folder = services.settings.paths.voices_dir / voice.id
    assert (folder / "original.flac").read_bytes() == upload.read_bytes()
    assert seconds(folder / "reference.wav") == pytest.approx(seconds(desk.working), abs=0.01)
    assert voice.meta["consent"]["own_voice"] is True
    with pytest.raises(ConsentMissing):
        handler.save(SaveForm("Berta", str(desk.working), "hello", model="base_0_6b"), desk)
    assert [kept.name for kept in services.voices.voices()] == ["Anna"]
