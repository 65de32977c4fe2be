"""The bytes of messages about jobs: names, their order, numbers and sentences."""

from __future__ import annotations

import pytest
from pydantic import BaseModel

from tts_core.api.studio.messages.shapes import (
    Download,
    JobEvent,
    JobObject,
    ModelEvent,
    StartedDownload,
    socket_message,
)
from tts_core.models.download_task import DownloadTask, Note, Phase
from tts_core.platform.job import Job, JobKind, JobState

DOWNLOAD = DownloadTask(
    subject="custom_0_6b",
    state=JobState.RUNNING,
    phase=Phase.TRANSFERRING,
    source="modelscope",
    bytes_done=420,
    bytes_total=1000,
    bytes_per_second=1.7,
    eta_s=3.14159,
    file="model.safetensors",
    notes=(Note("NET_STALLED", {"source": "huggingface.co"}, "hf", "modelscope"),),
    updated_at=1.5,
    seq=7,
)
CLONE = Job(
    key="5f0c",
    kind=JobKind.CLONE_PREPARE,
    subject="a3d2",
    state=JobState.RUNNING,
    phase="load_audio",
    progress=41.29,
    eta_s=2.22,
    result={"kept": True},
    created_at=1.0,
    updated_at=2.345,
    seq=9,
)
TRANSCRIPT = Job(
    key="77aa",
    kind=JobKind.TRANSCRIPTION,
    subject="tiny",
    state=JobState.DONE,
    progress=100.0,
    result={"text": "Private.", "language": "en"},
    created_at=1.0,
    updated_at=2.0,
    seq=10,
)


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        (
            socket_message(DOWNLOAD),
            '{"provider":"auto","source":"modelscope","phase":"download_running","progress":42.0,'
            '"message":"Downloading model.safetensors from ModelScope.","downloaded_bytes":420,'
            '"total_bytes":1000,"bytes_per_second":2,"eta_seconds":3.1,"stalled":false,"position":0,'
            '"file":"model.safetensors","code":"","notes":[{"code":"NET_STALLED",'
            '"message":"huggingface.co stopped sending. ModelScope takes over; nothing that was fetched is lost.",'
            '"source":"hf","next_source":"modelscope"}],"foreign":false,"seq":7,'
            '"timestamp":"1970-01-01T00:00:01.500+00:00","type":"progress","scope":"qwen3_tts_models",'
            '"project_id":null,"model_key":"custom_0_6b","status":"running","download_status":"downloading"}',
        ),
        (
            ModelEvent.of(DOWNLOAD),
            '{"provider":"auto","source":"modelscope","phase":"transferring","progress":42.0,'
            '"message":"Downloading model.safetensors from ModelScope.","downloaded_bytes":420,'
            '"total_bytes":1000,"bytes_per_second":2,"eta_seconds":3.1,"stalled":false,"position":0,'
            '"file":"model.safetensors","code":"","notes":[{"code":"NET_STALLED",'
            '"message":"huggingface.co stopped sending. ModelScope takes over; nothing that was fetched is lost.",'
            '"source":"hf","next_source":"modelscope"}],"foreign":false,"seq":7,'
            '"timestamp":"1970-01-01T00:00:01.500+00:00","type":"model_progress","model_id":"custom_0_6b",'
            '"status":"downloading","download_status":"downloading"}',
        ),
        (
            Download.of(DOWNLOAD),
            '{"provider":"auto","source":"modelscope","phase":"transferring","progress":42.0,'
            '"message":"Downloading model.safetensors from ModelScope.","downloaded_bytes":420,'
            '"total_bytes":1000,"bytes_per_second":2,"eta_seconds":3.1,"stalled":false,"position":0,'
            '"file":"model.safetensors","code":"","notes":[{"code":"NET_STALLED",'
            '"message":"huggingface.co stopped sending. ModelScope takes over; nothing that was fetched is lost.",'
            '"source":"hf","next_source":"modelscope"}],"foreign":false,"seq":7,'
            '"timestamp":"1970-01-01T00:00:01.500+00:00","key":"custom_0_6b","status":"running","download_status":"downloading"}',
        ),
        (
            StartedDownload.of(DOWNLOAD, "models/folder"),
            '{"key":"custom_0_6b","path":"models/folder","status":"running","download_status":"downloading","downloaded_bytes":420,'
            '"total_bytes":1000,"position":null}',
        ),
        (
            JobEvent.of(DOWNLOAD),
            '{"status":"running","phase":"transferring","progress":42.0,'
            '"message":"Downloading model.safetensors from ModelScope.","position":0,"eta_seconds":3.1,"code":"",'
            '"seq":7,"id":"download-custom_0_6b","kind":"download","subject":"custom_0_6b","result":{},'
            '"created_at":"1970-01-01T00:00:00.000+00:00","updated_at":"1970-01-01T00:00:01.500+00:00",'
            '"type":"job_progress"}',
        ),
        (
            socket_message(CLONE),
            '{"status":"running","phase":"load_audio","progress":41.3,"message":"Listening to the recording.",'
            '"position":0,"eta_seconds":2.2,"code":"","seq":9,"type":"progress","scope":"qwen3_tts_voice_clone",'
            '"project_id":null,"voice_id":"a3d2","job_id":"5f0c","timestamp":"1970-01-01T00:00:02.345+00:00"}',
        ),
        (
            JobEvent.of(CLONE),
            '{"status":"running","phase":"load_audio","progress":41.3,"message":"Listening to the recording.",'
            '"position":0,"eta_seconds":2.2,"code":"","seq":9,"id":"5f0c","kind":"clone_prepare",'
            '"subject":"a3d2","result":{"kept":true},"created_at":"1970-01-01T00:00:01.000+00:00",'
            '"updated_at":"1970-01-01T00:00:02.345+00:00","type":"job_progress"}',
        ),
        (
            JobObject.of(CLONE),
            '{"status":"running","phase":"load_audio","progress":41.3,"message":"Listening to the recording.",'
            '"position":0,"eta_seconds":2.2,"code":"","seq":9,"id":"5f0c","kind":"clone_prepare",'
            '"subject":"a3d2","result":{"kept":true},"created_at":"1970-01-01T00:00:01.000+00:00",'
            '"updated_at":"1970-01-01T00:00:02.345+00:00"}',
        ),
        (
            socket_message(TRANSCRIPT),
            '{"status":"done","phase":"","progress":100.0,"message":"Done.","position":0,"eta_seconds":null,'
            '"code":"","seq":10,"type":"completed","scope":"qwen3_tts_jobs","project_id":null,"job_id":"77aa",'
            '"kind":"transcription","subject":"tiny","timestamp":"1970-01-01T00:00:02.000+00:00"}',
        ),
        (
            JobEvent.of(TRANSCRIPT),
            '{"status":"done","phase":"","progress":100.0,"message":"Done.","position":0,"eta_seconds":null,'
            '"code":"","seq":10,"id":"77aa","kind":"transcription","subject":"tiny","result":{"language":"en"},'
            '"created_at":"1970-01-01T00:00:01.000+00:00","updated_at":"1970-01-01T00:00:02.000+00:00",'
            '"type":"job_complete"}',
        ),
        (
            JobObject.of(TRANSCRIPT),
            '{"status":"done","phase":"","progress":100.0,"message":"Done.","position":0,"eta_seconds":null,'
            '"code":"","seq":10,"id":"77aa","kind":"transcription","subject":"tiny","result":{"text":"Private.",'
            '"language":"en"},"created_at":"1970-01-01T00:00:01.000+00:00",'
            '"updated_at":"1970-01-01T00:00:02.000+00:00"}',
        ),
    ],
)
def test_messages_are_byte_for_byte_those_of_the_contract(message: BaseModel, expected: str) -> None:
    assert message.model_dump_json() == expected
