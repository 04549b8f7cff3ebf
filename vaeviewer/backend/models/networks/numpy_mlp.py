"""The networks' forward passes in NumPy, on copied weights.

A drag decodes with these on the UI thread: no torch there, so no second OpenMP pool beside training's.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]

MAX_LOG_VARIANCE = 12.0
"""Bound on |log σ²| of q(z|x): exp(12) is far beyond use and far from overflow."""


def sigmoid(x: Array) -> Array:
    """The logistic function, stable for large ``|x|``; any shape."""
    half: Array = np.tanh(0.5 * x)
    return 0.5 * (half + 1.0)


ACTIVATIONS: Mapping[str, Callable[[Array], Array]] = {
    "tanh": np.tanh,
    "relu": lambda x: np.maximum(x, 0.0),
    "silu": lambda x: x * sigmoid(x),
}


def mlp(weights: Mapping[str, Array], prefix: str, activation: str, x: Array) -> Array:
    """Apply the layers ``{prefix}.0``, ``{prefix}.1``, … to ``x`` of shape ``(n, in)``; the last one is linear."""
    act = ACTIVATIONS[activation]
    layers = sum(1 for name in weights if name.startswith(f"{prefix}.") and name.endswith(".weight"))
    for i in range(layers):
        x = x @ weights[f"{prefix}.{i}.weight"].T + weights[f"{prefix}.{i}.bias"]
        if i < layers - 1:
            x = act(x)
    return x
