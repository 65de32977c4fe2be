"""Linear layers as they are computed: those that see the same input as one product.

One row of a transformer waits for memory and for threads to meet, so few wide products are faster than many narrow
ones. Checkpoints keep the layers apart; a `Part` has a layer's name there and is read straight into its `Product`.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from tts_core.engines.qwen.talker.weights import HoldsOwnBytes, MakesRoom


class Product(HoldsOwnBytes):
    """The product of one input with the weights of all parts, their outputs side by side in the order of the parts."""

    def __init__(self) -> None:
        super().__init__()
        self.parts = 0
        self.outputs = 0
        self._weight = torch.empty(0)

    def forward(self, x: Tensor, bias: Tensor | None = None) -> Tensor:
        """x (..., in) to (..., outputs)."""
        return functional.linear(x, self._weight, bias)

    def room(self, part: Part, dtype: torch.dtype, device: torch.device) -> Tensor:
        """The memory that a part's weights are to be read to: (out, in)."""
        if not len(self._weight):
            self._weight = torch.empty(self.outputs, part.weight.shape[1], dtype=dtype, device=device)
        return self._weight[part.place : part.place + len(part.weight)]

    def take(self, part: Part, value: Tensor) -> None:
        """Keep a part's weights, which have been read."""
        part.weight = nn.Parameter(value, requires_grad=False)


class Part(MakesRoom):
    """A layer of a product, as the checkpoint names it. A product's only part may have a bias and computes itself."""

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
