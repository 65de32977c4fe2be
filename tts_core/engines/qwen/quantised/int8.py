"""Transformers with int8 weights on a CPU: one scale per output; inputs, sums and all else are float32.

A product reads a quarter of the bytes, which is what one position's time goes into. What is left are meetings of the
threads and small operations: so all blocks are one call into compiled loops (`native_blocks`), for any rows and
positions. Products that stand alone (heads, projections) use the same loops.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn

from tts_core.engines.qwen.kernels import native_blocks as kernels, native_predictor as frames
from tts_core.engines.qwen.kernels.native_vectors import LANES, Array
from tts_core.engines.qwen.kernels.workers import Workers
from tts_core.engines.qwen.quantised.rounding import RoundedProduct, expect_rounded
from tts_core.engines.qwen.talker.code_predictor import CodePredictor
from tts_core.engines.qwen.talker.config import TransformerConfig
from tts_core.engines.qwen.talker.kv_cache import KvCache
from tts_core.engines.qwen.talker.layers import Block, Blocks, RotaryTable, Span
from tts_core.engines.qwen.talker.linear import Part, Product
from tts_core.engines.qwen.talker.sampling import ResidualDrawer

_FEW = 2
"""Positions up to which a job waits for memory, not for arithmetic."""


_EMPTY = kernels.Matrix(np.empty((0, 0, LANES), np.int8), np.empty(0, np.float32), 8)


class Int8Product(RoundedProduct):
    """A product with int8 weights, computed by the compiled loops."""

    def __init__(self, floats: Product, workers: Workers) -> None:
        super().__init__(floats)
        self._workers = workers
        self.matrix = _EMPTY

    def keep(self, rows: Tensor, scales: Tensor) -> None:
        self._keep(_pack(rows, scales))

    def _keep(self, matrix: kernels.Matrix) -> None:
        self.matrix = matrix
        self.own_bytes = matrix.weights.nbytes + matrix.scales.nbytes

    def forward(self, x: Tensor, bias: Tensor | None = None) -> Tensor:
        flat = x.reshape(-1, x.shape[-1]).contiguous()
        y = torch.empty(len(flat), len(self.matrix.scales))
        reads = self.matrix.weights.nbytes if len(flat) <= _FEW else 0
        self._workers.run(kernels.multiply, self.matrix, flat.numpy(), y.numpy(), reads=reads)
        y = y[:, : self.outputs]
        return (y if bias is None else y + bias).reshape(*x.shape[:-1], -1)


class Int8Blocks:
    """Computes a transformer's blocks in one call."""

    def __init__(self, blocks: Blocks, workers: Workers) -> None:
        """`blocks` have Int8Products, which are read. Compiles: that takes seconds the first time on a machine."""
        layers: list[Block] = list(blocks)  # type: ignore[arg-type]
        attention, mlp = layers[0].self_attn, layers[0].mlp
        matrices = [_matrices(layer) for layer in layers]
        self._kept = matrices
        self._workers = workers
        self.reads = sum(matrix.weights.nbytes for layer in matrices for matrix in layer)
        self.stack = kernels.Stack(
            weights=np.array([_addresses([m.weights for m in layer]) for layer in matrices]),
            scales=np.array([_addresses([m.scales for m in layer]) for layer in matrices]),
            bits=np.array([[m.bits for m in layer] for layer in matrices]),
            norms=torch.stack([_norms(layer) for layer in layers]).numpy(),
            hidden=len(layers[0].input_layernorm.weight),
            inner=mlp.gate_up.outputs // 2,
            query_heads=attention.query_heads,
            kv_heads=attention.kv_heads,
            head_dim=attention.head_dim,
            eps=layers[0].input_layernorm.eps,
        )
        nothing = np.empty((0, self.stack.hidden), np.float32), np.empty((0, 2), np.int64)
        tokens = kernels.Tokens(*nothing, np.empty((0, 2, self.stack.head_dim), np.float32), np.zeros(5, np.int64))
        workers.run(kernels.compute_blocks, self.stack, tokens, self.room(0, 1))  # compiles

    def run(self, x: Tensor, span: Span, cache: KvCache) -> Tensor:
        """Do what `layers.run_blocks` does. The mask is not looked at: every position sees its row up to itself."""
        flat = x.reshape(-1, x.shape[-1]).clone()
        tokens = kernels.Tokens(flat.numpy(), _places(span), _rotation(span), _caches(cache))
        reads = self.reads if len(flat) <= _FEW else 0
        self._workers.run(kernels.compute_blocks, self.stack, tokens, self.room(len(flat), span.length), reads=reads)
        return flat.view_as(x)

    def room(self, count: int, length: int) -> kernels.BlockBuffers:
        """Memory to compute `count` tokens that look at rows of at most `length`."""
        stack, threads = self.stack, self._workers.size
        queries, width = stack.query_heads, stack.head_dim
        return kernels.BlockBuffers(
            normed=np.empty((threads, count, stack.hidden), np.float32),
            heads=np.empty((count, (queries + 2 * stack.kv_heads) * width), np.float32),
            mixed=np.empty((count, queries * width), np.float32),
            inner=np.empty((2, count, stack.inner), np.float32),
            scores=np.empty((threads, length), np.float32),
        )


class Int8Predictor:
    """Predicts a frame in one call."""

    def __init__(self, predictor: CodePredictor, workers: Workers) -> None:
        """The blocks of `predictor` must be fused already."""
        blocks, transformer = predictor.model.layers.fused, predictor.config.transformer
        self._blocks: Int8Blocks = blocks  # type: ignore[assignment]
        self._workers = workers
        self._heads = [_matrix(head.whole) for head in predictor.lm_head]  # type: ignore[arg-type]
        self._tables: list[Tensor] = [table.weight for table in predictor.model.codec_embedding]  # type: ignore[misc]
        projection, bias = _EMPTY, np.empty(0, np.float32)
        if isinstance(predictor.small_to_mtp_projection, Part):
            part = predictor.small_to_mtp_projection
            projection, bias = _matrix(part.whole), part.bias.numpy()  # type: ignore[union-attr]
        self._weights = frames.Predictor(
            norm=predictor.model.norm.weight.numpy(),
            heads=np.array([_addresses([head.weights, head.scales]) for head in self._heads]),
            tables=np.array([table.data_ptr() for table in self._tables]),
            projection=projection,
            bias=bias,
        )
        draws = len(self._heads)
        table = RotaryTable.build(transformer.head_dim, transformer.rope_theta, draws + 1, torch.device("cpu"))
        self._rotations = torch.stack((table.cos, table.sin), dim=1).numpy()  # [G + 1, 2, D]
        self._reads = self._blocks.reads * draws + sum(head.weights.nbytes for head in self._heads)
        self._compile(transformer)

    def predict(self, hidden: Tensor, first: Tensor, cache: KvCache, drawer: ResidualDrawer) -> tuple[Tensor, Tensor]:
        """Do what `CodePredictor.predict` does."""
        settings, noise = drawer.settings, drawer.noise
        drawing = frames.Drawing(
            settings.temperature[:, 0].numpy(),
            settings.top_k[:, 0].numpy(),
            settings.top_p[:, 0].numpy(),
            np.ascontiguousarray(noise.numpy()),
        )
        frame = self._compute(torch.cat((hidden, first), dim=1), drawing, cache)
        return torch.from_numpy(frame.codes), torch.from_numpy(frame.total)[:, None]

    def _compute(self, inputs: Tensor, drawing: frames.Drawing, cache: KvCache) -> frames.FrameBuffers:
        """Predict one frame of inputs (B, 2, W): hidden states and first codes' embeddings."""
        rows, _, width = inputs.shape
        draws, blocks = len(self._heads), self._blocks
        places = np.empty((rows * (draws + 1), 2), np.int64)
        places[:, 0] = np.concatenate((np.arange(rows).repeat(2), np.tile(np.arange(rows), draws - 1)))
        places[:, 1] = np.concatenate((np.tile((0, 1), rows), np.arange(2, draws + 1).repeat(rows)))
        narrow = np.empty((2 * rows, blocks.stack.hidden), np.float32)
        tokens = kernels.Tokens(narrow, places, self._rotations[places[:, 1]], _caches(cache))
        frame = frames.FrameBuffers(
            wide=inputs.view(2 * rows, width).numpy(),
            narrow=narrow,
            logits=np.empty((rows, len(self._heads[0].scales)), np.float32),
            codes=np.empty((rows, draws), np.int64),
            total=np.zeros((rows, width), np.float32),
        )
        room, reads = blocks.room(2 * rows, draws + 1), self._reads if rows == 1 else 0
        self._workers.run(frames.predict, blocks.stack, self._weights, drawing, tokens, room, frame, reads=reads)
        return frame

    def _compile(self, transformer: TransformerConfig) -> None:
        """Compile the loops by predicting a frame of zeros."""
        draws, one = len(self._heads), np.ones(1, np.float32)
        noise = np.zeros((1, draws, self._tables[0].shape[0]), np.float32)
        cpu, kind = torch.device("cpu"), torch.float32
        cache = KvCache.allocate(transformer, rows=1, capacity=draws + 1, device=cpu, dtype=kind)
        drawing = frames.Drawing(one, np.ones(1, np.int64), one, noise)
        self._compute(torch.zeros(1, 2, self._tables[0].shape[1]), drawing, cache)


def expect_int8(module: nn.Module, workers: Workers, kind: type[Int8Product] | None = None) -> None:
    """Let every product below `module`, which is not loaded yet, have int8 weights (or be of that kind)."""
    make = kind or Int8Product
    expect_rounded(module, lambda product: make(product, workers))


def fuse_int8(module: nn.Module, workers: Workers) -> None:
    """Let all blocks below `module`, loaded with int8 weights, be computed in one call."""
    for blocks in module.modules():
        if isinstance(blocks, Blocks):
            blocks.fused = Int8Blocks(blocks, workers)
    for predictor in module.modules():
        if isinstance(predictor, CodePredictor):
            predictor.fused = Int8Predictor(predictor, workers)


def _pack(rows: Tensor, scales: Tensor) -> kernels.Matrix:
    """The matrix of rows (outputs, inputs) and scales (outputs); outputs are filled up to whole vectors."""
    missing = -len(rows) % LANES
    rows = nn.functional.pad(rows, (0, 0, 0, missing))
    blocks = rows.view(-1, LANES, rows.shape[1]).transpose(1, 2).contiguous()
    return kernels.Matrix(blocks.numpy(), nn.functional.pad(scales, (0, missing)).numpy(), 8)


def _matrices(block: Block) -> list[kernels.Matrix]:
    """The matrices of a block in the order of `kernels.Stack`."""
    wide = _matrix(block.mlp.gate_up)
    half = len(wide.weights) // 2
    gate = kernels.Matrix(wide.weights[:half], wide.scales[: half * LANES], wide.bits)
    up = kernels.Matrix(wide.weights[half:], wide.scales[half * LANES :], wide.bits)
    attention, down = block.self_attn, block.mlp.down_proj
    return [_matrix(attention.qkv), _matrix(attention.o_proj.whole), gate, up, _matrix(down.whole)]


def _matrix(product: nn.Module) -> kernels.Matrix:
    """The matrix of an Int8Product."""
    matrix: kernels.Matrix = product.matrix  # type: ignore[assignment]
    return matrix


def _norms(block: Block) -> Tensor:
    attention = block.self_attn
    norms = (block.input_layernorm, block.post_attention_layernorm, attention.q_norm, attention.k_norm)
    return torch.cat([norm.weight for norm in norms])


def _addresses(arrays: list[Array]) -> list[int]:
    return [array.ctypes.data for array in arrays]


def _places(span: Span) -> Array:
    """The row and the position of each token: (B * T, 2)."""
    positions = span.positions.numpy()
    places = np.empty((*positions.shape, 2), np.int64)
    places[..., 0] = np.arange(len(positions))[:, None]
    places[..., 1] = positions
    return places.reshape(-1, 2)


def _rotation(span: Span) -> Array:
    """The cosines and sines of each token: (B * T, 2, D)."""
    both = torch.cat((span.rotation.cos, span.rotation.sin), dim=1)  # [B, 2, T, D]
    rotation: Array = both.transpose(1, 2).reshape(-1, 2, both.shape[-1]).contiguous().numpy()
    return rotation


def _caches(cache: KvCache) -> Array:
    return np.array([cache.keys.data_ptr(), cache.values.data_ptr(), *cache.keys.stride()[:3]])
