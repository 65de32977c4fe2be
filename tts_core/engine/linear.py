"""Linear layers as they are computed: those that see the same input as one product, with float or int8 weights.

One row of a transformer waits for memory and for threads to meet, so few wide products are faster than many narrow
ones. Checkpoints keep the layers apart; a `Part` has a layer's name there and is read straight into its `Product`.
"""

from __future__ import annotations

import warnings

import torch
from torch import Tensor, nn
from torch.nn import functional

from tts_core.engine.weights import HoldsOwnBytes, MakesRoom

_STEPS = 127
"""int8 weights lie between -127 and 127."""
_LEAST_SCALE = 1e-12


class Product(HoldsOwnBytes):
    """What the parts of one input compute, their outputs side by side in the order of the parts."""

    def __init__(self) -> None:
        super().__init__()
        self.parts = 0
        self.outputs = 0
        self._weight = torch.empty(0)

    def forward(self, x: Tensor, bias: Tensor | None = None) -> Tensor:
        """x (..., in) to (..., outputs)."""
        return functional.linear(x, self._weight, bias)

    def room(self, part: Part, dtype: torch.dtype, device: torch.device) -> Tensor:
        """Where a part's weights are to be read to: (out, in)."""
        if not len(self._weight):
            self._weight = torch.empty(self.outputs, part.weight.shape[1], dtype=dtype, device=device)
        return self._weight[part.place : part.place + len(part.weight)]

    def take(self, part: Part, value: Tensor) -> None:
        """A part's weights have been read."""
        part.weight = nn.Parameter(value, requires_grad=False)


class Part(MakesRoom):
    """One layer of a product, as the checkpoint names it. A product's only part may have a bias and computes itself."""

    def __init__(self, inputs: int, outputs: int, *, whole: Product | None = None, bias: bool = False) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(outputs, inputs), requires_grad=False)
        self.bias = nn.Parameter(torch.empty(outputs), requires_grad=False) if bias else None
        self.whole = whole or Product()
        self.place = self.whole.outputs
        self.whole.outputs += outputs
        self.whole.parts += 1

    def room(self, dtype: torch.dtype, device: torch.device) -> Tensor:
        return self.whole.room(self, dtype, device)

    def take(self, value: Tensor) -> None:
        self.whole.take(self, value)

    def forward(self, x: Tensor) -> Tensor:
        """x (..., in) to (..., out)."""
        return self.whole(x, self.bias)  # type: ignore[no-any-return]


class Int8Product(Product):
    """With int8 weights, one scale per output; each position's input is rounded to 8 bits, with a scale of its own.

    torch's operator takes one range for all that it is given. So every position is brought to [-1, 1] first, and one
    more that holds both ends is added: what a position becomes does not depend on those beside it.
    """

    def __init__(self, floats: Product) -> None:
        """In the place of `floats`, none of whose parts is read yet."""
        super().__init__()
        self.parts, self.outputs = floats.parts, floats.outputs
        self._rows: list[tuple[int, Tensor, Tensor]] = []
        self._packed: object = None
        self._reduced = needs_seven_bits()
        self._ends = torch.empty(0)

    def room(self, part: Part, dtype: torch.dtype, device: torch.device) -> Tensor:
        return torch.empty(part.weight.shape, dtype=dtype, device=device)

    def take(self, part: Part, value: Tensor) -> None:
        scales = value.abs().amax(dim=1).div_(_STEPS).clamp_(min=_LEAST_SCALE)
        self._rows.append((part.place, value.div_(scales[:, None]).round_().to(torch.int8), scales))
        del part.weight
        if len(self._rows) == self.parts:
            _, rows, all_scales = zip(*sorted(self._rows, key=lambda row: row[0]), strict=True)
            self._rows, self._ends = [], _ends(value.shape[1])
            self._packed = _pack(torch.cat(rows), torch.cat(all_scales))
            self.own_bytes = self.outputs * (value.shape[1] + 4)

    def forward(self, x: Tensor, bias: Tensor | None = None) -> Tensor:
        flat = x.reshape(-1, x.shape[-1])
        scales = flat.abs().amax(dim=1, keepdim=True).clamp_(min=_LEAST_SCALE)
        pinned = torch.cat((flat / scales, self._ends))
        y: Tensor = torch.ops.quantized.linear_dynamic(pinned, self._packed, self._reduced)[:-1].mul_(scales)
        return (y if bias is None else y.add_(bias)).view(*x.shape[:-1], -1)


def expect_int8(module: nn.Module) -> None:
    """Let every product below `module`, which is not loaded yet, have int8 weights."""
    int8 = {product: Int8Product(product) for product in module.modules() if isinstance(product, Product)}
    for owner in module.modules():
        for name, child in owner.named_children():
            if isinstance(child, Product):
                setattr(owner, name, int8[child])


def needs_seven_bits() -> bool:
    """Whether inputs must be rounded to 7 bits here: processors without VNNI overflow on the largest products.

    Found out by computing them. Raises RuntimeError where torch has no exact int8 products at all.
    """
    rows, ones = torch.full((64, 256), _STEPS, dtype=torch.int8), torch.cat((torch.ones(1, 256), _ends(256)))
    packed = _pack(rows, torch.full((64,), 1 / _STEPS))
    for reduced in (False, True):
        found = torch.ops.quantized.linear_dynamic(ones, packed, reduced)[0]
        if (found - 256).abs().max() < 256 / 100:
            return reduced
    raise RuntimeError("int8 products overflow")


def _ends(width: int) -> Tensor:
    """(1, width): the largest input, the least one, zeros."""
    return functional.pad(torch.tensor([[1.0, -1.0]]), (0, width - 2))


def _pack(rows: Tensor, scales: Tensor) -> object:
    """rows (out, in) int8 and scales (out) in the layout that the processor likes best."""
    zeros = torch.zeros(len(scales), dtype=torch.int64)
    with warnings.catch_warnings():  # torch 2.13 announces that its quantised tensors will go; the version is pinned
        warnings.simplefilter("ignore", UserWarning)
        weight = torch._make_per_channel_quantized_tensor(rows, scales.double(), zeros, 0)
        packed: object = torch.ops.quantized.linear_prepack(weight, None)
    return packed
