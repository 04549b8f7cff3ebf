"""ViewState: what the user did, as opposed to what the model is."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from vaeviewer.analysis.latent_plane import Array, Axes, LatentPlane, axes_plane


@dataclass(frozen=True)
class ViewState:
    """What the user chose to look at. A change makes a new one (``dataclasses.replace``).

    Attributes:
        z: The handle's position in the latent plane, ``(z1, z2)``.
        second: Another place in it that is marked, the start of ways to the handle; or ``None``.
        axes: The two dimensions that span the latent plane, or ``None`` for the two principal axes of the codes.
        plane: The latent plane, or ``None`` for that of ``axes`` through the centre.
        y: The class that is decoded, where the model's family has one to choose: see ``Family.class_names``.
        selected: Row of the selected training image, or ``None``.
        own_image: An image of the user's own in place of a selected one, uint8 of the model's ``image_shape``, or
            ``None``. Selecting an image takes it away. It must not change later.
        held_out: Row of the held-out image that ``own_image`` is, or ``None`` where it is none: any other change of
            ``own_image`` ends it.
        color_by: What points are coloured by, a key of ``ui.plane.color_choice``; empty for the usual.
        hidden_classes: Classes whose points are not drawn; of a column's words where points are coloured by these.
        points: Whether the plane draws posterior means or one sample from each posterior.
        behind: What fills the plane behind the points: ``"images"``, those decoded there; the key of a map; or
            empty for nothing.
        manifold_spacing: How the manifold's grid is spaced.
        manifold_size: Images along each side of the manifold's grid.
        examples: Rows of the held-out images shown with their reconstructions.
    """

    z: tuple[float, float] = (0.0, 0.0)
    second: tuple[float, float] | None = None
    axes: Axes | None = (0, 1)
    plane: LatentPlane | None = None
    y: int = 0
    selected: int | None = None
    own_image: NDArray[np.uint8] | None = field(default=None, compare=False)
    held_out: int | None = None
    color_by: str = ""
    hidden_classes: frozenset[int] = frozenset()
    points: Literal["mean", "sample"] = "mean"
    behind: str = ""
    manifold_spacing: Literal["equal", "gaussian"] = "equal"
    manifold_size: int = 20
    examples: tuple[int, ...] = field(default_factory=tuple)

    def plane_of(self, latent_dim: int) -> LatentPlane:
        """The latent plane in a space of so many dimensions; one of another space does not count."""
        if self.plane is not None and self.plane.latent_dim == latent_dim:
            return self.plane
        there = self.axes is not None and max(self.axes) < latent_dim
        return (
            axes_plane(latent_dim, *self.axes) if self.axes is not None and there else axes_plane(latent_dim)
        )

    def code(self, latent_dim: int) -> Array:
        """All numbers of the handle's z, float32 ``(latent_dim,)``: two in the plane, the rest of where that lies."""
        code: Array = self.plane_of(latent_dim).lift(np.array([self.z], np.float32))[0]
        return code

    def at_code(self, code: Array) -> dict[str, Any]:
        """The changes that take the handle to a code ``(d,)``, and the plane with it."""
        return in_plane(self.plane_of(len(code)), code)


def in_plane(plane: LatentPlane, code: Array) -> dict[str, Any]:
    """The changes of a ViewState that show the plane parallel to ``plane`` through a code, the handle at that."""
    through = plane.through(code)
    z1, z2 = through.project(code[None])[0].tolist()
    return {"plane": through, "z": (z1, z2)}


def posterior_noise(rows: int, latent_dim: int) -> NDArray[np.float32]:
    """Fixed standard normal noise, ``(rows, latent_dim)``: the sample of a posterior moves only as it does."""
    return np.random.default_rng(20131220).standard_normal((rows, latent_dim), dtype=np.float32)
