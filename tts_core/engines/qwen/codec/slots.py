"""The codec's streams of takes beside each other: each has a slot, any of which are decoded together."""

from __future__ import annotations

import itertools
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from tts_core.engines.qwen.codec.chunks import RAMP, STEADY_FRAMES
from tts_core.engines.qwen.codec.decoder import CodecDecoder, CodecState
from tts_core.engines.qwen.kernels.graphs import Runner

_KEPT_REFERENCES = 4
"""States at the end of a reference that are kept, 5 MB each. Making one is most of the time before a clone speaks."""
WIDTHS = (*RAMP, STEADY_FRAMES)
"""Lengths in frames of chunks whose decoding is recorded; other chunks are decoded step by step."""
MOST_TOGETHER = 8


@dataclass(frozen=True, slots=True)
class _Inputs:
    """The tensors in which recorded work finds what to decode and leaves the sound."""

    slots: Tensor
    """The rows' slots, (B) int64."""
    codes: Tensor
    """The rows' codes, (B, 16, T) int64."""
    samples: Tensor
    """The decoded sound, (B, T * 1920)."""


class CodecSlots:
    """The streams of all takes with their decoder. Call it from one thread."""

    def __init__(self, decoder: CodecDecoder, device: torch.device, slots: int, graphs: Runner | None = None) -> None:
        self._decoder = decoder
        self._device = device
        self._graphs = graphs
        self._spare = slots
        self._state = decoder.init_state(batch=slots + 1)
        self._beginning = decoder.init_state(batch=1)
        self._ends: OrderedDict[bytes, CodecState] = OrderedDict()
        self._inputs: dict[tuple[int, int], _Inputs] = {}

    def begin(self, slot: int, reference: Tensor | None) -> None:
        """Begin a slot's stream where `reference` (F, 16) ends, or from silence."""
        self._state.set_row(slot, self._beginning if reference is None else self._end_of(reference))

    @torch.inference_mode()
    def decode(self, slots: Sequence[int], codes: Tensor) -> Tensor:
        """Decode the next frames of some streams: codes (B, T, 16) to samples (B, T * 1920) on the CPU."""
        codes = codes.transpose(1, 2)
        if self._graphs is not None and codes.shape[-1] in WIDTHS and len(slots) <= MOST_TOGETHER:
            return self._decode_recorded(self._graphs, slots, codes)
        codes = codes.to(self._device)
        parts = [self._decoder.decode(codes[row : row + 1], self._stream(slot)) for row, slot in enumerate(slots)]
        return torch.cat(parts).cpu()

    @torch.inference_mode()
    def warm_up(self) -> Iterator[None]:
        """Record what usual chunks need, the first ones of a take first."""
        if self._graphs is None:
            return
        rows = [1 << step for step in range(MOST_TOGETHER.bit_length())]
        for frames, width in itertools.product(WIDTHS, rows):
            for _ in range(2):  # the second time it is recorded
                self._decode_recorded(self._graphs, [self._spare] * width, torch.zeros(1, 1, frames).long())
            yield

    def _decode_recorded(self, graphs: Runner, slots: Sequence[int], codes: Tensor) -> Tensor:
        """Decode by recorded work; rows of the spare slot fill up to a width that is recorded."""
        width, frames = 1 << (len(slots) - 1).bit_length(), codes.shape[-1]
        if (width, frames) not in self._inputs:
            self._inputs[width, frames] = self._new_inputs(width, frames)
        inputs = self._inputs[width, frames]
        unused = width - len(slots)
        inputs.slots.copy_(torch.tensor([*slots, *[self._spare] * unused]))
        inputs.codes[: len(slots)] = codes.to(self._device)
        graphs.run((width, frames), lambda: self._decode(inputs))
        return inputs.samples[: len(slots)].to("cpu", copy=True)

    def _decode(self, inputs: _Inputs) -> None:
        state = CodecState([tensor.index_select(0, inputs.slots) for tensor in self._state.tensors])
        inputs.samples.copy_(self._decoder.decode(inputs.codes, state))
        for target, changed in zip(self._state.tensors, state.tensors, strict=True):
            target.index_copy_(0, inputs.slots, changed)

    def _new_inputs(self, width: int, frames: int) -> _Inputs:
        groups = self._decoder.quantizer.first + len(self._decoder.quantizer.rvq_rest.offsets)
        return _Inputs(
            torch.full((width,), self._spare, device=self._device),
            torch.zeros(width, groups, frames, dtype=torch.int64, device=self._device),
            torch.zeros(width, frames * self._decoder.samples_per_frame, device=self._device),
        )

    def _stream(self, slot: int) -> CodecState:
        return CodecState([tensor[slot : slot + 1] for tensor in self._state.tensors])

    def _end_of(self, reference: Tensor) -> CodecState:
        codes = reference.long().cpu().contiguous()
        key = codes.numpy().tobytes()
        if key not in self._ends:
            state = self._beginning.clone()
            self._decoder.prime(codes.to(self._device).T[None], state)
            self._ends[key] = state
        self._ends.move_to_end(key)
        while len(self._ends) > _KEPT_REFERENCES:
            self._ends.popitem(last=False)
        return self._ends[key]
