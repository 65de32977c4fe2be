"""Processors without VNNI or AVX512 compute the same 4-bit products by other instructions, which this one has, too."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import llvmlite.binding as llvm
import pytest

from tests import ROOT

PROGRAM = """
import sys
import llvmlite.binding as llvm

features = llvm.get_host_cpu_features()
for name in sys.argv[1].split(","):
    features[name] = False
llvm.get_host_cpu_features = lambda: features

import numpy as np
from tts_core.engines.qwen.kernels import native_blocks, native_int4
from tts_core.engines.qwen.kernels.native_vectors import DOT, LANES
from tts_core.engines.qwen.kernels.workers import Workers

random, workers = np.random.default_rng(0), Workers(2)
rows = random.standard_normal((72, 96), dtype=np.float32)
packed = np.zeros((-(-72 // LANES), 6, native_int4.BYTES), np.int8)
scales = np.zeros(len(packed) * LANES, np.float32)
workers.run(native_int4.round_to_4, rows, packed, scales)
matrix = native_blocks.Matrix(packed, scales, 4)
x = random.standard_normal((11, 96), dtype=np.float32)
out = np.empty((11, len(scales)), np.float32)
workers.run(native_blocks.multiply, matrix, x, out)
expected = x @ rows.T
error = np.linalg.norm(out[:, :72] - expected) / np.linalg.norm(expected)
print(LANES, DOT, bool(error < 0.08))
"""


@pytest.mark.skipif(not llvm.get_host_cpu_features().get("avx2"), reason="a processor with AVX2 stands in for others")
@pytest.mark.parametrize(
    ("missing", "lanes"), [("avx512vnni,avxvnni", None), ("avx512f,avx512bw,avx512vnni,avxvnni", "8")]
)
@pytest.mark.thorough
def test_products_without_vnni(missing: str, lanes: str | None, tmp_path: Path) -> None:
    root = ROOT
    environ = {**os.environ, "NUMBA_CACHE_DIR": str(tmp_path), "PYTHONPATH": str(root)}
    answer = subprocess.run(
        [sys.executable, "-c", PROGRAM, missing], capture_output=True, text=True, check=False, env=environ, timeout=300
    )
    assert answer.returncode == 0, answer.stderr
    width, dot, is_close = answer.stdout.split()
    assert (dot, is_close) == ("pairs", "True")
    assert lanes in (None, width)
