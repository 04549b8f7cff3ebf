"""A small classifier, which says of images that a model draws which class they look like."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import adaptive_avg_pool2d, conv2d, cross_entropy, linear, relu

from vaeviewer.backend.asked import Array, as_unit_floats
from vaeviewer.backend.data.base import ImageDataset

SIDE = 28
"""Pixels along each side that it looks at: larger images are averaged."""

STEPS, BATCH, RATE = 240, 64, 3e-3
"""Trained so briefly, by Adam with a rate that falls to zero, it knows 94 of 100 bundled digits held out."""

_FEATURES = (16, 32)  # maps of the two convolutions
_SEED = 1998_11


class Classifier:
    """Two convolutions of stride 2 and a linear layer, on one thread, with draws of its own.

    Args:
        dataset: Labelled images, of which those held out are not looked at.
    """

    def __init__(self, dataset: ImageDataset) -> None:
        self._dataset = dataset
        self._draw = np.random.default_rng(_SEED)
        channels, classes = dataset.image.channels, len(dataset.class_names)
        side = SIDE // 4
        shapes = (
            (_FEATURES[0], channels, 3, 3),
            (_FEATURES[1], _FEATURES[0], 3, 3),
            (classes, _FEATURES[1] * side * side),
        )
        self._weights = [torch.tensor(self._drawn(shape)) for shape in shapes]
        self._biases = [torch.zeros(shape[0]) for shape in shapes]

    def train(self) -> Iterator[float]:
        """Train it; yields the share done after each step."""
        parameters = [tensor.requires_grad_() for tensor in (*self._weights, *self._biases)]
        optimizer = torch.optim.Adam(parameters, RATE)
        count = len(self._dataset.train_images)
        for step in range(STEPS):
            rows = np.sort(self._draw.integers(count, size=min(BATCH, count)))
            labels = torch.tensor(self._dataset.train_labels[rows])
            for group in optimizer.param_groups:
                group["lr"] = RATE * (1.0 - step / STEPS)
            with torch.enable_grad():
                loss = cross_entropy(self._scores(_as_seen(self._dataset.train_images[rows])), labels)
            optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]  # torch's own
            optimizer.step()
            yield (step + 1) / STEPS
        for tensor in parameters:
            tensor.requires_grad_(False)

    def classify(self, images: NDArray[np.uint8] | Array) -> NDArray[np.int64]:
        """Which class each looks like most, int64 ``(n,)``, of images ``(n, height, width)``, or with ``3`` behind."""
        with torch.no_grad():
            found: NDArray[np.int64] = self._scores(_as_seen(images)).argmax(1).numpy()
        return found

    def _scores(self, x: Tensor) -> Tensor:
        for weight, bias in zip(self._weights[:2], self._biases[:2], strict=True):
            x = relu(conv2d(x, weight, bias, stride=2, padding=1))
        return linear(x.flatten(1), self._weights[2], self._biases[2])

    def _drawn(self, shape: tuple[int, ...]) -> Array:
        """Weights with the variance that keeps that of their inputs (He et al. 2015)."""
        inputs = int(np.prod(shape[1:]))
        drawn: Array = np.sqrt(2.0 / inputs) * self._draw.standard_normal(shape)
        return drawn.astype(np.float32)


def _as_seen(images: NDArray[np.uint8] | Array) -> Tensor:
    x = torch.tensor(as_unit_floats(images))
    x = x[:, None] if x.ndim == 3 else x.permute(0, 3, 1, 2)
    return x if x.shape[2:] == (SIDE, SIDE) else adaptive_avg_pool2d(x, SIDE)
