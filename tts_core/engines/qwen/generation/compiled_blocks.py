"""Transformer blocks fused by torch.compile: fewer, larger pieces of work for a graphics processor to begin.

A block is compiled once per shape and serves all layers. Whole frames would be fused a little further, but unrolled
they are a hundred blocks: minutes for each of the many shapes.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec

import torch
from torch import Tensor, nn

from tts_core.engines.qwen.talker.kv_cache import KvCache
from tts_core.engines.qwen.talker.layers import Blocks, Span
from tts_core.engines.qwen.talker.talker import Talker

_MOST_SHAPES = 128


def can_compile(device: torch.device) -> bool:
    """Whether torch finds what it compiles with."""
    has_compiler = any(map(shutil.which, ("cc", "gcc", "clang", "cl")))
    return has_compiler and (device.type == "cpu" or find_spec("triton") is not None)


class CompiledBlocks:
    """A transformer's blocks, compiled. See `layers.RunsBlocks`."""

    def __init__(self, blocks: Blocks) -> None:
        self._blocks = blocks
        self._compute = torch.compile(
            _compute,
            fullgraph=True,
            dynamic=False,
            options={"epilogue_fusion": False},  # products round their own results, as the modules' do
        )

    def run(self, x: Tensor, span: Span, cache: KvCache) -> Tensor:
        """Compute all blocks. The first time of a shape takes seconds, and raises whatever compiling raises."""
        with torch._dynamo.config.patch(recompile_limit=_MOST_SHAPES):
            for layer, block in enumerate(self._blocks):
                x = self._compute(block, x, span, cache.of(layer))
        return x


class CompiledTalker:
    """A talker that computes with compiled blocks while these are `in_use`."""

    def __init__(self, talker: Talker) -> None:
        self._stacks = [talker.model.layers, talker.code_predictor.model.layers]
        self._compiled = [CompiledBlocks(blocks) for blocks in self._stacks]

    @contextmanager
    def in_use(self) -> Iterator[None]:
        for blocks, compiled in zip(self._stacks, self._compiled, strict=True):
            blocks.fused = compiled
        try:
            yield
        finally:
            for blocks in self._stacks:
                blocks.fused = None


def _compute(block: nn.Module, x: Tensor, span: Span, cache: KvCache) -> Tensor:
    return block(x, span, cache)  # type: ignore[no-any-return]
