"""Writes tiny checkpoints in the published layout whose weights follow from a formula: data/manifest.json says which.

Geometry "a" is shaped like the 0.6B models, "b" like the 1.7B ones. A weight depends on the salt and its name alone, so
the recorded outputs in data/golden-*.npz (salt "") can be compared by anything that rebuilds it.
"""

from __future__ import annotations

import json
import math
import shutil
import zlib
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from safetensors.numpy import save_file

DATA = Path(__file__).parent / "data"
Array = npt.NDArray[Any]


def formula_weight(name: str, shape: list[int], salt: str = "") -> npt.NDArray[np.float32]:
    """The weight called `name`, float32."""
    random = np.random.Generator(np.random.PCG64(zlib.crc32(f"{salt}{name}".encode())))
    normal = random.standard_normal(shape, dtype=np.float32)
    return (_shaped(name, normal, random)).astype(np.float32)


def _shaped(name: str, normal: Array, random: np.random.Generator) -> Array:
    leaf = name.rpartition(".")[2]
    if leaf == "cluster_usage":
        return 1.0 + random.random(normal.shape, dtype=np.float32)
    mean, factor, divisor = _scale(name, leaf, normal.shape)
    return mean + factor * normal / divisor


def _scale(name: str, leaf: str, shape: tuple[int, ...]) -> tuple[float, float, float]:
    """Mean, and what a standard normal draw is multiplied with and divided by."""
    known = {
        "initialized": (1.0, 0.0, 1.0),
        "embed_sum": (0.0, 1.5, 1.0),
        "embedding_sum": (0.0, 1.5, 1.0),
        "alpha": (0.0, 0.1, 1.0),  # logarithms, like beta
        "beta": (0.0, 0.1, 1.0),
        "scale": (0.5, 0.1, 1.0),
        "gamma": (0.5, 0.1, 1.0),
        "bias": (0.0, 0.02, 1.0),
    }
    if leaf in known:
        return known[leaf]
    if len(shape) == 1:  # norms
        return 1.0, 0.1, 1.0
    if "embedding" in name or "embed_tokens" in name:
        return 0.0, 0.5, 1.0
    last = 0.01 if name == "decoder.decoder.6.conv.weight" else 1.0  # keeps samples within [-1, 1]
    return 0.0, last, math.sqrt(math.prod(shape[1:]))


@cache
def manifest() -> dict[str, Any]:
    """Part to its config, weights and other files; parts are "KIND-GEOMETRY" and "speech_tokenizer"."""
    parts: dict[str, Any] = json.loads((DATA / "manifest.json").read_text())
    return parts


def write_checkpoint(folder: Path, *, kind: str = "custom_voice", geometry: str = "a", salt: str = "") -> Path:
    """Write a model's folder and answer it. kind: "custom_voice", "base" or "voice_design"."""
    part = manifest()[f"{kind}-{geometry}"]
    _write_part(folder, part, salt)
    _write_part(folder / "speech_tokenizer", manifest()["speech_tokenizer"], salt)
    (folder / "generation_config.json").write_text(json.dumps(part["generation_config"]))
    for file in (DATA / "tokenizer").iterdir():
        shutil.copyfile(file, folder / file.name)
    return folder


def _write_part(folder: Path, part: dict[str, Any], salt: str) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.json").write_text(json.dumps(part["config"]))
    (folder / "preprocessor_config.json").write_text(json.dumps(part["preprocessor_config"]))
    weights = {name: formula_weight(name, shape, salt) for name, shape in part["weights"].items()}
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})


def reference_audio(seconds: float = 3.0, rate: int = 24000, f0: float = 140.0) -> npt.NDArray[np.float32]:
    """The recorded clones' reference: something like a voice, in [-1, 1], shape (seconds * rate,). rate, f0: hertz."""
    time = np.arange(int(seconds * rate)) / rate
    phase = 2 * np.pi * np.cumsum(f0 * (1 + 0.05 * np.sin(2 * np.pi * 3 * time))) / rate
    formant = 700 + 300 * np.sin(2 * np.pi * 1.5 * time)
    harmonics = (np.sin(k * phase) * np.exp(-0.5 * ((k * f0 - formant) / 500) ** 2) for k in range(1, 30))
    sound = sum(harmonics, start=np.zeros_like(time)) * 0.5 * (1 + np.sin(2 * np.pi * 2.5 * time))
    return np.asarray(0.5 * sound / np.abs(sound).max(), np.float32)
