"""The official demo's files are read number for number, and no file runs anything."""

from __future__ import annotations

import io
import os
import pickle
import zipfile
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import pytest
import torch

from tts_core.domain.errors import VoicePromptInvalid
from tts_core.voices.official_prompt import read_official_prompt


def item(**changes: Any) -> dict[str, Any]:
    return {
        "ref_code": torch.arange(48).reshape(3, 16),
        "ref_spk_embedding": torch.linspace(-1, 1, 8),
        "x_vector_only_mode": False,
        "icl_mode": True,
        "ref_text": "Hello, 你好.",
        **changes,
    }


def saved(path: Path, *items: dict[str, Any]) -> Path:
    torch.save({"items": list(items)}, path)
    return path


def test_a_prompt_comes_out_as_it_went_in(tmp_path: Path) -> None:
    (prompt,) = read_official_prompt(saved(tmp_path / "voice.pt", item()))
    assert prompt.transcript == "Hello, 你好."
    assert prompt.codes is not None
    assert prompt.codes.tolist() == torch.arange(48).reshape(3, 16).tolist()
    assert np.allclose(prompt.vector, torch.linspace(-1, 1, 8).numpy())


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, torch.float64])
def test_every_precision_is_read(tmp_path: Path, dtype: torch.dtype) -> None:
    embedding = torch.linspace(-1, 1, 8).to(dtype)
    (prompt,) = read_official_prompt(saved(tmp_path / "voice.pt", item(ref_spk_embedding=embedding)))
    assert np.array_equal(prompt.vector, embedding.float().numpy())


def test_views_of_larger_tensors_are_read_as_they_look(tmp_path: Path) -> None:
    codes = torch.arange(640).reshape(16, 40)[:, 5:10].T
    (prompt,) = read_official_prompt(saved(tmp_path / "voice.pt", item(ref_code=codes)))
    assert prompt.codes is not None
    assert prompt.codes.tolist() == codes.tolist()


def test_timbre_only_and_several_items(tmp_path: Path) -> None:
    path = saved(tmp_path / "voice.pt", item(x_vector_only_mode=True), item(ref_code=None), item())
    first, second, third = read_official_prompt(path)
    assert (first.codes, second.codes) == (None, None)
    assert third.codes is not None


class Attack:
    def __reduce__(self) -> tuple[Any, ...]:
        return os.system, ("touch ran",)


def pickled(value: object) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        archive.writestr("voice/data.pkl", pickle.dumps(value, protocol=2))
    return stream.getvalue()


def bomb() -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("voice/data.pkl", bytes(50_000_000))
    return stream.getvalue()


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"no zip",
        pickled(Attack()),
        pickled({"items": [Attack()]}),
        pickled({"items": []}),
        pickled({"items": 3}),
        pickled([]),
        pickled({"items": [{"ref_spk_embedding": "text"}]}),
        bomb(),
        pickle.dumps(Attack()),
    ],
)
def test_anything_else_is_refused_and_nothing_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: bytes
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "voice.pt").write_bytes(content)
    with pytest.raises(VoicePromptInvalid):
        read_official_prompt(tmp_path / "voice.pt")
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize(
    "changes",
    [
        {"ref_code": torch.zeros(3, 15, dtype=torch.long)},
        {"ref_code": torch.zeros(3, 16)},
        {"ref_spk_embedding": torch.full((8,), float("nan"))},
        {"ref_text": None},
    ],
)
def test_values_that_make_no_voice_are_refused(tmp_path: Path, changes: dict[str, Any]) -> None:
    with pytest.raises(VoicePromptInvalid):
        read_official_prompt(saved(tmp_path / "voice.pt", item(**changes)))


@pytest.mark.parametrize("size", [300_000_000, 2**40])
def test_a_small_file_can_not_claim_much_memory(tmp_path: Path, size: int) -> None:
    endless = torch.as_strided(torch.zeros(16), (size,), (0,))
    path = saved(tmp_path / "voice.pt", item(ref_spk_embedding=endless))
    assert path.stat().st_size < 20_000
    with pytest.raises(VoicePromptInvalid):
        read_official_prompt(path)


def test_the_same_numbers_over_and_over_are_refused(tmp_path: Path) -> None:
    numbers = torch.zeros(1_000_000)
    path = saved(tmp_path / "voice.pt", item(ref_spk_embedding=[numbers[:] for _ in range(10)]))
    with pytest.raises(VoicePromptInvalid):
        read_official_prompt(path)


def test_whatever_is_damaged_is_refused_or_read(tmp_path: Path) -> None:
    """The pickle is changed at random, and its checksum is right."""
    with zipfile.ZipFile(saved(tmp_path / "good.pt", item())) as archive:
        entries = {name: archive.read(name) for name in archive.namelist()}
    (name,) = (name for name in entries if name.endswith("data.pkl"))
    random, path, refused = Random(1), tmp_path / "voice.pt", 0
    for _ in range(600):
        damaged = bytearray(entries[name])
        for _ in range(random.randrange(1, 4)):
            damaged[random.randrange(len(damaged))] = random.randrange(256)
        with zipfile.ZipFile(path, "w") as archive:
            for other, data in {**entries, name: bytes(damaged)}.items():
                archive.writestr(other, data)
        try:
            read_official_prompt(path)
        except VoicePromptInvalid:
            refused += 1
    assert refused > 200
