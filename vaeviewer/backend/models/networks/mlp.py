"""Fully connected networks, for inference and generation alike."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional

ACTIVATIONS: Mapping[str, Callable[[Tensor], Tensor]] = {
    "tanh": torch.tanh,
    "relu": functional.relu,
    "silu": functional.silu,
    "sigmoid": torch.sigmoid,
    "linear": lambda x: x,
}
"""The same functions as ``numpy_mlp.ACTIVATIONS``, which a test holds against these."""

GAINS: Mapping[str, float] = {"tanh": 1.0, "relu": math.sqrt(2), "silu": 5 / 3, "sigmoid": 4.0, "linear": 1.0}
"""Factors that keep the deviation of activations about constant from layer to layer."""

OUTPUT_GAIN = 0.4


class MLP(nn.ModuleList):
    """Linear layers with an activation between them; the last one is linear.

    Args:
        sizes: Units from input to output, at least two numbers.
        activation: A name in :data:`ACTIVATIONS`.
        exact: A layer that is computed in float32 even under autocast.
        gain: The last layer's.
    """

    def __init__(
        self, sizes: Sequence[int], activation: str, exact: int | None = None, gain: float = OUTPUT_GAIN
    ) -> None:
        super().__init__(nn.Linear(a, b) for a, b in pairwise(sizes))
        self.activation = activation
        self._exact = exact
        self._gain = gain

    def forward(self, x: Tensor) -> Tensor:
        """Map ``x`` of shape ``(..., sizes[0])`` to ``(..., sizes[-1])``."""
        activate = ACTIVATIONS[self.activation]
        last = len(self) - 1
        for i, layer in enumerate(self):
            x = in_float32(layer, x) if i == self._exact else layer(x)
            if i < last:
                x = activate(x)
        return x

    @torch.no_grad()
    def initialize(self, generator: torch.Generator) -> None:
        """Draw weights uniformly with deviation gain/√(inputs), and biases within ±1/√(inputs).

        The gains are those of He et al., "Delving Deep into Rectifiers" (2015), equation 10. The small last layer
        starts the posterior near the prior and images near flat grey, which shortens the plateau that training
        begins on. Biases matter where the input is a z of two numbers: without them every unit would turn at the
        origin.
        """
        for i, layer in enumerate(self):
            assert isinstance(layer, nn.Linear)
            gain = self._gain if i == len(self) - 1 else GAINS[self.activation]
            bound = gain * math.sqrt(3.0 / layer.in_features)
            layer.weight.uniform_(-bound, bound, generator=generator)
            spread = 1.0 / math.sqrt(layer.in_features)
            layer.bias.uniform_(-spread, spread, generator=generator)


class MlpEncoder(MLP):
    """Images ``(n, C, H, W)`` to numbers, ``(n, outputs)``; arguments as :class:`MLP` has them.

    ``sizes`` begins with the numbers in an image and in what is seen beside it.
    """

    def forward(self, x: Tensor, beside: Tensor | None = None) -> Tensor:
        """Pixel by pixel, the channels of each side by side, as images lie outside torch; then what is ``beside``."""
        flat = x.permute(0, 2, 3, 1).flatten(1)
        return super().forward(flat if beside is None else torch.cat([flat, beside], 1))


class MlpDecoder(MLP):
    """Numbers ``(..., inputs)`` to images ``(..., C, H, W)``.

    Args:
        sizes: As :class:`MLP` has them.
        shape: ``(C, H, W)``.
        activation: As there.
        exact: As there.
    """

    def __init__(
        self, sizes: Sequence[int], shape: tuple[int, int, int], activation: str, exact: int | None = None
    ) -> None:
        super().__init__(sizes, activation, exact)
        channels, height, width = shape
        self._shape = (height, width, channels)

    def forward(self, z: Tensor) -> Tensor:
        """The mirror of :class:`MlpEncoder`."""
        outputs: Tensor = super().forward(z)
        return outputs.reshape(*z.shape[:-1], *self._shape).movedim(-1, -3)


def in_float32(layer: Callable[[Tensor], Tensor], x: Tensor) -> Tensor:
    """What a layer makes of ``x``, computed in float32 even under autocast."""
    if not torch.is_autocast_enabled(x.device.type):
        return layer(x)
    with torch.autocast(x.device.type, enabled=False):
        return layer(x.float())
