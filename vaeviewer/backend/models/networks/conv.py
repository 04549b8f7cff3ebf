"""Convolutional networks: an image to numbers, and its mirror, for images of any size."""

from __future__ import annotations

import math
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional

from vaeviewer.backend.models.fields import ImageNetworks
from vaeviewer.backend.models.interface import ImageSpec
from vaeviewer.backend.models.networks.mlp import ACTIVATIONS, GAINS, MLP, OUTPUT_GAIN
from vaeviewer.backend.models.networks.strided import Doubling, Halving

LAST_SIDE = 8
"""Sides are halved until both are at most this."""

MOST_TIMES = 8
"""Halving doubles the channels, up to so many times those of the first convolution."""

GROUPS = 8
"""Of group normalisation, where the channels divide by it."""


def pyramid(image: ImageSpec, channels: int) -> list[tuple[int, int, int]]:
    """``(C, H, W)`` of the image and of what each convolution makes of it, at least once halved; odd sides round up."""
    shapes = [(image.channels, image.height, image.width)]
    while len(shapes) == 1 or max(shapes[-1][1:]) > LAST_SIDE:
        _, height, width = shapes[-1]
        times = min(2 ** (len(shapes) - 1), MOST_TIMES)
        shapes.append((channels * times, -(-height // 2), -(-width // 2)))
    return shapes


class ConvEncoder(nn.Module):
    """Halves the image by convolutions, then a dense layer, then numbers.

    Args:
        config: Channels, normalisation, residual blocks, dense units and activation.
        image: Size of the images.
        outputs: How many numbers come out; the layer to them is float32 even under autocast.
        beside: Numbers that the dense layer sees beside the image.
    """

    def __init__(self, config: ImageNetworks, image: ImageSpec, outputs: int, beside: int = 0) -> None:
        super().__init__()
        self.blocks = nn.ModuleList(
            _Block(config, Halving(a[0], b[0], bias=config.normalisation == "none"), b[0])
            for a, b in pairwise(pyramid(image, config.conv_channels))
        )
        flat, *dense = _dense_sizes(config, image)
        self.head = MLP((flat + beside, *dense, outputs), config.activation, exact=len(dense))

    def forward(self, x: Tensor, beside: Tensor | None = None) -> Tensor:
        """``(n, outputs)`` of images ``(n, C, H, W)`` and of what is beside them, ``(n, beside)``."""
        x = channels_last(x)
        for block in self.blocks:
            # A row or a column of black more where a side is odd.
            x = block(functional.pad(x, (0, x.shape[3] % 2, 0, x.shape[2] % 2)))
        flat = x.permute(0, 2, 3, 1).flatten(1)
        outputs: Tensor = self.head(flat if beside is None else torch.cat([flat, beside], 1))
        return outputs

    def initialize(self, generator: torch.Generator) -> None:
        """Draw weights as :meth:`MLP.initialize` does."""
        for block in self.blocks:
            assert isinstance(block, _Block)
            block.initialize(generator)
        self.head.initialize(generator)


class ConvDecoder(nn.Module):
    """The mirror of :class:`ConvEncoder`: numbers, a dense layer, and transposed convolutions, which end linear.

    Args:
        config: As there.
        image: Size of the images.
        inputs: Numbers that come in; the layer from them is float32 even under autocast.
    """

    def __init__(self, config: ImageNetworks, image: ImageSpec, inputs: int) -> None:
        super().__init__()
        self._activation = config.activation
        self._shapes = pyramid(image, config.conv_channels)[::-1]
        dense = _dense_sizes(config, image)
        # What comes out of it is not the end: an activation and the convolutions follow.
        self.head = MLP((inputs, *reversed(dense)), config.activation, exact=0, gain=GAINS[config.activation])
        self.blocks = nn.ModuleList(
            _Block(config, Doubling(a[0], b[0], bias=config.normalisation == "none"), b[0])
            for a, b in pairwise(self._shapes[:-1])
        )
        self.last = Doubling(self._shapes[-2][0], image.channels)

    def forward(self, z: Tensor) -> Tensor:
        """Outputs ``(..., C, H, W)`` for ``(..., inputs)``."""
        channels, height, width = self._shapes[0]
        x = ACTIVATIONS[self._activation](self.head(z.reshape(-1, z.shape[-1])))
        x = x.view(len(x), height, width, channels).permute(0, 3, 1, 2)
        for layer, (_, height, width) in zip((*self.blocks, self.last), self._shapes[1:], strict=True):
            x = layer(x)[:, :, :height, :width]  # one less where that side is odd
        return x.reshape(*z.shape[:-1], *x.shape[1:])

    def initialize(self, generator: torch.Generator) -> None:
        """Draw weights as :meth:`MLP.initialize` does."""
        self.head.initialize(generator)
        for block in self.blocks:
            assert isinstance(block, _Block)
            block.initialize(generator)
        _draw(self.last, OUTPUT_GAIN, generator)


class _Block(nn.Module):
    """A convolution that changes the size, and residual blocks at the new one."""

    def __init__(self, config: ImageNetworks, change: nn.Module, channels: int) -> None:
        super().__init__()
        self._activation = config.activation
        self.change = change
        self.norm = _norm(config, channels)
        self.residual = nn.ModuleList(_Residual(config, channels) for _ in range(config.residual_blocks))

    def forward(self, x: Tensor) -> Tensor:
        x = ACTIVATIONS[self._activation](self.norm(self.change(x)))
        for block in self.residual:
            x = block(x)
        return x

    def initialize(self, generator: torch.Generator) -> None:
        _draw(self.change, GAINS[self._activation], generator)
        for block in self.residual:
            assert isinstance(block, _Residual)
            block.initialize(generator)


class _Residual(nn.Module):
    """x + f(x); He et al., "Deep Residual Learning for Image Recognition" (2016), figure 2."""

    def __init__(self, config: ImageNetworks, channels: int) -> None:
        super().__init__()
        self._activation = config.activation
        bias = config.normalisation == "none"
        self.first = nn.Conv2d(channels, channels, 3, padding=1, bias=bias)
        self.first_norm = _norm(config, channels)
        self.second = nn.Conv2d(channels, channels, 3, padding=1, bias=bias)
        self.second_norm = _norm(config, channels)

    def forward(self, x: Tensor) -> Tensor:
        activate = ACTIVATIONS[self._activation]
        inner = activate(self.first_norm(self.first(x)))
        return activate(x + self.second_norm(self.second(inner)))

    def initialize(self, generator: torch.Generator) -> None:
        """The second convolution starts small, so that a block starts near the identity."""
        _draw(self.first, GAINS[self._activation], generator)
        _draw(self.second, 0.1, generator)


def channels_last(x: Tensor) -> Tensor:
    """The same images ``(n, C, H, W)`` with the channels of a pixel side by side in memory, as processors like them."""
    n, channels, height, width = x.shape
    # Spelled out: for one channel, where both orders are the same, torch would keep strides that say otherwise.
    return x.permute(0, 2, 3, 1).flatten(1).view(n, height, width, channels).permute(0, 3, 1, 2)


def _dense_sizes(config: ImageNetworks, image: ImageSpec) -> tuple[int, ...]:
    flat = math.prod(pyramid(image, config.conv_channels)[-1])
    return (flat, config.dense) if config.dense else (flat,)


def _norm(config: ImageNetworks, channels: int) -> nn.Module:
    match config.normalisation:
        case "batch":
            return nn.BatchNorm2d(channels)
        case "group":
            return nn.GroupNorm(math.gcd(GROUPS, channels), channels)
        case _:
            return nn.Identity()


@torch.no_grad()
def _draw(layer: nn.Module, gain: float, generator: torch.Generator) -> None:
    assert isinstance(layer, (nn.Conv2d, nn.ConvTranspose2d))
    # Each output of a transposed convolution of stride 2 sees a quarter of its kernel.
    inputs = layer.in_channels * math.prod(layer.kernel_size)
    if layer.transposed:
        inputs //= math.prod(layer.stride)
    bound = gain * math.sqrt(3.0 / inputs)
    layer.weight.uniform_(-bound, bound, generator=generator)
    if layer.bias is not None:
        spread = 1.0 / math.sqrt(inputs)
        layer.bias.uniform_(-spread, spread, generator=generator)
