"""PCA: how long it takes, and how near it comes to NumPy's singular value decomposition."""

from __future__ import annotations

import time

import numpy as np
from figures import Figure, images_of

from vaeviewer.backend.config import presets
from vaeviewer.backend.training.trainer import Trainer


def measure(data: str) -> dict[str, Figure]:
    """See the module."""
    dataset, settings = images_of(data), presets("pca")["default"]
    Trainer(dataset, settings)  # libraries have been loaded
    begin = time.perf_counter()
    trainer = Trainer(dataset, settings)
    seconds = time.perf_counter() - begin
    held_out = trainer.evaluate()
    assert held_out is not None
    found = trainer.snapshot().weights
    x = dataset.train_images.reshape(len(dataset.train_images), -1) / 255
    # The right singular vectors are the eigenvectors of XᵀX, of which NumPy finds them without 60,000 left ones.
    centred = x - x.mean(0)
    lengths, directions = np.linalg.eigh(centred.T @ centred / len(x))
    first = directions.T[::-1][: len(found["components"])]
    signs = np.sign((first * found["components"]).sum(1, keepdims=True))
    return {
        "seconds": Figure(seconds, at_most=1.0),
        "farthest component from NumPy's": Figure(
            float(np.abs(signs * found["components"] - first).max()), at_most=1e-5
        ),
        "variance beside NumPy's, relative": Figure(
            float(np.abs(found["variances"] / lengths[::-1][: len(first)] - 1).max()), at_most=1e-5
        ),
        "held-out log p(x), nats": Figure(held_out.values["log_px"]),
        "held-out squared error per pixel": Figure(held_out.values["squared_error"] / dataset.image.values),
        "explained variance": Figure(held_out.values["explained"]),
    }
