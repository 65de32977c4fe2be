"""A recording's quality as a model for a voice: measured, judged, and the fixes for its faults. Knows no model.

Levels are dB relative to full scale. Speech is found by its energy: a frame counts as speech when it stands clearly
above the quietest tenth of the recording and not far below the loudest.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Literal

import numpy as np
import numpy.typing as npt

from tts_core.audio.faults import RecordingSilent
from tts_core.domain.events import Samples

FRAME_S = 0.03
HOP_S = 0.01
MIN_GOOD_S, MIN_S, MAX_GOOD_S = 3.0, 1.0, 30.0
LEAST_SPEECH_S = 0.2
"""Seconds of speech below which there is none."""
SILENCE_DB = -75.0
QUIET_DB, LOUD_DB = -34.0, -8.0
MIN_SNR_DB = 15.0
CLIPPED_SHARE = 0.0005
MAX_SILENCE_SHARE = 0.45
NARROW_HZ = 5_500.0
LEAK = 0.76
LEAK_TAIL_S, LEAK_HEAD_S = 0.45, 1.5
_LEAK_FRAMES = 20
_CLIP_LEVEL = 0.985
_SPEECH_ABOVE_NOISE_DB, _SPEECH_BELOW_PEAK_DB = 9.0, 35.0
_FLOOR_DB = -100.0
_PITCH_HZ = (65.0, 420.0)
_PITCH_STRENGTH = 0.55
_MEASURED = ("speech_s", "duration_s", "level_db", "snr_db", "bandwidth_hz", "lost_s")
"""The measurements that messages name."""
_BLOCK_LEVELS, _BLOCK_SAMPLES, _BLOCK_FRAMES = 512, 1 << 17, 64
"""The frames, samples and spectra that are looked at together: a few megabytes."""
_PITCH_STEP = 2
"""The frames from one measured pitch to the next."""
_OTHER_SPEAKER_RATIO, _OTHER_SPEAKER_SHARE = 1.45, 0.25

FindingCode = Literal[
    "no_speech",
    "too_short",
    "short",
    "long",
    "quiet",
    "loud",
    "clipped",
    "noisy",
    "pauses",
    "narrow_band",
    "several_speakers",
    "damaged",
]
FINDING_TEMPLATES: Mapping[FindingCode, str] = {
    "no_speech": "No speech was detected. Check the microphone and record again.",
    "too_short": "Only {speech_s:.1f} s of speech. Record at least 3 seconds; 5 to 15 are best.",
    "short": "{speech_s:.1f} s of speech work, 5 to 15 would sound closer.",
    "long": "{duration_s:.0f} s is longer than needed. Keep only the best 3 to 15 seconds.",
    "quiet": "It is quiet ({level_db:.0f} dB). Speak closer to the microphone, or raise the level.",
    "loud": "It is very loud ({level_db:.0f} dB). Lower the level.",
    "clipped": "The loudest parts are cut off. Turn the microphone down and record again.",
    "noisy": "Noise is only {snr_db:.0f} dB below the voice, and the clone learns it too. Record in a quiet room.",
    "pauses": "{silence_percent:.0f} % of it is silence. Trim it.",
    "narrow_band": "Nothing sounds above {bandwidth_hz:.0f} Hz, as over a telephone. A better microphone helps.",
    "several_speakers": "It sounds like more than one speaker. Keep a part with only one.",
    "damaged": "{lost_s:.1f} s of the file are damaged and left out. Check by ear whether words are missing.",
}


class Fix(str, Enum):
    """A change that mends a finding with one click."""

    TRIM = "trim"
    LEVEL = "level"
    BEST_PART = "best_part"


class Severity(str, Enum):
    PROBLEM = "problem"
    ADVICE = "advice"


@dataclass(frozen=True, slots=True)
class Finding:
    code: FindingCode
    severity: Severity
    fix: Fix | None = None
    params: Mapping[str, object] = field(default_factory=dict)

    @property
    def message(self) -> str:
        """The finding as an English sentence."""
        return FINDING_TEMPLATES[self.code].format(**self.params)


@dataclass(frozen=True, slots=True)
class ClipReport:
    duration_s: float
    sample_rate: int
    level_db: float
    """The RMS of the speech."""
    peak_db: float
    snr_db: float
    """The level of speech over the quietest moments: even without a pause there are some, before a p or a t."""
    speech_s: float
    silence_share: float
    """The share of the recording that is silent, 0 to 1."""
    clipped_share: float
    """The share of the samples that are clipped, 0 to 1."""
    bandwidth_hz: float
    """The frequency below which all but a thousandth of the energy of speech lies."""
    findings: tuple[Finding, ...]
    lost_s: float = 0.0
    """The seconds that were damaged in the file and left out."""

    @property
    def is_good(self) -> bool:
        return not any(finding.severity is Severity.PROBLEM for finding in self.findings)


def examine(samples: Samples, sample_rate: int, *, lost_s: float = 0.0) -> ClipReport:
    """The measurements of mono samples in [-1, 1], and the findings they give rise to. Half an hour is looked at in
    blocks, so that it needs little more memory than the samples themselves."""
    levels = frame_levels(samples, sample_rate)
    speech = speech_frames(levels)
    speech_s = float(speech.sum() * HOP_S)
    noise_db = float(np.percentile(levels, 3)) if len(levels) else _FLOOR_DB
    level_db = _mean_db(levels[speech]) if speech.any() else _FLOOR_DB
    facts = ClipReport(
        duration_s=len(samples) / sample_rate,
        sample_rate=sample_rate,
        level_db=level_db,
        peak_db=_db(_peak(samples)),
        snr_db=max(0.0, level_db - noise_db),
        speech_s=speech_s,
        silence_share=float(1 - speech.mean()) if len(speech) else 1.0,
        clipped_share=_clipped_share(samples),
        bandwidth_hz=_bandwidth(samples, sample_rate),
        findings=(),
        lost_s=lost_s,
    )
    pitches = _pitches(samples, sample_rate, speech)
    findings = tuple(_judge(facts, pitches))
    return ClipReport(
        **{name: getattr(facts, name) for name in facts.__slots__ if name != "findings"}, findings=findings
    )


def voiced_pitches(samples: Samples, sample_rate: int) -> npt.NDArray[np.float64]:
    """The pitch, hertz, of every other voiced frame of mono samples, one per 2 * HOP_S; shape (voiced,)."""
    return _pitches(samples, sample_rate, speech_frames(frame_levels(samples, sample_rate)))


def require_speech(samples: Samples, sample_rate: int) -> None:
    """Check that there is something to imitate in a recording. Raises RecordingSilent."""
    if speech_frames(frame_levels(samples, sample_rate)).sum() * HOP_S < LEAST_SPEECH_S:
        raise RecordingSilent


def frame_levels(samples: Samples, sample_rate: int) -> npt.NDArray[np.float64]:
    """The RMS of each FRAME_S, one every HOP_S, dB; shape (frames,)."""
    size, hop = round(FRAME_S * sample_rate), round(HOP_S * sample_rate)
    count = max(0, (len(samples) - size) // hop + 1)
    mean = np.zeros(count)
    for first in range(0, count, _BLOCK_LEVELS):
        starts = np.arange(min(_BLOCK_LEVELS, count - first)) * hop
        block = samples[first * hop : first * hop + int(starts[-1]) + size].astype(np.float64)
        energy = np.concatenate([[0.0], np.cumsum(block**2)])
        mean[first : first + len(starts)] = (energy[starts + size] - energy[starts]) / size
    levels: npt.NDArray[np.float64] = 10 * np.log10(np.maximum(mean, 10 ** (_FLOOR_DB / 10)))
    return levels


def speech_frames(levels: npt.NDArray[np.float64]) -> npt.NDArray[np.bool_]:
    """The frames that hold speech, by their levels, shape (frames,); gaps of up to 0.15 s between syllables count."""
    if not len(levels) or float(levels.max()) < SILENCE_DB:
        return np.zeros(len(levels), bool)
    noise, peak = float(np.percentile(levels, 10)), float(np.percentile(levels, 95))
    # A recording that is cut tightly has no quiet tenth: then the frames near the loudest are speech.
    threshold = max(min(noise + _SPEECH_ABOVE_NOISE_DB, peak - 12), peak - _SPEECH_BELOW_PEAK_DB, SILENCE_DB)
    active: npt.NDArray[np.bool_] = levels > threshold
    return _without_short_gaps(active, round(0.15 / HOP_S))


def _without_short_gaps(active: npt.NDArray[np.bool_], most: int) -> npt.NDArray[np.bool_]:
    places = np.flatnonzero(active)
    gaps = np.diff(places)
    filled: npt.NDArray[np.bool_] = active.copy()
    for place in np.flatnonzero((gaps > 1) & (gaps <= most)):
        filled[places[place] : places[place + 1]] = True
    return filled


def _judge(facts: ClipReport, pitches: npt.NDArray[np.float64]) -> list[Finding]:
    if facts.speech_s < LEAST_SPEECH_S:
        return [Finding("no_speech", Severity.PROBLEM)]
    params: dict[str, object] = {
        **{name: getattr(facts, name) for name in _MEASURED},
        "silence_percent": 100 * facts.silence_share,
    }
    judgements: tuple[tuple[bool, FindingCode, Severity, Fix | None], ...] = (
        (facts.speech_s < MIN_S, "too_short", Severity.PROBLEM, None),
        (MIN_S <= facts.speech_s < MIN_GOOD_S, "short", Severity.ADVICE, None),
        (facts.duration_s > MAX_GOOD_S, "long", Severity.ADVICE, Fix.BEST_PART),
        (facts.clipped_share > CLIPPED_SHARE, "clipped", Severity.PROBLEM, None),
        (facts.level_db < QUIET_DB, "quiet", Severity.ADVICE, Fix.LEVEL),
        (facts.level_db > LOUD_DB, "loud", Severity.ADVICE, Fix.LEVEL),
        (facts.snr_db < MIN_SNR_DB, "noisy", Severity.ADVICE, None),
        (facts.silence_share > MAX_SILENCE_SHARE, "pauses", Severity.ADVICE, Fix.TRIM),
        (facts.bandwidth_hz < NARROW_HZ, "narrow_band", Severity.ADVICE, None),
        (_several_speakers(pitches), "several_speakers", Severity.ADVICE, Fix.BEST_PART),
        (facts.lost_s > 0, "damaged", Severity.ADVICE, None),
    )
    return [Finding(code, severity, fix, params) for holds, code, severity, fix in judgements if holds]


def _db(level: float) -> float:
    return float(20 * np.log10(max(level, 10 ** (_FLOOR_DB / 20))))


def _mean_db(levels: npt.NDArray[np.float64]) -> float:
    return float(10 * np.log10(np.mean(10 ** (levels / 10))))


def _peak(samples: Samples) -> float:
    return float(max(samples.max(initial=0.0), -samples.min(initial=0.0)))


def _clipped_share(samples: Samples) -> float:
    """The share of samples that stand at the top for at least three in a row: one alone is a peak."""
    top, flat = _CLIP_LEVEL * max(0.5, _peak(samples)), 0
    for first in range(0, len(samples), _BLOCK_SAMPLES):
        block = samples[first : first + _BLOCK_SAMPLES + 2]
        at_top = np.abs(block) >= top
        run = at_top[:-2] & at_top[1:-1] & at_top[2:]
        flat += int((run & (block[1:-1] == block[:-2])).sum()) if run.any() else 0
    return flat / max(1, len(samples))


def _bandwidth(samples: Samples, sample_rate: int) -> float:
    size = 2048
    whole = samples[: len(samples) // size * size].reshape(-1, size)
    if not len(whole):
        return sample_rate / 2
    power = np.zeros(size // 2 + 1)
    for first in range(0, len(whole), _BLOCK_FRAMES):
        spectra = np.fft.rfft(whole[first : first + _BLOCK_FRAMES] * np.hanning(size))
        power += (np.abs(spectra) ** 2).sum(axis=0)
    share = np.cumsum(power) / max(float(power.sum()), 1e-20)
    return float(np.searchsorted(share, 0.999) * sample_rate / size)


def _several_speakers(pitches: npt.NDArray[np.float64]) -> bool:
    """Whether two groups of pitches lie far apart, each for a good part of the time and in stretches of its own.

    One speaker's pitch moves, but not to and fro between two levels for seconds; two voices of like pitch pass.
    """
    if len(pitches) < 60:
        return False
    smooth = _smooth(pitches, 15)
    middle = np.sqrt(np.percentile(smooth, 5) * np.percentile(smooth, 95))
    low, high = smooth[smooth < middle], smooth[smooth >= middle]
    if min(len(low), len(high)) < _OTHER_SPEAKER_SHARE * len(smooth):
        return False
    crossings = int(np.sum(np.diff((smooth >= middle).astype(int)) != 0))
    return float(np.median(high) / np.median(low)) > _OTHER_SPEAKER_RATIO and crossings <= len(smooth) / 40


def _smooth(values: npt.NDArray[np.float64], reach: int) -> npt.NDArray[np.float64]:
    """The median of each value and its neighbours, `reach` on each side; at the ends there are fewer."""
    padded = np.pad(values, reach, constant_values=np.nan)
    windows = np.lib.stride_tricks.sliding_window_view(padded, 2 * reach + 1)
    blocks = (windows[first : first + _BLOCK_LEVELS] for first in range(0, len(windows), _BLOCK_LEVELS))
    smooth: npt.NDArray[np.float64] = np.concatenate([np.nanmedian(block, axis=1) for block in blocks])
    return smooth


def _pitches(samples: Samples, sample_rate: int, speech: npt.NDArray[np.bool_]) -> npt.NDArray[np.float64]:
    """The pitch of the voiced frames of speech, hertz, by autocorrelation; shape (voiced,)."""
    hop, size = round(HOP_S * sample_rate), round(0.04 * sample_rate)
    lags = slice(int(sample_rate / _PITCH_HZ[1]), int(sample_rate / _PITCH_HZ[0]) + 1)
    fading = 1 - np.arange(lags.start, lags.stop) / size
    starts = np.flatnonzero(speech)[::_PITCH_STEP] * hop
    starts = starts[starts + size <= len(samples)]
    found = [np.zeros(0)]
    for first in range(0, len(starts), _BLOCK_FRAMES):
        frames = samples[starts[first : first + _BLOCK_FRAMES, None] + np.arange(size)].astype(np.float64)
        frames = (frames - frames.mean(axis=1, keepdims=True)) * np.hanning(size)
        similarity = np.fft.irfft(np.abs(np.fft.rfft(frames, 2 * size)) ** 2)
        windows = similarity[:, lags] / np.maximum(similarity[:, :1], np.finfo(float).tiny) / fading
        best = windows.argmax(axis=1)
        is_voiced = (similarity[:, 0] > 0) & (windows.max(axis=1) > _PITCH_STRENGTH)
        found.append(sample_rate / (lags.start + best[is_voiced]))
    return np.concatenate(found)


def leaked_start(result: Samples, result_rate: int, reference: Samples, reference_rate: int) -> float:
    """The degree to which the start of a clone's speech repeats the end of its reference, 0 to 1; above LEAK it does.

    It is the best match of the reference's last syllables (LEAK_TAIL_S of speech) anywhere in the first LEAK_HEAD_S of
    the result: the correlation of their spectra over time, each freed of its mean spectrum, which a voice has in common
    with itself whatever it says.
    """
    tail = _spectra(_end_of_speech(reference, reference_rate), reference_rate)
    head = _spectra(result[: round(LEAK_HEAD_S * result_rate)], result_rate)
    if len(tail) < _LEAK_FRAMES or len(head) < len(tail):
        return 0.0
    tail = _standard(tail)
    scores = [
        float(np.mean(tail * _standard(head[start : start + len(tail)]))) for start in range(len(head) - len(tail) + 1)
    ]
    return max(0.0, *scores)


def _end_of_speech(samples: Samples, sample_rate: int) -> Samples:
    places = np.flatnonzero(speech_frames(frame_levels(samples, sample_rate)))
    end = len(samples) if not len(places) else round((places[-1] * HOP_S + FRAME_S) * sample_rate)
    return samples[max(0, end - round(LEAK_TAIL_S * sample_rate)) : end]


def _spectra(samples: Samples, sample_rate: int) -> npt.NDArray[np.float64]:
    """The log energy in 24 bands up to 8 kHz, narrow below and wide above as the ear has them; shape (frames, 24)."""
    size, hop = round(FRAME_S * sample_rate), round(HOP_S * sample_rate)
    if len(samples) < size:
        return np.zeros((0, 24))
    frames = np.lib.stride_tricks.sliding_window_view(samples, size)[::hop] * np.hanning(size)
    power = np.abs(np.fft.rfft(frames)) ** 2
    mels = np.linspace(0, 2595 * np.log10(1 + 8000 / 700), 25)
    edges = (700 * (10 ** (mels / 2595) - 1) * size / sample_rate).astype(int).clip(0, power.shape[1] - 1)
    bands = [power[:, low : max(high, low + 1)].sum(axis=1) for low, high in itertools.pairwise(edges)]
    logs: npt.NDArray[np.float64] = np.log10(np.stack(bands, axis=1) + 1e-7)
    return logs


def _standard(spectra: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    centred = spectra - spectra.mean(axis=0)
    scaled: npt.NDArray[np.float64] = centred / max(float(centred.std()), 1e-6)
    return scaled
