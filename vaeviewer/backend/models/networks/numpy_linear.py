"""Linear generation and its exact posterior in NumPy, fast enough for the thread that draws."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from vaeviewer.backend.models.fields import FamilyConfig
from vaeviewer.backend.models.networks.numpy_densities import GaussianDensity
from vaeviewer.backend.models.networks.numpy_mlp import Array, Classes, Pullback


class LinearForm:
    """How to compute a ``LinearGaussian`` of its weights ``mean``, ``components``, ``variances`` and so on."""

    def encode(self, weights: Mapping[str, Array], x: Array, y: Classes | None = None) -> tuple[Array, Array]:
        """``loc`` and ``log_variance`` of p(z|x), for ``x`` of ``(n, pixels)``."""
        lengths, total = _lengths(weights)
        loc = (x - weights["mean"]) @ weights["components"].T * (lengths / total)
        log_variance = np.log(weights["noise_variance"] / total)
        return loc, np.repeat(log_variance[None], len(x), axis=0)

    def decode(self, weights: Mapping[str, Array], z: Array, y: Classes | None = None) -> Array:
        """Mean pixels of p(x|z), ``(n, pixels)``, for ``z`` of ``(n, latent_dim)``; they may lie beyond 0 … 1."""
        return self.outputs(weights, z, y)

    def pixels(self, config: FamilyConfig, weights: Mapping[str, Array]) -> GaussianDensity:
        """As ``DensityForm.pixels``: noise alike in every direction."""
        return GaussianDensity(float(np.log(weights["noise_variance"])), squashed=False)

    def outputs(self, weights: Mapping[str, Array], z: Array, y: Classes | None = None) -> Array:
        """Mean pixels."""
        return z @ _columns(weights) + weights["mean"]

    def outputs_and_pullback(
        self, weights: Mapping[str, Array], z: Array, y: Classes | None = None
    ) -> tuple[Array, Pullback]:
        """As ``DensityForm.outputs_and_pullback``."""
        columns = _columns(weights)
        return z @ columns + weights["mean"], lambda slopes: slopes @ columns.T


def _columns(weights: Mapping[str, Array]) -> Array:
    """Those of W, a row each, ``(latent_dim, pixels)``."""
    lengths, _ = _lengths(weights)
    return lengths[:, None] * weights["components"]


def _lengths(weights: Mapping[str, Array]) -> tuple[Array, Array]:
    """Of the columns of W, and the variance of the images along each; each ``(latent_dim,)``."""
    noise = weights["noise_variance"]
    lengths: Array = np.sqrt(np.maximum(weights["variances"] - noise, np.float32(0)))
    return lengths, lengths * lengths + noise
