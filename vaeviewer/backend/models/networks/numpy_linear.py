"""Linear generation and its exact posterior in NumPy, fast enough for the thread that draws."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]

Classes = NDArray[np.int64]


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
        lengths, _ = _lengths(weights)
        return z @ (lengths[:, None] * weights["components"]) + weights["mean"]


def _lengths(weights: Mapping[str, Array]) -> tuple[Array, Array]:
    """Of the columns of W, and the variance of the images along each; each ``(latent_dim,)``."""
    noise = weights["noise_variance"]
    lengths: Array = np.sqrt(np.maximum(weights["variances"] - noise, np.float32(0)))
    return lengths, lengths * lengths + noise
