"""Which plane of a latent space of more than two dimensions is shown: two axes, or the principal ones."""

from __future__ import annotations

from typing import Any

import numpy as np

from vaeviewer.analysis.latent_plane import (
    Axes,
    LatentPlane,
    axes_plane,
    principal_plane,
    share_of_variance,
    some_rows,
)
from vaeviewer.backend.snapshot import PosteriorTable, Snapshot
from vaeviewer.session.view_state import ViewState, in_plane


def choose_axes(view: ViewState, snapshot: Snapshot, axes: Axes | None) -> dict[str, Any]:
    """The changes of a ViewState that show other axes, ``None`` for the principal ones; the handle keeps its code."""
    plane = _plane(snapshot, axes, None)
    return {"axes": axes, **in_plane(plane, view.code(snapshot.model.latent_dim))}


def with_axis(axes: Axes | None, dimension: int, vertical: bool) -> Axes:
    """The axes once a dimension is taken as one: the other one stays, or takes the place that this one leaves.

    In place of principal axes, ``None``, the other one is the first dimension, or the second.
    """
    if axes is None:
        axes = (0, 1) if dimension > 1 else (dimension, 1 - dimension)
    across, up = axes
    other = across if vertical else up
    if other == dimension:
        other = up if vertical else across
    return (other, dimension) if vertical else (dimension, other)


def follow_codes(view: ViewState, snapshot: Snapshot) -> dict[str, Any]:
    """The changes that turn a plane of principal axes after the codes; none for one of two axes.

    The handle keeps its code: the plane turns about it.
    """
    latent_dim = snapshot.model.latent_dim
    if view.axes is not None or latent_dim <= 2 or snapshot.posterior is None:
        return {}
    plane = _plane(snapshot, None, view.plane_of(latent_dim))
    return in_plane(plane, view.code(latent_dim))


def rest_at_centre(view: ViewState, snapshot: Snapshot) -> dict[str, Any]:
    """The changes that put all but the handle's place in the plane to zero; with principal axes, to the codes' mean."""
    plane = view.plane_of(snapshot.model.latent_dim)
    centre = np.zeros(plane.latent_dim, np.float32)
    if view.axes is None and snapshot.posterior is not None:
        codes = some_rows(snapshot.posterior.loc)
        codes = codes[np.isfinite(codes).all(axis=1)]
        centre = codes.mean(axis=0) if len(codes) else centre
    return {"plane": plane.through(centre)}


def select_image(
    view: ViewState, snapshot: Snapshot | None, row: int | None, table: PosteriorTable | None
) -> dict[str, Any]:
    """The changes that select an image: a plane of more than two dimensions is laid through its code in the table.

    An image of the user's own goes. With none selected, what is not in the plane goes back to the centre.
    """
    changes: dict[str, Any] = {"selected": row, "own_image": None}
    if snapshot is None or snapshot.model.latent_dim <= 2:
        return changes
    if row is None:
        return {**changes, **rest_at_centre(view, snapshot)}
    if table is not None and row < len(table.loc) and np.isfinite(table.loc[row]).all():
        changes.update(view.at_code(table.loc[row]))
    return changes


def shown_share(view: ViewState, snapshot: Snapshot) -> float | None:
    """How much of the codes' variance the plane shows, 0 … 1; ``None`` where no codes are known."""
    if snapshot.posterior is None:
        return None
    plane = view.plane_of(snapshot.model.latent_dim)
    return share_of_variance(plane, some_rows(snapshot.posterior.loc))


def _plane(snapshot: Snapshot, axes: Axes | None, before: LatentPlane | None) -> LatentPlane:
    latent_dim = snapshot.model.latent_dim
    if axes is not None:
        return axes_plane(latent_dim, *axes)
    if snapshot.posterior is None:
        return axes_plane(latent_dim)
    return principal_plane(some_rows(snapshot.posterior.loc), before)
