"""The geometry that a decoder gives to its codes: how far apart they are as distributions p(x|z), or as images.

The Fisher information metric of p(x|z), pulled back to codes: G(z) = Jᵀ I J with the Jacobian J of the pixels'
parameters and their Fisher information I, which for Bernoulli pixels is diag(1 / (p (1 − p))). Chen et al., "Metrics
for Deep Generative Models" (2018), section 2; Arvanitidis et al., "Pulling back information geometry" (2022).

Pixels are independent given z, and each has one parameter that depends on z; so there are coordinates of an image whose
Euclidean metric it is, those that stabilise the variance (Rao 1945): for a Bernoulli probability p the angle
2 arcsin √p, for a Gaussian mean μ/σ.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vaeviewer.analysis.latent_plane import Array, LatentPlane
from vaeviewer.backend.chunks import parts, rows_at_once
from vaeviewer.backend.models.networks.dual import Dual, along_axes
from vaeviewer.backend.models.networks.numpy_densities import (
    BernoulliDensity,
    GaussianDensity,
    PixelDensity,
    sigmoid,
)
from vaeviewer.backend.snapshot import NumpySnapshot, Snapshot


@dataclass(frozen=True, eq=False)
class DecoderSurface:
    """The points of a plane of codes as images in those coordinates; a ``geodesic.Surface``.

    Where there is no density p(x|z) the coordinates are the pixels of the decoded image, and distances are pixel
    distances: the root of the summed squares of what differs.

    Attributes:
        snapshot: Whose decoder it is.
        plane: The codes that points ``(m, c)`` stand for; c is 2, or 1 where codes have one number.
        y: The class of all of them, for models that see it.
    """

    snapshot: Snapshot
    plane: LatentPlane
    y: int | None = None

    @property
    def coordinates(self) -> int:
        """Numbers that a point has."""
        return min(2, self.plane.latent_dim)

    def codes(self, points: Array) -> Array:
        """The codes of points, ``(m, latent_dim)``."""
        return self.plane.lift(points if points.shape[1] == 2 else np.pad(points, ((0, 0), (0, 1))))

    def at(self, points: Array) -> Array:
        """Where they lie, ``(m, values)``."""
        return np.concatenate([self._ask(points[part], ())[0] for part in self._parts(points)])

    def with_jacobian(self, points: Array) -> tuple[Array, Array]:
        """The same, and its derivatives along the axes of the plane, ``(m, values, c)``."""
        axes = (self.plane.u, self.plane.v)[: self.coordinates]
        values, slopes = zip(*(self._ask(points[part], axes) for part in self._parts(points)), strict=True)
        return np.concatenate(values), np.concatenate(slopes)

    def _parts(self, points: Array) -> Any:
        widest = self.snapshot.model.widest(self.snapshot.image.values)
        return parts(max(1, len(points)), rows_at_once((1 + self.coordinates) * widest))

    def _ask(self, points: Array, directions: tuple[Array, ...]) -> tuple[Array, Array]:
        snapshot, z = self.snapshot, self.codes(points)
        y = None if self.y is None else np.full(len(z), self.y, np.int64)
        by_hand = snapshot.density_form
        if is_fisher(snapshot) and by_hand is not None:
            form, pixels = by_hand
            if not directions:
                return _stabilised(pixels, form.outputs(snapshot.weights, z, y)), z
            dual: Any = along_axes(z, np.stack(directions))
            found = _stabilised(pixels, form.outputs(snapshot.weights, dual, y))
        elif isinstance(snapshot, NumpySnapshot) and not is_fisher(snapshot):
            dual = along_axes(z, np.stack(directions)) if directions else z
            found = snapshot.form.decode(snapshot.weights, dual, y)
        else:
            from vaeviewer.analysis.torch_slopes import coordinates_and_slopes

            fisher = is_fisher(snapshot)
            answer: tuple[Array, Array] = snapshot.ask(
                lambda model: coordinates_and_slopes(model, z, y, directions, fisher)
            )
            return answer
        return (found.value, np.moveaxis(found.tangents, 0, -1)) if isinstance(found, Dual) else (found, z)


def is_fisher(snapshot: Snapshot) -> bool:
    """Whether distances are of distributions; else they are of decoded images."""
    return not snapshot.family.no_density(snapshot.model)


def metric(surface: DecoderSurface, points: Array) -> NDArray[np.float64]:
    """G at points ``(m, c)`` of the plane, along its axes, ``(m, c, c)``: per unit of z, squared."""
    found = np.empty((len(points), surface.coordinates, surface.coordinates))
    for part in surface._parts(points):
        _, slopes = surface.with_jacobian(points[part])
        exact = slopes.astype(np.float64)
        found[part] = exact.swapaxes(1, 2) @ exact
    return found


def magnification(surface: DecoderSurface, points: Array) -> Array:
    """How much area (length, in one dimension) a piece of the plane has on the surface: √det G, ``(m,)``.

    Bishop, Svensén & Williams, "Magnification Factors for the GTM Algorithm" (1997).
    """
    # Rounding may leave a determinant of 0 below that.
    areas: Array = np.sqrt(np.maximum(np.linalg.det(metric(surface, points)), 0.0)).astype(np.float32)
    return areas


def _stabilised(pixels: PixelDensity, outputs: Any) -> Any:
    """A decoder's outputs in coordinates of which each has the Fisher information 1."""
    if isinstance(pixels, BernoulliDensity):
        # 2 arcsin √p but for a constant, of the logit: nothing overflows or loses its last digits near 0 and 1.
        return 2.0 * np.arctan(np.tanh(0.25 * outputs))
    assert isinstance(pixels, GaussianDensity), "there is no other density in NumPy"
    mean = sigmoid(outputs) if pixels.squashed else outputs
    return float(np.exp(-0.5 * pixels.log_variance)) * mean
