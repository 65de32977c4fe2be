"""Products with int8 weights, one scale per output, rounded as they are read; here computed by torch, on any device.

They have half of bfloat16's bytes, and a row's time goes into reading weights. torch.compile widens them inside the
product; without it a widened copy of one product is made at a time. On CPUs `int8` computes the same in its own loops.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional

from tts_core.engines.qwen.talker.linear import Part, Product

_STEPS = 127
"""Weights lie between -127 and 127."""
_LEAST_SCALE = 1e-12
_SOME_ROWS = 64
"""Rows that are rounded at once: they fit a processor's cache."""


class RoundedProduct(Product):
    """A product with rounded weights, in the place of one none of whose parts is read yet."""

    def __init__(self, floats: Product) -> None:
        super().__init__()
        self.parts, self.outputs = floats.parts, floats.outputs
        self._rows: list[tuple[int, Tensor, Tensor]] = []
        self._scales = torch.empty(0)

    def room(self, part: Part, dtype: torch.dtype, device: torch.device) -> Tensor:
        return torch.empty(part.weight.shape, dtype=dtype, device=device)

    def take(self, part: Part, value: Tensor) -> None:
        value = value.float()  # a shorter type would round the quotients
        least, most = value.aminmax(dim=1)
        scales = torch.maximum(most, least.neg_()).div_(_STEPS).clamp_(min=_LEAST_SCALE)
        rows = torch.empty(value.shape, dtype=torch.int8, device=value.device)
        for some, into, scale in zip(*(torch.split(each, _SOME_ROWS) for each in (value, rows, scales)), strict=True):
            into.copy_(some.div_(scale[:, None]).round_())
        self._rows.append((part.place, rows, scales))
        del part.weight
        if len(self._rows) == self.parts:
            _, all_rows, all_scales = zip(*sorted(self._rows, key=lambda entry: entry[0]), strict=True)
            self._rows = []
            self.keep(torch.cat(all_rows), torch.cat(all_scales))

    def keep(self, rows: Tensor, scales: Tensor) -> None:
        """Keep the weights once all parts are read: rows (outputs, in) int8 and scales (outputs)."""
        self._weight, self._scales = rows, scales
        self.own_bytes = self._weight.nbytes + self._scales.nbytes

    def forward(self, x: Tensor, bias: Tensor | None = None) -> Tensor:
        y = (functional.linear(x, self._weight.to(x.dtype)) * self._scales).to(x.dtype)
        return y if bias is None else y + bias


def expect_rounded(module: nn.Module, make: Callable[[Product], RoundedProduct] = RoundedProduct) -> None:
    """Let every product below `module`, which is not loaded yet, have rounded weights."""
    plain = [each for each in module.modules() if isinstance(each, Product) and not isinstance(each, RoundedProduct)]
    rounded = {product: make(product) for product in plain}
    for owner in module.modules():
        for name, child in owner.named_children():
            if child in rounded:
                setattr(owner, name, rounded[child])
