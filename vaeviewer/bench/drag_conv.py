"""How closely the decoded image follows a drag where torch decodes it: a convolutional model of colour, in training."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vaeviewer.backend.data.base import ImageDataset
from vaeviewer.bench.common import say
from vaeviewer.bench.drag import follow
from vaeviewer.bench.stage import open_window, pause, train
from vaeviewer.bench.training import FOREVER

IMAGES = 10_000

SIDE = 32
"""Pixels a side."""


def measure(quick: bool) -> dict[str, Any]:
    """The figures ``drag_conv``."""
    say(f"drag, convolutions, {SIDE} × {SIDE} in colour, 125 moves a second")
    window = open_window(IMAGES, dress=in_colour, network="conv", epochs=FOREVER)
    train(window)
    pause(0.7 if quick else 5.0)
    return follow(window, 125, 1.0 if quick else 30.0)


def in_colour(dataset: ImageDataset) -> ImageDataset:
    """The digits in the middle of larger images, each in a colour of its own."""
    draws = np.random.default_rng(0)

    def dressed(images: NDArray[np.uint8]) -> NDArray[np.uint8]:
        n, height, width = images.shape
        tints = draws.uniform(0.3, 1.0, (n, 1, 1, 3))
        top, left = (SIDE - height) // 2, (SIDE - width) // 2
        large = np.zeros((n, SIDE, SIDE, 3), np.uint8)
        large[:, top : top + height, left : left + width] = images[..., None] * tints
        return large

    return replace(
        dataset,
        train_images=dressed(dataset.train_images),
        held_out_images=dressed(dataset.held_out_images),
    )
