"""log p(x|z) of any images at fixed codes, whose decoder outputs all images share. In nats; imports no torch."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]

Seen = Callable[[Any], Array]
"""Turns images as users have them into pixels as a model sees them, float32 of the same shape."""

LEAST_EXPONENT = -80.0
"""Of an exp: below it the numbers are denormal, and a hundred times slower."""


@dataclass(frozen=True, eq=False)
class LikelihoodTable(ABC):
    """What a decoder makes of ``m`` codes, ready for any number of images.

    Attributes:
        seen: How the model sees images.
    """

    seen: Seen

    @abstractmethod
    def __len__(self) -> int:
        """Codes."""

    def log_likelihood(self, images: NDArray[np.uint8] | Array) -> Array:
        """Log p(x|z) of each image at each code, float32 ``(n, m)``, nats, summed over an image's pixels.

        Args:
            images: ``(n, *image_shape)`` or ``(n, values)``: grey levels as uint8, or floats in 0 … 1.
        """
        return self.of_pixels(self.seen(images).reshape(len(images), -1))

    @abstractmethod
    def of_pixels(self, x: Array) -> Array:
        """The same for pixels ``(n, values)`` as the model sees them."""


@dataclass(frozen=True, eq=False)
class NaturalTable(LikelihoodTable):
    """Of an exponential family: log p(x|z) = η(z)ᵀx − A(z) + h(x), one matrix product for all images and codes.

    Attributes:
        natural: η, ``(m, values)``; float64 where numbers are large and nearly cancel.
        log_normalizer: A, ``(m,)``, of the same type.
        square: h(x) is this times ‖x‖² …
        constant: … plus this.
    """

    natural: NDArray[Any]
    log_normalizer: NDArray[Any]
    square: float = 0.0
    constant: float = 0.0

    def __len__(self) -> int:
        return len(self.natural)

    def of_pixels(self, x: Array) -> Array:
        """As there."""
        pixels = x.astype(self.natural.dtype, copy=False)
        found = pixels @ self.natural.T
        found -= self.log_normalizer
        if self.square or self.constant:
            found += self.square * np.einsum("nd,nd->n", pixels, pixels)[:, None] + self.constant
        logs: Array = found.astype(np.float32, copy=False)
        return logs


def bernoulli_table(logits: Array, seen: Seen) -> NaturalTable:
    """Of Bernoulli pixels, whose η are the logits ``(m, values)`` and whose A is Σ log(1 + exp η)."""
    return NaturalTable(seen, logits, softplus(logits).sum(1, dtype=np.float64).astype(np.float32))


def gaussian_table(mean: Array, log_variance: float, seen: Seen) -> NaturalTable:
    """Of pixels N(mean, σ²) with one σ² for all: η = mean/σ², A = ‖mean‖²/2σ²; ``mean`` is ``(m, values)``.

    In float64: the squares are large where σ is small, and nearly cancel.
    """
    precision = math.exp(-log_variance)
    means = mean.astype(np.float64)
    half_squares = 0.5 * precision * np.einsum("md,md->m", means, means)
    constant = -0.5 * mean.shape[1] * (math.log(2.0 * math.pi) + log_variance)
    return NaturalTable(seen, precision * means, half_squares, -0.5 * precision, constant)


def softplus(x: Array) -> Array:
    """log(1 + exp x), stable for large ``|x|``; any shape."""
    found: Array = np.maximum(x, 0.0) + np.log1p(np.exp(np.maximum(-np.abs(x), LEAST_EXPONENT)))
    return found
