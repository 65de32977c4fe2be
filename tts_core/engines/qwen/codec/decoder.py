"""Decodes codes to sound. A stream's whole past is a `CodecState`, so any split into calls gives the same samples.

    state = decoder.init_state(batch=1)
    decoder.prime(reference_codes, state)        # a clone goes on where its reference ended
    for codes in frames:                         # [1, 16, T], T = 1, 2, …
        play(decoder.decode(codes, state))       # [1, T * 1920] in [-1, 1]

Attribute names are the checkpoint's below `decoder.`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.nn import functional

from tts_core.engines.qwen.codec.layers import (
    CausalConv1d,
    CausalTransposedConv1d,
    ConvNeXtBlock,
    SnakeBeta,
    UpsamplingBlock,
    number_slots,
)
from tts_core.engines.qwen.codec.transformer import CodecTransformer
from tts_core.engines.qwen.talker.config import CONFIG_FILE, CodecDecoderConfig, SpeechTokenizerConfig
from tts_core.engines.qwen.talker.expected import check_codec
from tts_core.engines.qwen.talker.stored import read_header
from tts_core.engines.qwen.talker.weights import KeepsFloat32, Placement, build_on_meta, load_weights
from tts_core.models.cached_model import LoadProgress

if TYPE_CHECKING:
    from tts_core.engines.qwen.kernels.workers import Workers

PREFIX = "decoder."
"""The beginning of the decoder's names in the speech tokenizer's file."""
OTHER_PREFIXES = ("encoder.",)
"""The beginnings of all other names in that file."""

USAGE_EPSILON = 1e-5
"""Least cluster usage to divide by, as published."""
_FUSED_CHANNELS = 48
"""Fewest channels worth fusing: narrower sound, as in tests' tiny models, would mostly be filled up with zeros."""
MAX_FRAMES = 32
"""Frames decoded at once; longer codes are taken in pieces of this, which bounds memory whatever the length."""


@dataclass(frozen=True, slots=True)
class CodecState:
    """The whole past of a stream: 5.2 MB a row at the published size in fp32, however long the stream."""

    tensors: list[Tensor]
    """A tensor for each stateful layer, batch first; updated in place."""

    @property
    def size_bytes(self) -> int:
        return sum(tensor.nbytes for tensor in self.tensors)

    def clone(self) -> CodecState:
        """A copy to go on from, so that a primed state can serve many requests."""
        return CodecState([tensor.clone() for tensor in self.tensors])

    @torch.inference_mode()
    def set_row(self, row: int, source: CodecState) -> None:
        """Put the only row of `source` in the place of `row`; a fresh source clears it."""
        for target, copied in zip(self.tensors, source.tensors, strict=True):
            target[row].copy_(copied[0])


class Codebook(KeepsFloat32):
    """A codebook as trained: the sum of the vectors that each entry stands for, and how many they were."""

    def __init__(self, entries: int, width: int) -> None:
        super().__init__()
        self.cluster_usage = nn.Parameter(torch.empty(entries))
        self.embedding_sum = nn.Parameter(torch.empty(entries, width))

    def embedding(self) -> Tensor:
        """The vectors of the entries, [entries, width] fp32."""
        return self.embedding_sum.detach() / self.cluster_usage.detach().clamp(min=USAGE_EPSILON)[:, None]


class ResidualCodebooks(nn.Module):
    """Codebooks whose vectors add up, then a projection.

    `prepare` leaves one table of embeddings and frees the trained sums and the input projection, an encoder's.
    """

    def __init__(self, codebooks: int, entries: int, width: int, outer_width: int) -> None:
        super().__init__()
        self.input_proj: nn.Module | None = nn.Conv1d(outer_width, width, 1, bias=False)
        self.output_proj = nn.Conv1d(width, outer_width, 1, bias=False)
        layers = nn.ModuleList(nn.ModuleDict({"_codebook": Codebook(entries, width)}) for _ in range(codebooks))
        self.vq: nn.ModuleDict | None = nn.ModuleDict({"layers": layers})
        self.table: Tensor = nn.Buffer(torch.empty(codebooks * entries, width), persistent=False)
        self.offsets: Tensor = nn.Buffer(torch.empty(codebooks, 1, dtype=torch.int64), persistent=False)

    def prepare(self) -> None:
        """Compute the embeddings of all codebooks, one below the other."""
        embeddings = [module.embedding() for module in self.modules() if isinstance(module, Codebook)]
        self.table = torch.cat(embeddings).to(self.output_proj.weight.dtype)
        starts = torch.arange(len(embeddings), device=self.table.device) * embeddings[0].shape[0]
        self.offsets = starts[:, None]
        self.vq = self.input_proj = None

    def forward(self, codes: Tensor) -> Tensor:
        """codes [B, codebooks, T] -> [B, outer_width, T]."""
        vectors = functional.embedding(codes + self.offsets, self.table).sum(dim=1)
        return self.output_proj(vectors.transpose(1, 2))  # type: ignore[no-any-return]


class SplitQuantizer(nn.Module):
    """The first codebook (meaning) and the others (sound) have projections of their own."""

    def __init__(self, config: CodecDecoderConfig) -> None:
        super().__init__()
        entries, outer_width = config.codebook_size, config.codebook_dim
        width = outer_width // 2
        self.first = config.semantic_quantizers
        self.rvq_first = ResidualCodebooks(self.first, entries, width, outer_width)
        self.rvq_rest = ResidualCodebooks(config.quantizers - self.first, entries, width, outer_width)

    def forward(self, codes: Tensor) -> Tensor:
        """codes [B, 16, T] -> [B, codebook_dim, T]."""
        return self.rvq_first(codes[:, : self.first]) + self.rvq_rest(codes[:, self.first :])  # type: ignore[no-any-return]


class CodecDecoder(nn.Module):
    """The decoder half of the speech tokenizer; `load` makes one."""

    def __init__(self, config: CodecDecoderConfig) -> None:
        super().__init__()
        self.quantizer = SplitQuantizer(config)
        self.pre_conv = CausalConv1d(config.codebook_dim, config.latent_dim, 3)
        self.pre_transformer = CodecTransformer(config, max_frames=MAX_FRAMES)
        self.upsample = nn.ModuleList(_upsampler(config.latent_dim, ratio) for ratio in config.upsampling_ratios)
        self.decoder = _sound_stack(config)
        self.codebooks = config.quantizers
        self.samples_per_frame = math.prod((*config.upsampling_ratios, *config.upsample_rates))
        self.fused: nn.Module | None = None
        self.gains_by_fusing = config.decoder_dim >> len(config.upsample_rates) >= _FUSED_CHANNELS
        self._stateful = number_slots(self)
        self._reach_frames = _reach_frames([*self.upsample.modules(), *self.decoder.modules()])

    @classmethod
    def load(
        cls, file: Path, config: SpeechTokenizerConfig, placement: Placement, *, progress: LoadProgress | None = None
    ) -> CodecDecoder:
        """Read the decoder from the speech tokenizer's model.safetensors.

        Raises ModelConfigInvalid, ModelFileMissing, WeightsUnreadable or WeightsMismatch.
        """
        check_codec(config, read_header(file), file.with_name(CONFIG_FILE))
        decoder = build_on_meta(lambda: cls(config.decoder))

        def rename(name: str) -> str:
            return name.removeprefix(PREFIX)

        load_weights(decoder, file, placement, skip=OTHER_PREFIXES, rename=rename, progress=progress)
        decoder.prepare()
        return decoder

    def prepare(self) -> None:
        """Compute once what follows from the weights alone."""
        for module in list(self.modules()):
            if isinstance(module, (SnakeBeta, CausalTransposedConv1d, ResidualCodebooks, CodecTransformer)):
                module.prepare()

    def fuse(self, workers: Workers | None = None) -> None:
        """Compute the costly part in compiled loops where these can be had; takes seconds the first time on a machine.

        It is for fp32 on a CPU; torch's own layers give their weights away. workers: the talker's, which know how many
        threads help at the moment; None starts new ones.
        """
        try:
            from tts_core.engines.qwen.codec.fused_sound import FusedSound  # noqa: PLC0415 - loads a compiler
            from tts_core.engines.qwen.kernels.workers import Workers  # noqa: PLC0415
        except ImportError:
            return
        self.fused = FusedSound(self.decoder, workers or Workers(torch.get_num_threads()))
        self.decode(torch.zeros(1, self.codebooks, 1, dtype=torch.int64), self.init_state(1))

    def init_state(self, batch: int) -> CodecState:
        """The state before the first frame, for `batch` streams side by side."""
        return CodecState([layer.initial_state(batch) for layer in self._stateful])

    @torch.inference_mode()
    def decode(self, codes: Tensor, state: CodecState) -> Tensor:
        """Decode the next T frames of every row: codes [B, 16, T] -> samples [B, T * 1920], fp32 in [-1, 1].

        T may be any number, 0 included; `state` moves on. Codes must lie in the codebooks.
        """
        if codes.shape[-1] == 0:
            return codes.new_zeros((codes.shape[0], 0), dtype=torch.float32)
        pieces = [self._sound(self._latent(piece, state), state) for piece in torch.split(codes, MAX_FRAMES, dim=-1)]
        return torch.cat(pieces, dim=-1)

    @torch.inference_mode()
    def prime(self, codes: Tensor, state: CodecState) -> None:
        """Move `state` past these codes [B, 16, T] without keeping their sound.

        The state is the same as after decoding them, but the costly part sees only the last frames: it looks no further
        back.
        """
        if codes.shape[-1] == 0:
            return
        latent = torch.cat([self._latent(piece, state) for piece in torch.split(codes, MAX_FRAMES, dim=-1)], dim=-1)
        self._sound(latent[..., -self._reach_frames :], state)

    def _latent(self, codes: Tensor, state: CodecState) -> Tensor:
        """codes [B, 16, T] -> [B, latent, T]."""
        x = self.pre_conv(self.quantizer(codes), state.tensors)
        return self.pre_transformer(x.transpose(1, 2), state.tensors).transpose(1, 2)  # type: ignore[no-any-return]

    def _sound(self, x: Tensor, state: CodecState) -> Tensor:
        """latent [B, latent, T] -> samples [B, T * 1920]."""
        for upsampler in self.upsample:
            for layer in upsampler:  # type: ignore[attr-defined]
                x = layer(x, state.tensors)
        if self.fused is not None:
            return self.fused(x, state.tensors).clamp_(-1.0, 1.0)  # type: ignore[no-any-return]
        for layer in self.decoder:
            x = layer(x) if isinstance(layer, SnakeBeta) else layer(x, state.tensors)
        return x[:, 0].float().clamp_(-1.0, 1.0)


def _upsampler(channels: int, ratio: int) -> nn.ModuleList:
    return nn.ModuleList([CausalTransposedConv1d(channels, channels, ratio, ratio), ConvNeXtBlock(channels)])


def _sound_stack(config: CodecDecoderConfig) -> nn.ModuleList:
    channels = [config.decoder_dim >> step for step in range(len(config.upsample_rates) + 1)]
    blocks = [
        UpsamplingBlock(wide, narrow, rate)
        for wide, narrow, rate in zip(channels, channels[1:], config.upsample_rates, strict=False)
    ]
    ends = SnakeBeta(channels[-1]), CausalConv1d(channels[-1], 1, 7)
    return nn.ModuleList([CausalConv1d(config.latent_dim, channels[0], 7), *blocks, *ends])


def _reach_frames(layers: list[nn.Module]) -> int:
    """How many frames back the output of `layers` depends on. They are in the data's order, from one step per frame."""
    reach, steps_per_frame = 0.0, 1
    for layer in layers:
        if isinstance(layer, CausalConv1d):
            reach += layer.history / steps_per_frame
        elif isinstance(layer, CausalTransposedConv1d):
            reach += math.ceil(layer.overlap / layer.stride) / steps_per_frame
            steps_per_frame *= layer.stride
    return math.ceil(reach) + 1
