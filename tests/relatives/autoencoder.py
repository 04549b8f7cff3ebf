"""The autoencoder beside principal components: Hinton & Salakhutdinov 2006."""

from __future__ import annotations

import numpy as np
from figures import Figure, images_of, trained
from numpy.typing import NDArray

Array = NDArray[np.floating]


def flat(images: NDArray[np.uint8]) -> Array:
    """Pixels in 0 … 1, ``(n, pixels)``."""
    pixels: Array = images.reshape(len(images), -1) / 255.0
    return pixels


def components(data: str, count: int = 2) -> tuple[Array, Array]:
    """The mean image and the first principal components, ``(pixels, count)``, of the images trained on."""
    x = flat(images_of(data).train_images)
    mean = x.mean(0)
    _, vectors = np.linalg.eigh((x - mean).T @ (x - mean))  # ascending
    return mean, vectors[:, : -count - 1 : -1]


def measure(data: str) -> dict[str, Figure]:
    """The held-out squared error against that of two components, and the plane that the linear kind finds."""
    mean, plane = components(data)
    held_out = flat(images_of(data).held_out_images) - mean
    of_components = float(np.square(held_out - held_out @ plane @ plane.T).sum(1).mean())
    deep, seconds = trained(data, "autoencoder")
    assert deep.held_out is not None
    error = deep.held_out.values["squared_error"]
    linear, _ = trained(data, "autoencoder", "linear")
    corners = linear.snapshot().decode(np.array([[0, 0], [1, 0], [0, 1]], np.float32)).reshape(3, -1)
    found, _ = np.linalg.qr((corners[1:] - corners[0]).T.astype(np.float64))
    cosines = np.linalg.svd(found.T @ plane, compute_uv=False)
    return {
        "squared error per pixel": Figure(error / held_out.shape[1]),
        "the same of two principal components": Figure(of_components / held_out.shape[1]),
        "ratio": Figure(error / of_components, at_most=0.75),
        "seconds of training": Figure(seconds),
        "angle of the linear kind's plane to theirs, degrees": Figure(
            float(np.degrees(np.arccos(cosines.clip(-1, 1))).max()), at_most=1.0
        ),
    }
