"""From image to image by keys: the nearest to the handle, then outwards from there, and back."""

from __future__ import annotations

from typing import Literal

from vaeviewer.ui.plane.latent_points import PlanePoints

Way = Literal["nearest", "next", "previous"]


class NeighbourWalk:
    """Which image each press of a key selects.

    Selecting an image takes the handle to it, which would make another one the nearest. So images keep being counted
    from where the handle was at first, until something else moves it.

    Args:
        points: What is walked on; hidden classes are passed over.
    """

    def __init__(self, points: PlanePoints) -> None:
        self._points = points
        self._start = (0.0, 0.0)
        self._taken_to: tuple[float, float] | None = None

    def select(self, way: Way, z: tuple[float, float], selected: int | None) -> int | None:
        """Row of the image to select, or ``None`` where there is no other.

        Args:
            way: ``next`` is the next farther one, ``previous`` the next nearer.
            z: Where the handle is.
            selected: Row of the image that is selected now.
        """
        if way == "nearest" or selected is None or z != self._taken_to:
            self._start = z
        return self._points.by_distance(
            self._start, None if way == "nearest" else selected, way != "previous"
        )

    def taken_to(self, z: tuple[float, float]) -> None:
        """The handle was taken to the image that was selected."""
        self._taken_to = z
