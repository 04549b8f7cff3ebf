"""M2 and M1+M2 in NumPy, fast enough for the thread that draws."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from vaeviewer.backend.models.fields import FamilyConfig
from vaeviewer.backend.models.networks.numpy_densities import PixelDensity, pixel_density, sigmoid
from vaeviewer.backend.models.networks.numpy_mlp import (
    MAX_LOG_VARIANCE,
    Array,
    Classes,
    Pullback,
    mlp,
    mlp_and_pullback,
)


@dataclass(frozen=True)
class M2Form:
    """How to compute a ``networks.semi_supervised.M2``.

    Attributes:
        activation: A name in ``numpy_mlp.ACTIVATIONS``.
    """

    activation: str

    def encode(self, weights: Mapping[str, Array], x: Array, y: Classes | None = None) -> tuple[Array, Array]:
        """q(z|x, y) at the class that q(y|x) finds most probable, whatever ``y`` is."""
        likely = mlp(weights, "classifier", self.activation, x).argmax(1)
        return _gaussian(mlp(weights, "given_class.encoder", self.activation, x, likely))

    def decode(self, weights: Mapping[str, Array], z: Array, y: Classes | None = None) -> Array:
        """Mean pixels of p(x|z, y)."""
        return sigmoid(self.outputs(weights, z, y))

    def pixels(self, config: FamilyConfig, weights: Mapping[str, Array]) -> PixelDensity | None:
        """As ``DensityForm.pixels``."""
        return pixel_density(config, weights, within="given_class.")

    def outputs(self, weights: Mapping[str, Array], z: Array, y: Classes | None = None) -> Array:
        """As ``DensityForm.outputs``."""
        return mlp(weights, "given_class.decoder", self.activation, z, y)

    def outputs_and_pullback(
        self, weights: Mapping[str, Array], z: Array, y: Classes | None = None
    ) -> tuple[Array, Pullback]:
        """As ``DensityForm.outputs_and_pullback``."""
        return mlp_and_pullback(weights, "given_class.decoder", self.activation, z, y)


@dataclass(frozen=True)
class M1M2Form:
    """How to compute a ``networks.semi_supervised.M1M2``; attributes as :class:`M2Form` has them."""

    activation: str

    def encode(self, weights: Mapping[str, Array], x: Array, y: Classes | None = None) -> tuple[Array, Array]:
        """As there, of the mean features."""
        features, _ = np.split(mlp(weights, "first.encoder", self.activation, x), 2, axis=1)
        likely = mlp(weights, "classifier", self.activation, features).argmax(1)
        return _gaussian(mlp(weights, "inner_encoder", self.activation, features, likely))

    def decode(self, weights: Mapping[str, Array], z: Array, y: Classes | None = None) -> Array:
        """Mean pixels of p(x|z₁) at the mean features of p(z₁|z, y)."""
        features, _ = np.split(mlp(weights, "inner_decoder", self.activation, z, y), 2, axis=1)
        return sigmoid(mlp(weights, "first.decoder", self.activation, features))


def _gaussian(outputs: Array) -> tuple[Array, Array]:
    loc, log_variance = np.split(outputs, 2, axis=1)
    return loc, np.clip(log_variance, -MAX_LOG_VARIANCE, MAX_LOG_VARIANCE)
