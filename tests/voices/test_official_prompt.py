"""What qwen-tts and scripts around it save is read number for number, and no file runs anything."""

from __future__ import annotations

import io
import os
import pickle
import sys
import zipfile
from dataclasses import asdict, dataclass
from pathlib import Path
from random import Random
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import torch

from tts_core.domain.errors import VoicePromptInvalid
from tts_core.domain.values import PreparedVoice
from tts_core.voices.exchange.official_prompt import read_official_prompt, write_official_prompt


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


@pytest.mark.parametrize(
    "codes", [None, np.arange(48, dtype=np.int64).reshape(3, 16), np.arange(48, dtype=np.int64).reshape(16, 3).T]
)
def test_what_is_written_is_what_the_demo_loads(tmp_path: Path, codes: Any) -> None:
    """The demo of qwen-tts 0.1.1 loads with `weights_only=True` and looks for these fields, of these types."""
    voice = PreparedVoice(np.linspace(-1, 1, 8, dtype=np.float32), codes, "" if codes is None else "Hello, 你好.")
    write_official_prompt(voice, tmp_path / "new" / "voice.pt")
    loaded = torch.load(tmp_path / "new" / "voice.pt", map_location="cpu", weights_only=True)
    (found,) = loaded["items"]
    assert loaded.keys() == {"items"}
    assert found["ref_spk_embedding"].dtype is torch.float32
    assert np.array_equal(found["ref_spk_embedding"].numpy(), voice.vector)
    assert (found["x_vector_only_mode"], found["icl_mode"]) == (codes is None, codes is not None)
    if codes is None:
        assert (found["ref_code"], found["ref_text"]) == (None, None)
    else:
        assert (found["ref_code"].dtype, found["ref_code"].tolist()) == (torch.int64, codes.tolist())
        assert found["ref_text"] == "Hello, 你好."
    (back,) = read_official_prompt(tmp_path / "new" / "voice.pt")
    assert np.array_equal(back.vector, voice.vector)
    assert back.transcript == voice.transcript


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


@dataclass
class VoiceClonePromptItem:
    """The class of qwen-tts 0.1.1, under the name by which its pickles know it."""

    ref_code: torch.Tensor | None
    ref_spk_embedding: torch.Tensor
    x_vector_only_mode: bool
    icl_mode: bool
    ref_text: str | None = None


FORMS: dict[str, Any] = {
    "an item": lambda items: items[0],
    "a list": list,
    "a tuple": tuple,
    "a dict": lambda items: asdict(items[0]),
    "dicts": lambda items: [asdict(one) for one in items],
    "wrapped items": lambda items: {"items": items},
    "wrapped dicts": lambda items: {"items": [asdict(one) for one in items]},
    "a dict of lists": lambda items: {name: [getattr(one, name) for one in items] for name in asdict(items[0])},
}
WAYS: dict[str, dict[str, Any]] = {
    "zip": {},
    "old": {"_use_new_zipfile_serialization": False},
    "protocol 4": {"pickle_protocol": 4},
}


@pytest.fixture
def published(monkeypatch: pytest.MonkeyPatch) -> list[VoiceClonePromptItem]:
    """Two items of the class that pickles name `qwen_tts.inference.qwen3_tts_model VoiceClonePromptItem`."""
    name = "qwen_tts.inference.qwen3_tts_model"
    module = ModuleType(name)
    module.VoiceClonePromptItem = VoiceClonePromptItem  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "qwen_tts", ModuleType("qwen_tts"))
    monkeypatch.setitem(sys.modules, "qwen_tts.inference", ModuleType("qwen_tts.inference"))
    monkeypatch.setitem(sys.modules, name, module)
    monkeypatch.setattr(VoiceClonePromptItem, "__module__", name)
    first = item(ref_spk_embedding=torch.linspace(-1, 1, 8).to(torch.bfloat16))
    second = item(ref_code=None, x_vector_only_mode=True, icl_mode=False, ref_text=None)
    return [VoiceClonePromptItem(**first), VoiceClonePromptItem(**second)]


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("form", FORMS)
def test_what_scripts_save_is_read(tmp_path: Path, published: list[VoiceClonePromptItem], form: str, way: str) -> None:
    torch.save(FORMS[form](published), tmp_path / "voice.pt", **WAYS[way])
    first, *others = read_official_prompt(tmp_path / "voice.pt")
    assert first.codes is not None
    assert (first.codes.tolist(), first.transcript) == (torch.arange(48).reshape(3, 16).tolist(), "Hello, 你好.")
    assert np.array_equal(first.vector, published[0].ref_spk_embedding.float().numpy())
    assert len(others) == (0 if form in ("an item", "a dict") else 1)
    assert all(other.codes is None and len(other.vector) == 8 for other in others)


def test_an_object_of_another_class_is_refused(tmp_path: Path) -> None:
    """It has the right name and fields, but comes from a module of another name."""
    torch.save(VoiceClonePromptItem(**item()), tmp_path / "voice.pt")
    with pytest.raises(VoicePromptInvalid):
        read_official_prompt(tmp_path / "voice.pt")


def test_an_old_file_that_is_cut_off_is_refused(tmp_path: Path) -> None:
    torch.save([item()], tmp_path / "whole.pt", _use_new_zipfile_serialization=False)
    whole = (tmp_path / "whole.pt").read_bytes()
    for length in range(0, len(whole), 7):
        (tmp_path / "voice.pt").write_bytes(whole[:length])
        with pytest.raises(VoicePromptInvalid):
            read_official_prompt(tmp_path / "voice.pt")


class Attack:
    def __reduce__(self) -> tuple[Any, ...]:
        return os.system, ("touch ran",)


def pickled(value: object) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        archive.writestr("voice/data.pkl", pickle.dumps(value, protocol=2))
    return stream.getvalue()


def old(value: object) -> bytes:
    stream = io.BytesIO()
    torch.save(value, stream, _use_new_zipfile_serialization=False)
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
        pickled([{"ref_spk_embedding": [Attack()], "ref_code": [None]}]),
        bomb(),
        pickle.dumps(Attack()),
        old(Attack()),
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
