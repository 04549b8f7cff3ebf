"""Snapshot: a frozen model at one training step. Everything on screen is a function of one."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from vaeviewer.backend.chunks import parts, rows_at_once, widest
from vaeviewer.backend.config import ModelConfig
from vaeviewer.backend.models.forward import MAX_LOG_VARIANCE, mlp, sigmoid

Array = NDArray[np.float32]


@dataclass(frozen=True)
class PosteriorTable:
    """q(z|x) of the training images, a row each, with the step at which each row was computed.

    Attributes:
        loc: Means, shape ``(n, latent_dim)``.
        log_variance: Logarithms of the variances, shape ``(n, latent_dim)``.
        row_steps: int32, shape ``(n,)``; rows of a live table may be of different steps.
    """

    loc: Array
    log_variance: Array
    row_steps: NDArray[np.int32]

    def __post_init__(self) -> None:
        for array in (self.loc, self.log_variance, self.row_steps):
            array.setflags(write=False)

    @property
    def scale(self) -> Array:
        """Standard deviations, shape ``(n, latent_dim)``, computed at each call."""
        return standard_deviations(self.log_variance)

    @property
    def consistent(self) -> bool:
        """Whether all rows belong to one step. Analysis reads only such tables."""
        return len(self.row_steps) == 0 or bool((self.row_steps == self.row_steps[0]).all())


@dataclass(frozen=True)
class Snapshot:
    """Detached copies of a model's weights at one step. Never changes; takes and returns NumPy arrays.

    Attributes:
        step: Gradient steps taken.
        epoch: Passes over the training images so far, fractional.
        model: The shapes and the likelihood.
        image_shape: ``(height, width)``.
        protocol: How the model saw pixels; binarised protocols encode images thresholded at one half.
        weights: float32 arrays by name, ``encoder.0.weight`` … ``decoder.2.bias``; read-only. ``encoder`` ends in
            ``2 * latent_dim`` outputs, means then log-variances; ``decoder`` ends in one logit per pixel.
        posterior: q(z|x) of the training images, or ``None`` where it was not computed.
    """

    step: int
    epoch: float
    model: ModelConfig
    image_shape: tuple[int, int]
    weights: Mapping[str, Array]
    posterior: PosteriorTable | None = None
    protocol: Literal["grey", "dynamic", "threshold"] = "grey"

    def __post_init__(self) -> None:
        for array in self.weights.values():
            array.setflags(write=False)
        object.__setattr__(self, "weights", MappingProxyType(dict(self.weights)))

    def encode(self, images: NDArray[np.uint8] | Array) -> tuple[Array, Array]:
        """``loc`` and ``scale`` of q(z|x), each ``(n, latent_dim)``.

        Args:
            images: ``(n, height, width)``, grey levels as uint8 in 0 … 255 or as floats in 0 … 1.
        """
        at_once = rows_at_once(widest(self.model, math.prod(self.image_shape)))
        heads = [self._head(images[part]) for part in parts(len(images), at_once)]
        loc, log_variance = np.split(np.concatenate(heads), 2, axis=1)
        return loc, standard_deviations(np.clip(log_variance, -MAX_LOG_VARIANCE, MAX_LOG_VARIANCE))

    def _head(self, images: NDArray[np.uint8] | Array) -> Array:
        x = as_unit_floats(images).reshape(len(images), -1)
        if self.protocol != "grey":
            x = (x > 0.5).astype(np.float32)
        return mlp(self.weights, "encoder", self.model.activation, x)

    def decode_levels(self, z: Array) -> NDArray[np.uint8]:
        """As :meth:`decode`, in grey levels 0 … 255, and with the memory that these take alone."""
        levels = np.empty((len(z), *self.image_shape), np.uint8)
        for part in parts(len(z), rows_at_once(widest(self.model, math.prod(self.image_shape)))):
            levels[part] = as_grey_levels(self.decode(z[part]))
        return levels

    def decode(self, z: Array) -> Array:
        """Mean images of p(x|z), values in 0 … 1, shape ``(n, height, width)``, for ``z`` of ``(n, latent_dim)``."""
        z = np.ascontiguousarray(z, dtype=np.float32)
        logits = mlp(self.weights, "decoder", self.model.activation, z)
        return sigmoid(logits).reshape(len(z), *self.image_shape)


@dataclass(frozen=True)
class TrainingState:
    """What training needs beyond a Snapshot to go on exactly as it would have.

    Attributes:
        tensors: Optimizer and generator states by name, NumPy arrays of any dtype.
        values: Numbers and words that JSON can hold: position, timeline of changes.
    """

    tensors: Mapping[str, NDArray[Any]]
    values: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Checkpoint:
    """Snapshot + TrainingState: where training can resume. Made on the training thread at save cadence only."""

    snapshot: Snapshot
    training: TrainingState


def standard_deviations(log_variance: Array) -> Array:
    """σ of log σ², of the same shape."""
    scale: Array = np.exp(np.float32(0.5) * log_variance)
    return scale


def as_unit_floats(images: NDArray[np.uint8] | Array) -> Array:
    """Grey levels as float32 in 0 … 1; uint8 is divided by 255, floats pass."""
    if images.dtype == np.uint8:
        return images.astype(np.float32) * np.float32(1 / 255)
    return np.asarray(images, dtype=np.float32)


def as_grey_levels(images: Array) -> NDArray[np.uint8]:
    """Values in 0 … 1 as uint8 grey levels 0 … 255, rounded; any shape."""
    levels: NDArray[np.uint8] = np.clip(np.rint(images * 255.0), 0, 255).astype(np.uint8)
    return levels
