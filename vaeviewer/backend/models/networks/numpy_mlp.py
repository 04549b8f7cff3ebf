"""The networks' forward passes in NumPy, on copied weights.

A drag decodes with these on the UI thread: no torch there, so no second OpenMP pool beside training's.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from vaeviewer.backend.models.fields import FamilyConfig, ImageNetworks
from vaeviewer.backend.models.networks.numpy_densities import PixelDensity, pixel_density, sigmoid

Array = NDArray[np.float32]

Classes = NDArray[np.int64]

MAX_LOG_VARIANCE = 12.0
"""As ``latent_model.MAX_LOG_VARIANCE``, which a test holds against this."""


class NumpyForm(Protocol):
    """How NumPy computes a kind of model; ``y`` are classes, int64 ``(n,)``, for one that sees them."""

    def encode(
        self, weights: Mapping[str, Array], x: Array, y: Classes | None = None
    ) -> tuple[Array, Array | None]:
        """``loc`` and ``log_variance`` (``None``: a point) of q(z|x), for ``x`` of ``(n, pixels)``."""

    def decode(self, weights: Mapping[str, Array], z: Array, y: Classes | None = None) -> Array:
        """Mean pixels of p(x|z), ``(n, pixels)``, for ``z`` of ``(n, latent_dim)``."""


Pullback = Callable[[Array], Array]
"""Turns derivatives by outputs, ``(n, out)``, into derivatives by inputs, ``(n, in)``."""


@runtime_checkable
class DensityForm(NumpyForm, Protocol):
    """A form that also knows p(x|z) as a density, and its derivative by z."""

    def pixels(self, config: FamilyConfig, weights: Mapping[str, Array]) -> PixelDensity | None:
        """What the decoder's outputs mean; ``None``: torch computes it."""

    def outputs(self, weights: Mapping[str, Array], z: Array, y: Classes | None = None) -> Array:
        """What :meth:`pixels` is given, ``(n, pixels)``, such as logits."""

    def outputs_and_pullback(
        self, weights: Mapping[str, Array], z: Array, y: Classes | None = None
    ) -> tuple[Array, Pullback]:
        """The same, and how their derivatives become those by z."""


@dataclass(frozen=True)
class MlpForm:
    """How to compute a model whose weights are called ``encoder.0.weight`` … ``decoder.2.bias``.

    Pixels are the logistic function of the decoder's outputs.

    Attributes:
        activation: A name in :data:`ACTIVATIONS`.
        gaussian: Whether the encoder ends in means and log-variances, or in a point.
    """

    activation: str = "silu"
    gaussian: bool = True

    def encode(
        self, weights: Mapping[str, Array], x: Array, y: Classes | None = None
    ) -> tuple[Array, Array | None]:
        """``loc`` and ``log_variance`` (``None``: a point) of q(z|x), for ``x`` of ``(n, pixels)``."""
        outputs = mlp(weights, "encoder", self.activation, x, y)
        if not self.gaussian:
            return outputs, None
        loc, log_variance = np.split(outputs, 2, axis=1)
        return loc, np.clip(log_variance, -MAX_LOG_VARIANCE, MAX_LOG_VARIANCE)

    def decode(self, weights: Mapping[str, Array], z: Array, y: Classes | None = None) -> Array:
        """Mean pixels of p(x|z), ``(n, pixels)``, for ``z`` of ``(n, latent_dim)``."""
        return sigmoid(self.outputs(weights, z, y))

    def pixels(self, config: FamilyConfig, weights: Mapping[str, Array]) -> PixelDensity | None:
        """As :meth:`DensityForm.pixels`."""
        return pixel_density(config, weights)

    def outputs(self, weights: Mapping[str, Array], z: Array, y: Classes | None = None) -> Array:
        """As :meth:`DensityForm.outputs`."""
        return mlp(weights, "decoder", self.activation, z, y)

    def outputs_and_pullback(
        self, weights: Mapping[str, Array], z: Array, y: Classes | None = None
    ) -> tuple[Array, Pullback]:
        """As :meth:`DensityForm.outputs_and_pullback`."""
        return mlp_and_pullback(weights, "decoder", self.activation, z, y)


@dataclass(frozen=True)
class PointForm(MlpForm):
    """How to compute a ``networks.point_autoencoder.PointAutoencoder``.

    Attributes:
        code: What the encoder's outputs go through to become the code, a name in :data:`ACTIVATIONS`.
        output: What makes pixels of the decoder's outputs, likewise.
        tied: Whether the decoder's weights are the encoder's, transposed, and only its biases its own.
    """

    gaussian: bool = False
    code: str = "linear"
    output: str = "sigmoid"
    tied: bool = False

    def encode(self, weights: Mapping[str, Array], x: Array, y: Classes | None = None) -> tuple[Array, None]:
        """The code, ``(n, latent_dim)``, of ``x`` of ``(n, pixels)``."""
        return ACTIVATIONS[self.code](mlp(weights, "encoder", self.activation, x)), None

    def decode(self, weights: Mapping[str, Array], z: Array, y: Classes | None = None) -> Array:
        """Images, ``(n, pixels)``, for ``z`` of ``(n, latent_dim)``."""
        if self.tied:
            decoder: dict[str, Array] = {}
            layers = sum(name.startswith("decoder.biases.") for name in weights)
            for i in range(layers):
                decoder[f"decoder.{i}.weight"] = weights[f"encoder.{layers - 1 - i}.weight"].T
                decoder[f"decoder.{i}.bias"] = weights[f"decoder.biases.{i}"]
            weights = decoder
        return ACTIVATIONS[self.output](mlp(weights, "decoder", self.activation, z))


@dataclass(frozen=True)
class WavesForm(MlpForm):
    """A decoder that sees sines and cosines of z beside z, as ``networks.waves.Waves`` gives them."""

    def outputs(self, weights: Mapping[str, Array], z: Array, y: Classes | None = None) -> Array:
        """As :meth:`DensityForm.outputs`."""
        angles = z @ weights["waves.frequencies"].T
        return super().outputs(weights, np.concatenate([z, np.sin(angles), np.cos(angles)], axis=1), y)

    def outputs_and_pullback(
        self, weights: Mapping[str, Array], z: Array, y: Classes | None = None
    ) -> tuple[Array, Pullback]:
        """As :meth:`DensityForm.outputs_and_pullback`."""
        frequencies = weights["waves.frequencies"]
        angles = z @ frequencies.T
        sines, cosines = np.sin(angles), np.cos(angles)
        found, pull = super().outputs_and_pullback(weights, np.concatenate([z, sines, cosines], axis=1), y)

        def through_waves(slopes: Array) -> Array:
            at_z, at_sines, at_cosines = np.split(
                pull(slopes), (z.shape[1], z.shape[1] + angles.shape[1]), axis=1
            )
            by_z: Array = at_z + (at_sines * cosines - at_cosines * sines) @ frequencies
            return by_z

        return found, through_waves


def form_of(config: ImageNetworks, *, gaussian: bool = True) -> MlpForm | None:
    """The form of the networks that these settings name; ``None``: torch decodes, as it does all convolutions."""
    return MlpForm(config.activation, gaussian) if config.network == "mlp" else None


ACTIVATIONS: Mapping[str, Callable[[Array], Array]] = {
    "tanh": np.tanh,
    "relu": lambda x: np.maximum(x, 0.0),
    "silu": lambda x: x * sigmoid(x),
    "sigmoid": sigmoid,
    "linear": lambda x: x,
}


def _silu_slope(x: Array) -> Array:
    s = sigmoid(x)
    slope: Array = s - x * s * (s - 1.0)
    return slope


def _tanh_slope(x: Array) -> Array:
    tanh: Array = np.tanh(x)
    slope: Array = -(tanh * tanh - 1.0)
    return slope


SLOPES: Mapping[str, Callable[[Array], Array]] = {
    "tanh": _tanh_slope,
    "relu": lambda x: (x > 0.0).astype(np.float32),
    "silu": _silu_slope,
    "sigmoid": lambda x: sigmoid(x) * sigmoid(-x),
    "linear": np.ones_like,
}
"""Derivatives of :data:`ACTIVATIONS`."""


def mlp(
    weights: Mapping[str, Array], prefix: str, activation: str, x: Array, y: Classes | None = None
) -> Array:
    """Apply the layers ``{prefix}.0``, ``{prefix}.1``, … to ``x`` of shape ``(n, in)``; the last one is linear.

    Where the first layer has more inputs than ``x``, the others are the class ``y``, int64 ``(n,)``, one-hot.

    Raises:
        ValueError: They are, and there is no ``y``.
    """
    act = ACTIVATIONS[activation]
    layers = _layers(weights, prefix)
    for i in range(layers):
        x = _layer(weights, f"{prefix}.{i}", x, y if i == 0 else None)
        if i < layers - 1:
            x = act(x)
    return x


def mlp_and_pullback(
    weights: Mapping[str, Array], prefix: str, activation: str, x: Array, y: Classes | None = None
) -> tuple[Array, Pullback]:
    """As :func:`mlp`, and how derivatives by its outputs become derivatives by ``x``."""
    act, inputs = ACTIVATIONS[activation], x.shape[1]
    layers, before = _layers(weights, prefix), []
    for i in range(layers):
        x = _layer(weights, f"{prefix}.{i}", x, y if i == 0 else None)
        if i < layers - 1:
            before.append(x)
            x = act(x)

    def pull(slopes: Array) -> Array:
        for i in reversed(range(layers)):
            w = weights[f"{prefix}.{i}.weight"]
            slopes = slopes @ (w[:, :inputs] if i == 0 else w)
            if i > 0:
                slopes = slopes * SLOPES[activation](before[i - 1])
        return slopes

    return x, pull


def _layers(weights: Mapping[str, Array], prefix: str) -> int:
    layers = 0
    while f"{prefix}.{layers}.weight" in weights:
        layers += 1
    return layers


def _layer(weights: Mapping[str, Array], name: str, x: Array, y: Classes | None) -> Array:
    w, b = weights[f"{name}.weight"], weights[f"{name}.bias"]
    if w.shape[1] == x.shape[1]:
        return x @ w.T + b
    if y is None:
        raise ValueError("these networks need the class y")
    # A product with a one-hot vector is a column.
    found: Array = x @ w[:, : x.shape[1]].T + w.T[x.shape[1] :][y] + b
    return found
