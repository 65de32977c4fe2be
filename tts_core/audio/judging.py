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

from tts_core.domain.events import Samples

FRAME_S = 0.03
HOP_S = 0.01
MIN_GOOD_S, MIN_S, MAX_GOOD_S = 3.0, 1.0, 30.0
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
]
FINDING_TEMPLATES: Mapping[FindingCode, str] = {
    "no_speech": "No speech is heard in it. Check the microphone and record again.",
    "too_short": "Only {speech_s:.1f} s of speech. Record at least 3 seconds; 5 to 15 are best.",
    "short": "{speech_s:.1f} s of speech work, 5 to 15 would sound closer.",
    "long": "{duration_s:.0f} s are more than helps. The best 3 to 15 seconds can be cut out.",
    "quiet": "It is quiet ({level_db:.0f} dB). Speak closer to the microphone, or raise the level.",
    "loud": "It is very loud ({level_db:.0f} dB). Lower the level.",
    "clipped": "The loudest parts are cut off. Turn the microphone down and record again.",
    "noisy": "Noise is only {snr_db:.0f} dB below the voice, and the clone learns it too. Record in a quiet room.",
    "pauses": "{silence_percent:.0f} % of it is silence. Trim it.",
    "narrow_band": "Nothing sounds above {bandwidth_hz:.0f} Hz, as over a telephone. A better microphone helps.",
    "several_speakers": "It sounds like more than one speaker. Keep a part with only one.",
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

    @property
    def is_good(self) -> bool:
        return not any(finding.severity is Severity.PROBLEM for finding in self.findings)


def examine(samples: Samples, sample_rate: int) -> ClipReport:
    """The measurements of mono samples in [-1, 1], and the findings they give rise to."""
    levels = frame_levels(samples, sample_rate)
    speech = speech_frames(levels)
    speech_s = float(speech.sum() * HOP_S)
    noise_db = float(np.percentile(levels, 3)) if len(levels) else _FLOOR_DB
    level_db = _mean_db(levels[speech]) if speech.any() else _FLOOR_DB
    facts = ClipReport(
        duration_s=len(samples) / sample_rate,
        sample_rate=sample_rate,
        level_db=level_db,
        peak_db=_db(float(np.abs(samples).max(initial=0.0))),
        snr_db=max(0.0, level_db - noise_db),
        speech_s=speech_s,
        silence_share=float(1 - speech.mean()) if len(speech) else 1.0,
        clipped_share=_clipped_share(samples),
        bandwidth_hz=_bandwidth(samples, sample_rate),
        findings=(),
    )
    pitches = _pitches(samples, sample_rate, speech)
    findings = tuple(_judge(facts, pitches))
    return ClipReport(
        **{name: getattr(facts, name) for name in facts.__slots__ if name != "findings"}, findings=findings
    )


def voiced_pitches(samples: Samples, sample_rate: int) -> npt.NDArray[np.float64]:
    """The pitch, hertz, of every other voiced frame of mono samples, one per 2 * HOP_S; shape (voiced,)."""
    return _pitches(samples, sample_rate, speech_frames(frame_levels(samples, sample_rate)))


def frame_levels(samples: Samples, sample_rate: int) -> npt.NDArray[np.float64]:
    """The RMS of each FRAME_S, one every HOP_S, dB; shape (frames,)."""
    size, hop = round(FRAME_S * sample_rate), round(HOP_S * sample_rate)
    if len(samples) < size:
        return np.zeros(0)
    energy = np.concatenate([[0.0], np.cumsum(samples.astype(np.float64) ** 2)])
    starts = np.arange(0, len(samples) - size + 1, hop)
    mean = np.maximum((energy[starts + size] - energy[starts]) / size, 10 ** (_FLOOR_DB / 10))
    levels: npt.NDArray[np.float64] = 10 * np.log10(mean)
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
    filled: npt.NDArray[np.bool_] = active.copy()
    for before, after in itertools.pairwise(places):
        if 1 < after - before <= most:
            filled[before:after] = True
    return filled


def _judge(facts: ClipReport, pitches: npt.NDArray[np.float64]) -> list[Finding]:
    if facts.speech_s < 0.2:
        return [Finding("no_speech", Severity.PROBLEM)]
    params: dict[str, object] = {
        **{name: getattr(facts, name) for name in ("speech_s", "duration_s", "level_db", "snr_db", "bandwidth_hz")},
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
    )
    return [Finding(code, severity, fix, params) for holds, code, severity, fix in judgements if holds]


def _db(level: float) -> float:
    return float(20 * np.log10(max(level, 10 ** (_FLOOR_DB / 20))))


def _mean_db(levels: npt.NDArray[np.float64]) -> float:
    return float(10 * np.log10(np.mean(10 ** (levels / 10))))


def _clipped_share(samples: Samples) -> float:
    """The share of samples that stand at the top for at least three in a row: one alone is a peak."""
    at_top = np.abs(samples) >= _CLIP_LEVEL * max(0.5, float(np.abs(samples).max(initial=0.0)))
    run = at_top[:-2] & at_top[1:-1] & at_top[2:]
    flat = (np.diff(samples)[:-1][run] == 0) if run.any() else np.zeros(0, bool)
    return float(flat.sum() / max(1, len(samples)))


def _bandwidth(samples: Samples, sample_rate: int) -> float:
    size = 2048
    if len(samples) < size:
        return sample_rate / 2
    starts = range(0, len(samples) - size + 1, size)
    power = np.zeros(size // 2 + 1)
    for start in starts:
        power += np.abs(np.fft.rfft(samples[start : start + size] * np.hanning(size))) ** 2
    share = np.cumsum(power) / max(float(power.sum()), 1e-20)
    return float(np.searchsorted(share, 0.999) * sample_rate / size)


def _several_speakers(pitches: npt.NDArray[np.float64]) -> bool:
    """Whether two groups of pitches lie far apart, each for a good part of the time and in stretches of its own.

    One speaker's pitch moves, but not to and fro between two levels for seconds; two voices of like pitch pass.
    """
    if len(pitches) < 60:
        return False
    smooth = np.array([np.median(pitches[max(0, i - 15) : i + 16]) for i in range(len(pitches))])
    middle = np.sqrt(np.percentile(smooth, 5) * np.percentile(smooth, 95))
    low, high = smooth[smooth < middle], smooth[smooth >= middle]
    if min(len(low), len(high)) < _OTHER_SPEAKER_SHARE * len(smooth):
        return False
    crossings = int(np.sum(np.diff((smooth >= middle).astype(int)) != 0))
    return float(np.median(high) / np.median(low)) > _OTHER_SPEAKER_RATIO and crossings <= len(smooth) / 40


def _pitches(samples: Samples, sample_rate: int, speech: npt.NDArray[np.bool_]) -> npt.NDArray[np.float64]:
    """The pitch of the voiced frames of speech, hertz, by autocorrelation; shape (voiced,)."""
    hop, size = round(HOP_S * sample_rate), round(0.04 * sample_rate)
    lags = slice(int(sample_rate / _PITCH_HZ[1]), int(sample_rate / _PITCH_HZ[0]) + 1)
    found = []
    for place in np.flatnonzero(speech)[::_PITCH_STEP]:
        frame = samples[place * hop : place * hop + size].astype(np.float64)
        if len(frame) < size:
            break
        frame = (frame - frame.mean()) * np.hanning(size)
        spectrum = np.abs(np.fft.rfft(frame, 2 * size)) ** 2
        similarity = np.fft.irfft(spectrum)[:size]
        if similarity[0] <= 0:
            continue
        window = similarity[lags] / similarity[0] / (1 - np.arange(lags.start, lags.stop) / size)
        best = int(np.argmax(window))
        if window[best] > _PITCH_STRENGTH:
            found.append(sample_rate / (lags.start + best))
    return np.asarray(found)


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
