"""The shape of a posterior that is no Gaussian: codes drawn from it, what became of its circles, and its density."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

from vaeviewer.analysis.latent_plane import Array, LatentPlane
from vaeviewer.backend.models.likelihood_table import LEAST_EXPONENT
from vaeviewer.backend.snapshot import TorchSnapshot

SAMPLES = 300
"""Codes drawn; from the same noise always, so that they move only as the posterior does."""

CIRCLES = (1.0, 2.0)
"""Standard deviations of the Gaussian that is bent: these hold 39 % and 86 % of it before and after."""

CORNERS = 120
"""Of each such line."""

CELLS = 72
"""Along each side of the density's grid."""


@dataclass(frozen=True, eq=False)
class PosteriorShape:
    """q(z|x) of one image in a plane.

    Attributes:
        samples: Codes drawn from it, ``(m, 2)``.
        outlines: Closed lines ``(k, 2)``, what became of :data:`CIRCLES`; none where z has more than two numbers.
        density: Relative to its largest value, 0 … 1, ``(CELLS, CELLS)``, row 0 at the highest z2; ``None`` there, too.
        rect: What the density covers, ``(x0, y0, width, height)`` in units of z.
    """

    samples: Array
    outlines: tuple[Array, ...] = ()
    density: Array | None = None
    rect: tuple[float, float, float, float] = (0.0, 0.0, 0.0, 0.0)


def posterior_shape(
    snapshot: TorchSnapshot, image: NDArray[np.uint8], plane: LatentPlane, y: int | None = None
) -> PosteriorShape:
    """The shape of q(z|x) of an image, of a family that has no Gaussian one.

    Args:
        snapshot: The model.
        image: Grey levels, ``image_shape``.
        plane: Where it is looked at; of more than two dimensions its samples are projected there.
        y: The class, where the model needs one.
    """
    latent_dim = plane.latent_dim
    if latent_dim != 2:
        return PosteriorShape(plane.project(snapshot.draw_posterior(image, _noise(latent_dim), y)))
    bent = snapshot.draw_posterior(image, np.concatenate((_noise(2), *_circles())), y)
    samples, *outlines = np.split(bent, SAMPLES + CORNERS * np.arange(len(CIRCLES)))
    low, high = np.quantile(bent, (0.002, 0.998), axis=0)
    room = 0.15 * (high - low) + 1e-3
    low, high = low - room, high + room
    x, y_side = (
        np.linspace(a, b, CELLS, endpoint=False) + 0.5 * (b - a) / CELLS
        for a, b in zip(low, high, strict=True)
    )
    grid = np.stack(np.meshgrid(x, y_side[::-1]), axis=-1).reshape(-1, 2).astype(np.float32)
    log_density = snapshot.log_posterior(image, grid, y)
    density = np.exp(np.maximum(log_density - log_density.max(), LEAST_EXPONENT)).reshape(CELLS, CELLS)
    (x0, y0), (width, height) = low.tolist(), (high - low).tolist()
    return PosteriorShape(samples, tuple(outlines), density, (x0, y0, width, height))


@cache
def _noise(latent_dim: int) -> Array:
    return np.random.default_rng(2016).standard_normal((SAMPLES, latent_dim), dtype=np.float32)


@cache
def _circles() -> tuple[Array, ...]:
    angle = np.linspace(0.0, 2.0 * np.pi, CORNERS, endpoint=False, dtype=np.float32)
    circle = np.stack((np.cos(angle), np.sin(angle)), axis=1)
    return tuple(np.float32(sigma) * circle for sigma in CIRCLES)
