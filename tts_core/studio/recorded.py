"""Takes that people record themselves, and the shape of a take's loudness for a picture of it."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from tts_core.audio.files import AudioWriter
from tts_core.audio.judging import require_speech
from tts_core.audio.reading import read_recording
from tts_core.studio.disk.journal import now
from tts_core.studio.model import SegmentTake, TakeOrigin
from tts_core.studio.store import OpenProject

MAX_TAKE_S = 120.0
"""The longest recording of one segment."""


def keep_recording(opened: OpenProject, segment_id: str, upload: Path) -> SegmentTake:
    """Keep a person's recording as a take of the segment.

    Raises UnknownSegment, AudioUnreadable, RecordingTooLong, RecordingSilent, OutputFailed, and as `add_take`.
    """
    opened.require_writable()
    row = opened.row(segment_id)
    clip = read_recording(upload, max_seconds=MAX_TAKE_S)
    require_speech(clip.samples, clip.sample_rate)
    sound = upload.with_name("recorded.flac")
    with AudioWriter(sound, "flac", clip.sample_rate) as writer:
        writer.write(clip.samples)
    take = SegmentTake(
        id="",
        file="",
        number=row.segment.next_number,
        key=row.keys.recorded,
        duration_s=writer.duration_s,
        sample_rate=writer.sample_rate,
        made_at=now(),
        origin=TakeOrigin.RECORDED,
    )
    return opened.add_take(segment_id, sound, take)


def peaks_of(sound: Path, count: int) -> tuple[float, list[float]]:
    """The length of a sound file in seconds, and the loudest sample of each of `count` equal parts. Raises
    AudioUnreadable."""
    clip = read_recording(sound, max_seconds=10 * MAX_TAKE_S)
    parts = np.array_split(np.abs(clip.samples), min(count, max(1, clip.samples.size)))
    return clip.duration_s, [round(float(part.max(initial=0.0)), 4) for part in parts]
