"""Fully connected networks, for inference and generation alike."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

ACTIVATIONS: Mapping[str, Callable[[Tensor], Tensor]] = {
    "tanh": torch.tanh,
    "relu": functional.relu,
    "silu": functional.silu,
}
"""The same functions as ``forward.ACTIVATIONS``, which a test holds against these."""


class MLP(nn.ModuleList):
    """Linear layers with an activation between them; the last one is linear.

    Args:
        sizes: Units from input to output, at least two numbers.
        activation: A name in :data:`ACTIVATIONS`.
    """

    def __init__(self, sizes: Sequence[int], activation: str) -> None:
        super().__init__(nn.Linear(a, b) for a, b in zip(sizes[:-1], sizes[1:], strict=True))
        self._activation = ACTIVATIONS[activation]

    def forward(self, x: Tensor) -> Tensor:
        """Map ``x`` of shape ``(..., sizes[0])`` to ``(..., sizes[-1])``."""
        last = len(self) - 1
        for i, layer in enumerate(self):
            x = layer(x)
            if i < last:
                x = self._activation(x)
        return x

    @torch.no_grad()
    def initialize(self, generator: torch.Generator) -> None:
        """Draw weights and biases uniformly from ±1/√(inputs), PyTorch's own rule, but from ``generator``."""
        for layer in self:
            assert isinstance(layer, nn.Linear)
            bound = 1.0 / math.sqrt(layer.in_features)
            layer.weight.uniform_(-bound, bound, generator=generator)
            layer.bias.uniform_(-bound, bound, generator=generator)
