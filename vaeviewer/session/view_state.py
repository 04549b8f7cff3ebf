"""ViewState: what the user did, as opposed to what the model is."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from vaeviewer.analysis.latent_plane import LatentPlane, axes_plane


@dataclass(frozen=True)
class ViewState:
    """What the user chose to look at. A change makes a new one (``dataclasses.replace``).

    Attributes:
        z: The handle's position in the latent plane, ``(z1, z2)``.
        plane: The latent plane, or ``None`` for that of the first two axes.
        selected: Row of the selected training image, or ``None``.
        hidden_classes: Classes whose points are not drawn.
        points: Whether the plane draws posterior means or one sample from each posterior.
        underlay: Whether decoded images fill the plane behind the points.
        manifold_spacing: How the manifold's grid is spaced.
        manifold_size: Images along each side of the manifold's grid.
        examples: Rows of the held-out images shown with their reconstructions.
    """

    z: tuple[float, float] = (0.0, 0.0)
    plane: LatentPlane | None = None
    selected: int | None = None
    hidden_classes: frozenset[int] = frozenset()
    points: Literal["mean", "sample"] = "mean"
    underlay: bool = False
    manifold_spacing: Literal["equal", "gaussian"] = "equal"
    manifold_size: int = 20
    examples: tuple[int, ...] = field(default_factory=tuple)

    def plane_of(self, latent_dim: int) -> LatentPlane:
        """The latent plane in a space of so many dimensions; one of another space does not count."""
        chosen = self.plane
        return chosen if chosen is not None and chosen.latent_dim == latent_dim else axes_plane(latent_dim)


def posterior_noise(rows: int, latent_dim: int) -> NDArray[np.float32]:
    """Fixed standard normal noise, ``(rows, latent_dim)``: the sample of a posterior moves only as it does."""
    return np.random.default_rng(20131220).standard_normal((rows, latent_dim), dtype=np.float32)
