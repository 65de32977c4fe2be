"""Channels, offsets and levels are put right before anything is judged or kept."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile

from tests.audio.recordings import RATE, tone
from tests.audio.test_clips import LONG, RATE as VOICE_RATE, noise, say, silence
from tts_core.audio.faults import RecordingSilent
from tts_core.audio.judging import examine, require_speech
from tts_core.audio.mixing import mended
from tts_core.audio.reading import Clip, read_recording


def read(path: Path, samples: np.ndarray, rate: int, *, subtype: str = "PCM_16", kind: str = "WAV") -> Clip:
    soundfile.write(path, samples, rate, format=kind, subtype=subtype)
    return read_recording(path)


@pytest.mark.parametrize("kind", ["WAV", "FLAC"])
def test_channels_of_opposite_phase_do_not_cancel_each_other(tmp_path: Path, kind: str) -> None:
    """WAV is read here and FLAC by the decoder's process: both mend. The louder channel is taken as it is."""
    voice = say(LONG)
    crossed = np.stack([0.8 * voice, -voice], axis=1)
    clip = read(tmp_path / "a", crossed, VOICE_RATE, kind=kind)
    assert clip.channels == 2
    np.testing.assert_allclose(clip.samples, -voice, atol=2 / 32768)
    assert examine(clip.samples, clip.sample_rate).findings == ()


def test_an_offset_does_not_hide_that_channels_cancel(tmp_path: Path) -> None:
    voice = 0.5 * say(LONG)
    clip = read(tmp_path / "a", np.stack([voice + 0.2, 0.2 - voice], axis=1), VOICE_RATE)
    assert np.abs(clip.samples).max() == pytest.approx(np.abs(voice).max(), rel=0.01)


@pytest.mark.parametrize("other", [1.0, 0.0, -0.2])
def test_other_channels_are_averaged(tmp_path: Path, other: float) -> None:
    clip = read(tmp_path / "a", np.stack([tone(1), other * tone(1)], axis=1), RATE)
    assert np.abs(clip.samples).max() == pytest.approx(0.5 * (1 + other) / 2, abs=0.001)


@pytest.mark.parametrize("kind", ["WAV", "FLAC"])
def test_an_offset_is_no_noise(tmp_path: Path, kind: str) -> None:
    voice = say(LONG)
    plain, offset = (read(tmp_path / "a", voice + by, VOICE_RATE, kind=kind) for by in (0.0, 0.02))
    assert examine((voice + np.float32(0.02)), VOICE_RATE).snr_db < 20
    reports = [examine(clip.samples, clip.sample_rate) for clip in (plain, offset)]
    assert reports[1].findings == reports[0].findings == ()
    assert reports[1].snr_db == pytest.approx(reports[0].snr_db, abs=0.5)


def test_samples_beyond_full_scale_are_turned_down_and_not_cut_off(tmp_path: Path) -> None:
    voice = say(LONG)
    clip = read(tmp_path / "a", 200 * voice, VOICE_RATE, subtype="FLOAT")
    assert np.abs(clip.samples).max() == 1.0
    np.testing.assert_allclose(clip.samples, voice / np.abs(voice).max(), atol=1e-6)
    assert "clipped" not in [finding.code for finding in examine(clip.samples, clip.sample_rate).findings]


def test_what_lies_as_it_should_is_not_touched() -> None:
    voice = say(LONG)
    before = voice.copy()
    np.testing.assert_array_equal(mended(voice), before)
    assert mended(silence(0)).size == 0


def test_nothing_is_imitated_where_nothing_is_heard() -> None:
    for silent in (silence(3), silence(0), noise(3, 1e-5), np.concatenate([silence(3), noise(0.05, 0.5), silence(3)])):
        with pytest.raises(RecordingSilent):
            require_speech(silent, VOICE_RATE)
    require_speech(say(LONG), VOICE_RATE)
    require_speech(np.float32(0.003) * say(LONG), VOICE_RATE)
