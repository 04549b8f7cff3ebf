"""Planes through a latent space, against linear algebra and sampled Gaussians."""

from __future__ import annotations

import numpy as np
import pytest

from vaeviewer.analysis.latent_plane import LatentPlane, axes_plane


def tilted(latent_dim: int, seed: int = 1) -> LatentPlane:
    """A plane in no special position."""
    rng = np.random.default_rng(seed)
    basis, _ = np.linalg.qr(rng.normal(size=(latent_dim, 2)))
    u, v = basis.T.astype(np.float32)
    return LatentPlane(rng.normal(size=latent_dim).astype(np.float32), u, v)


@pytest.mark.parametrize("plane", [axes_plane(2), axes_plane(5), axes_plane(5, 3, 1), tilted(2), tilted(7)])
def test_a_point_lifted_and_projected_is_where_it_was(plane: LatentPlane) -> None:
    points = np.random.default_rng(2).normal(size=(50, 2)).astype(np.float32)
    z = plane.lift(points)
    assert z.dtype == np.float32
    assert z.shape == (50, plane.latent_dim)
    np.testing.assert_allclose(plane.project(z), points, atol=1e-5)


@pytest.mark.parametrize("plane", [axes_plane(6, 4, 2), tilted(6)])
def test_projecting_finds_the_nearest_point_as_least_squares_do(plane: LatentPlane) -> None:
    z = np.random.default_rng(3).normal(size=(20, 6)).astype(np.float32)
    basis = np.stack([plane.u, plane.v], axis=1)
    nearest, *_ = np.linalg.lstsq(basis, (z - plane.origin).T, rcond=None)
    np.testing.assert_allclose(plane.project(z), nearest.T, atol=1e-5)


@pytest.mark.parametrize(
    ("plane", "expected"),
    [
        (axes_plane(1), [3.0]),
        (axes_plane(2), [3.0, 4.0]),
        (axes_plane(4), [3.0, 4.0, 0.0, 0.0]),
        (axes_plane(4, 3, 1), [0.0, 4.0, 0.0, 3.0]),
    ],
)
def test_two_axes_take_two_coordinates(plane: LatentPlane, expected: list[float]) -> None:
    assert plane.lift(np.array([[3.0, 4.0]])).tolist() == [expected]


def test_a_space_of_one_dimension_is_a_line_of_the_plane() -> None:
    assert axes_plane(1).project(np.array([[2.0], [-1.0]], np.float32)).tolist() == [[2.0, 0.0], [-1.0, 0.0]]


def test_two_dimensions_are_the_plane_itself_without_a_copy() -> None:
    z = np.random.default_rng(4).normal(size=(9, 2)).astype(np.float32)
    assert axes_plane(2) is axes_plane(2)
    assert axes_plane(2).project(z) is z
    assert axes_plane(2).lift(z) is z
    assert axes_plane(2).project_scale(z) is z
    assert axes_plane(2, 1, 0).project(z).tolist() == z[:, ::-1].tolist(), "other axes are another plane"


@pytest.mark.parametrize("plane", [axes_plane(3), axes_plane(3, 2, 0), tilted(3)])
def test_scales_are_those_of_projected_samples(plane: LatentPlane) -> None:
    scale = np.array([[0.5, 1.0, 3.0]], np.float32)
    samples = np.random.default_rng(5).normal(size=(200_000, 3)).astype(np.float32) * scale
    np.testing.assert_allclose(plane.project_scale(scale)[0], plane.project(samples).std(axis=0), rtol=0.02)


@pytest.mark.parametrize("arguments", [(1, 0, 2), (2, 0, 2), (3, 1, 1), (3, -1, 0), (0, 0, 1)])
def test_no_plane_without_two_axes(arguments: tuple[int, int, int]) -> None:
    with pytest.raises(ValueError, match="no plane"):
        axes_plane(*arguments)
