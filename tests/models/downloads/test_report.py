"""What a download is told as: a sentence for every state, and nothing that JSON or a missing parameter could break."""

from __future__ import annotations

import itertools
import json
from dataclasses import replace
from typing import Any

import pytest

from tests.error_tree import every_error
from tts_core.domain.errors import StudioError
from tts_core.models.download_faults import DownloadFault
from tts_core.models.download_report import facts, note_sentence, sentence, summary
from tts_core.models.download_task import DownloadTask, Note, Phase
from tts_core.platform.job import JobState

FAULTS: list[type[StudioError]] = sorted(every_error(DownloadFault), key=lambda kind: kind.__name__)


def task(state: JobState = JobState.RUNNING, phase: Phase = Phase.TRANSFERRING, **more: Any) -> DownloadTask:
    return replace(DownloadTask(subject="custom_0_6b", state=state, phase=phase, seq=7, bytes_total=1000), **more)


@pytest.mark.parametrize(("state", "phase"), list(itertools.product(JobState, Phase)))
def test_every_state_has_a_sentence_and_is_json(state: JobState, phase: Phase) -> None:
    shown = task(state, phase, position=2, bytes_done=420)
    told = json.loads(json.dumps(facts(shown)))
    assert told["message"].endswith(".")
    assert (told["status"], told["phase"], told["downloaded_bytes"]) == (shown.status.value, phase.value, 420)
    assert told["progress"] == (100 if state is JobState.DONE else 42)


@pytest.mark.parametrize("kind", FAULTS)
def test_every_fault_has_a_sentence_whatever_is_known_of_it(kind: type[StudioError]) -> None:
    assert sentence(kind.code, {}).endswith((".", "…"))
    params = {"source": "hf.example", "reasons": ("One broke.", "Two broke.")}
    assert "('" not in sentence(kind.code, params), "reasons are sentences, not a list"


def test_a_code_nobody_knows_is_still_a_sentence() -> None:
    assert sentence("NEW_CODE", {}) == StudioError.template


def test_a_note_says_what_failed_and_who_took_over() -> None:
    params = {"source": "huggingface.co"}
    told = note_sentence(Note("NET_STALLED", params, "hf", "mirror"))
    assert told == (
        "huggingface.co stopped sending. The Hugging Face mirror takes over; nothing that was fetched is lost."
    )
    assert note_sentence(Note("NET_STALLED", params, "hf")) == "huggingface.co stopped sending."


def test_what_stands_still_is_not_called_downloading() -> None:
    assert "nothing came" in summary(task(stalled=True, source="hf"))
    assert summary(task(source="hf", file="a.bin")) == "Downloading a.bin from Hugging Face."
    assert "Another TTS Studio" in summary(task(JobState.WAITING, foreign=True))
    assert facts(task(bytes_done=1000))["progress"] < 100, "100 is for ready ones"
