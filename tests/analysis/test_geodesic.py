"""Shortest ways: on surfaces whose geodesics are known, and on decoders, never longer than a straight line."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from vaeviewer.analysis.geodesic import Array, Ways, shortest_way
from vaeviewer.analysis.geometry import DecoderSurface
from vaeviewer.analysis.latent_plane import axes_plane
from vaeviewer.backend.models.families.vae import VaeConfig
from vaeviewer.backend.models.interface import DataSpec, ImageSpec
from vaeviewer.backend.snapshot import snapshot_of


class Sphere:
    """The unit sphere from its north pole onto the plane of its equator: geodesics are arcs of great circles."""

    def at(self, points: Array) -> Array:
        return self.with_jacobian(points)[0]

    def with_jacobian(self, points: Array) -> tuple[Array, Array]:
        x, y = points.astype(np.float64).T
        r = 1 + x * x + y * y
        images = np.stack([2 * x / r, 2 * y / r, 1 - 2 / r], axis=1)
        by_x = np.stack([2 / r - 4 * x * x / r**2, -4 * x * y / r**2, 4 * x / r**2], axis=1)
        by_y = np.stack([-4 * x * y / r**2, 2 / r - 4 * y * y / r**2, 4 * y / r**2], axis=1)
        return images, np.stack([by_x, by_y], axis=2)


class Hill:
    """A plane with a steep, round hill: the way around it is shorter than the one over it, and no neighbour of that."""

    def at(self, points: Array) -> Array:
        return self.with_jacobian(points)[0]

    def with_jacobian(self, points: Array) -> tuple[Array, Array]:
        x, y = points.astype(np.float64).T
        height = 6.0 * np.exp(-4 * (x * x + y * y))
        one, nothing = np.ones_like(x), np.zeros_like(x)
        images = np.stack([x, y, height], axis=1)
        by_x, by_y = (
            np.stack([*of, -8 * at * height], 1) for of, at in (((one, nothing), x), ((nothing, one), y))
        )
        return images, np.stack([by_x, by_y], axis=2)


def ways(surface: object, start: tuple[float, ...], end: tuple[float, ...]) -> Ways:
    *_, found = shortest_way(surface, np.array(start, np.float32), np.array(end, np.float32))  # type: ignore[arg-type]
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("start", "end"), [((1.0, 0.0), (0.0, 1.0)), ((2.0, 0.3), (-1.5, 2.0)), ((0.1, 0.2), (0.3, -0.4))]
)
def test_on_a_sphere_it_is_the_arc_of_a_great_circle(
    start: tuple[float, float], end: tuple[float, float]
) -> None:
    sphere, found = Sphere(), ways(Sphere(), start, end)
    a, b = sphere.at(np.array([start, end], np.float32))
    assert found.shortest.length == pytest.approx(np.arccos(a @ b), rel=0.01)
    assert found.shortest.length < found.straight.length
    away = sphere.at(found.shortest.points) @ np.cross(a, b)  # 0 on the great circle through both
    assert np.abs(away).max() < 0.01
    places = found.shortest.at_equal_lengths(7)
    np.testing.assert_allclose(places[[0, -1]], [start, end], atol=1e-6)
    angles = np.arccos(np.clip((sphere.at(places[1:]) * sphere.at(places[:-1])).sum(1), -1, 1))
    np.testing.assert_allclose(angles, found.shortest.length / 6, rtol=0.02)


def test_a_way_around_a_hill_is_found_where_the_straight_line_leads_over_its_top() -> None:
    found = ways(Hill(), (-1.5, 0.0), (1.5, 0.0))
    assert found.straight.length > 12.0
    assert found.shortest.length < 4.0
    assert np.abs(found.shortest.points[:, 1]).max() > 0.6


def test_two_bernoulli_pixels_are_as_far_apart_as_rao_says() -> None:
    """With p = σ(z) of two pixels the distance is Euclidean in 2 arcsin √p (Rao 1945)."""
    layer = {"decoder.0.weight": np.eye(2, dtype=np.float32), "decoder.0.bias": np.zeros(2, np.float32)}
    snapshot = snapshot_of(VaeConfig(), DataSpec(ImageSpec(1, 2)), layer)
    found = ways(DecoderSurface(snapshot, axes_plane(2)), (-4.0, 1.0), (3.0, 5.0))
    p = 1 / (1 + np.exp(-np.array([[-4.0, 1.0], [3.0, 5.0]])))
    angles = 2 * np.arcsin(np.sqrt(p))
    assert found.shortest.length == pytest.approx(np.linalg.norm(angles[1] - angles[0]), rel=1e-3)
    assert found.straight.length > 1.02 * found.shortest.length


@example(
    seed=0, size=5.0, latent_dim=2, ends=[-3.0, 0.0, 0.0, 0.0]
)  # so flat at its start that no length is there
@settings(max_examples=12, deadline=None)
@given(
    seed=st.integers(0, 10_000),
    size=st.sampled_from([0.1, 1.0, 5.0]),
    latent_dim=st.integers(1, 2),
    ends=st.lists(st.floats(-4, 4, width=32), min_size=4, max_size=4),
)
def test_it_is_never_longer_than_the_straight_line(
    seed: int, size: float, latent_dim: int, ends: list[float]
) -> None:
    rng = np.random.default_rng(seed)

    def drawn(*shape: int) -> NDArray[np.float32]:
        return (size * rng.normal(size=shape)).astype(np.float32)

    weights = {"decoder.0.weight": drawn(8, latent_dim), "decoder.0.bias": drawn(8)}
    weights |= {"decoder.1.weight": drawn(12, 8), "decoder.1.bias": drawn(12)}
    config = VaeConfig(hidden=(8,), activation="tanh", latent_dim=latent_dim)
    surface = DecoderSurface(snapshot_of(config, DataSpec(ImageSpec(3, 4)), weights), axes_plane(latent_dim))
    start, end = ends[:latent_dim], ends[2 : 2 + latent_dim]
    found = ways(surface, tuple(start), tuple(end))
    assert np.isfinite(found.straight.length)
    assert 0.0 <= found.shortest.length <= found.straight.length
    # Both measured anew, in the same way, at many places.
    lengths = [
        float(np.linalg.norm(np.diff(surface.at(way.at_equal_lengths(3000)), axis=0), axis=1).sum())
        for way in (found.straight, found.shortest)
    ]
    assert lengths[1] <= 1.001 * lengths[0] + 1e-3
    np.testing.assert_allclose(found.shortest.points[[0, -1]], [start, end], atol=1e-5)
