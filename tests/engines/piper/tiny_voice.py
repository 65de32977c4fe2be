"""Writes tiny Piper voices: a real ONNX model in Piper's layout whose sound follows from a formula.

Each phoneme is a tone of its own, HOP samples long at speed 1, so length and pitch tell what was spoken, how fast and
by whom.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper
from piper.phoneme_ids import DEFAULT_PHONEME_ID_MAP

HOP = 1024
"""Samples of each id."""


def write_voice(
    folder: Path, name: str = "en_US-tiny-medium", *, rate: int = 22_050, speakers: tuple[str, ...] = (), **fields: Any
) -> Path:
    """Write NAME.onnx and NAME.onnx.json; `fields` replace members of the JSON. Answers the model's path."""
    folder.mkdir(parents=True, exist_ok=True)
    model = folder / f"{name}.onnx"
    onnx.save(_model(with_speakers=bool(speakers)), model)
    (folder / f"{name}.onnx.json").write_text(json.dumps({**_config(rate, speakers), **fields}), encoding="utf-8")
    return model


def _config(rate: int, speakers: tuple[str, ...]) -> dict[str, Any]:
    return {
        "audio": {"sample_rate": rate, "quality": "medium"},
        "espeak": {"voice": "en-us"},
        "inference": {"noise_scale": 0.667, "length_scale": 1, "noise_w": 0.8},
        "phoneme_type": "espeak",
        "phoneme_id_map": DEFAULT_PHONEME_ID_MAP,
        "num_symbols": 256,
        "num_speakers": max(1, len(speakers)),
        "speaker_id_map": {speaker: number for number, speaker in enumerate(speakers)},
        "language": {"code": "en_US", "name_english": "English", "country_english": "United States"},
    }


def _model(*, with_speakers: bool) -> onnx.ModelProto:
    inputs = [
        helper.make_tensor_value_info("input", TensorProto.INT64, ["batch", "phonemes"]),
        helper.make_tensor_value_info("input_lengths", TensorProto.INT64, ["batch"]),
        helper.make_tensor_value_info("scales", TensorProto.FLOAT, [3]),
    ]
    constants: dict[str, np.ndarray[Any, Any]] = {
        "one": np.array([1], np.int64),
        "two": np.array([2], np.int64),
        "ones": np.array([1, 1], np.int64),
        "hop": np.array([HOP], np.float32),
        "step": np.array([0.002], np.float32),
        "level": np.array([0.4], np.float32),
        "flat": np.array([1, 1, 1, -1], np.int64),
        "last": np.array(3, np.int64),
    }
    nodes = [
        # scales[1] is the length of a phoneme, scales[0] noise
        helper.make_node("Slice", ["scales", "one", "two"], ["stretch"]),
        helper.make_node("Mul", ["hop", "stretch"], ["samples_exact"]),
        helper.make_node("Round", ["samples_exact"], ["samples_round"]),
        helper.make_node("Cast", ["samples_round"], ["samples"], to=TensorProto.INT64),
        helper.make_node("Concat", ["ones", "samples"], ["repeats"], axis=0),
        helper.make_node("Cast", ["input"], ["ids"], to=TensorProto.FLOAT),
        helper.make_node("Unsqueeze", ["ids", "two"], ["ids_each"]),
        helper.make_node("Tile", ["ids_each", "repeats"], ["ids_long"]),
        helper.make_node("Reshape", ["ids_long", "flat"], ["ids_flat"]),
        helper.make_node("Mul", ["ids_flat", "step"], ["steps"]),
        helper.make_node("CumSum", ["steps_spoken" if with_speakers else "steps", "last"], ["phase"]),
        helper.make_node("Sin", ["phase"], ["wave"]),
        helper.make_node("Mul", ["wave", "level"], ["output"]),
    ]
    if with_speakers:
        inputs.append(helper.make_tensor_value_info("sid", TensorProto.INT64, ["batch"]))
        constants["first"] = np.array([1.0], np.float32)
        nodes[10:10] = [
            helper.make_node("Cast", ["sid"], ["speaker"], to=TensorProto.FLOAT),
            helper.make_node("Add", ["speaker", "first"], ["height"]),
            helper.make_node("Mul", ["steps", "height"], ["steps_spoken"]),
        ]
    graph = helper.make_graph(
        nodes,
        "tiny",
        inputs,
        [helper.make_tensor_value_info("output", TensorProto.FLOAT, ["batch", 1, 1, "time"])],
        [onnx.numpy_helper.from_array(value, name) for name, value in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 15)], ir_version=8)
    onnx.checker.check_model(model)
    return model
