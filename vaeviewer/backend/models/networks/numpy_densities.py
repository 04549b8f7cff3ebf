"""p(x|z) of pixels in NumPy, given a decoder's outputs; ``models/likelihoods.py`` has the same in torch."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from vaeviewer.backend.models.fields import FamilyConfig, PixelLikelihood
from vaeviewer.backend.models.likelihood_table import (
    NaturalTable,
    Seen,
    bernoulli_table,
    gaussian_table,
    softplus,
)

Array = NDArray[np.float32]

MIN_GAUSSIAN_LOG_VARIANCE = -9.0
"""As ``likelihoods.MIN_GAUSSIAN_LOG_VARIANCE``, which a test holds against this."""


class PixelDensity(Protocol):
    """What a decoder's outputs mean, a row each for a code."""

    def table(self, outputs: Array, seen: Seen) -> NaturalTable:
        """Of outputs ``(m, values)`` for any images."""

    def log_prob(self, outputs: Array, x: Array) -> Array:
        """Log p(x|z), ``(m,)``, nats, of an image for each code, or one for all, ``(1, values)``."""

    def slope(self, outputs: Array, x: Array) -> Array:
        """Its derivative by the outputs, ``(m, values)``."""


@dataclass(frozen=True)
class BernoulliDensity:
    """Outputs are logits."""

    def table(self, outputs: Array, seen: Seen) -> NaturalTable:
        """As there."""
        return bernoulli_table(outputs, seen)

    def log_prob(self, outputs: Array, x: Array) -> Array:
        """As there: x·η − log(1 + exp η), summed over pixels."""
        found: Array = (x * outputs - softplus(outputs)).sum(1)
        return found

    def slope(self, outputs: Array, x: Array) -> Array:
        """As there: x minus the probability."""
        return x - sigmoid(outputs)


@dataclass(frozen=True)
class GaussianDensity:
    """Outputs give the mean, and all pixels have one variance.

    Attributes:
        log_variance: log σ².
        squashed: Whether the mean is the outputs' logistic function, or the outputs.
    """

    log_variance: float
    squashed: bool = True

    def table(self, outputs: Array, seen: Seen) -> NaturalTable:
        """As there."""
        return gaussian_table(self._mean(outputs), self.log_variance, seen)

    def log_prob(self, outputs: Array, x: Array) -> Array:
        """As there."""
        squares = np.square(x - self._mean(outputs)).sum(1)
        constant = outputs.shape[1] * (math.log(2.0 * math.pi) + self.log_variance)
        found: Array = (-0.5 * (math.exp(-self.log_variance) * squares + constant)).astype(np.float32)
        return found

    def slope(self, outputs: Array, x: Array) -> Array:
        """As there."""
        mean = self._mean(outputs)
        by_mean = np.float32(math.exp(-self.log_variance)) * (x - mean)
        found: Array = by_mean * mean * (1.0 - mean) if self.squashed else by_mean
        return found

    def _mean(self, outputs: Array) -> Array:
        return sigmoid(outputs) if self.squashed else outputs


def pixel_density(
    config: FamilyConfig, weights: Mapping[str, Array], within: str = ""
) -> BernoulliDensity | GaussianDensity | None:
    """The density that the settings name, with the parameters it has among the weights; ``None``: another one.

    Args:
        config: The settings.
        weights: By name.
        within: What names of the autoencoder's weights begin with.
    """
    if not isinstance(config, PixelLikelihood) or config.likelihood == "logistic":
        return None
    if config.likelihood == "bernoulli":
        return BernoulliDensity()
    learned = weights.get(f"{within}likelihood.log_variance")
    log_variance = 2.0 * math.log(config.gaussian_scale) if learned is None else learned.item()
    return GaussianDensity(max(log_variance, MIN_GAUSSIAN_LOG_VARIANCE))


def sigmoid(x: Array) -> Array:
    """The logistic function, stable for large ``|x|``; any shape."""
    half: Array = np.tanh(0.5 * x)
    return 0.5 * (half + 1.0)
