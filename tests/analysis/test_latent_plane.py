"""Planes through a latent space, against linear algebra and sampled Gaussians."""

from __future__ import annotations

import numpy as np
import pytest

from vaeviewer.analysis.latent_plane import LatentPlane, axes_plane, principal_plane, share_of_variance


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
    assert axes_plane(2) is axes_plane(2, 0, 1)
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


@pytest.mark.parametrize("plane", [axes_plane(6, 4, 2), tilted(6)])
def test_the_parallel_plane_through_a_code_holds_it_and_shows_all_others_where_they_were(
    plane: LatentPlane,
) -> None:
    codes = np.random.default_rng(5).normal(size=(20, 6)).astype(np.float32)
    through = plane.through(codes[0])
    np.testing.assert_allclose(through.lift(through.project(codes[:1])), codes[:1], atol=1e-5)
    home = plane.through(np.zeros(6, np.float32))
    np.testing.assert_allclose(through.project(codes), home.project(codes), atol=1e-5)
    assert through.parallel_to(plane)
    assert not through.parallel_to(tilted(6, seed=2))
    assert axes_plane(2).through(codes[0, :2]) is axes_plane(2), "there is no other one"


def stretched(latent_dim: int, seed: int = 6) -> np.ndarray:
    """Codes that vary differently in each of some directions."""
    rng = np.random.default_rng(seed)
    basis, _ = np.linalg.qr(rng.normal(size=(latent_dim, latent_dim)))
    codes = rng.normal(size=(800, latent_dim)) * np.geomspace(3.0, 0.1, latent_dim)
    return (codes @ basis.T + 2.0).astype(np.float32)


@pytest.mark.parametrize("latent_dim", [2, 3, 20])
def test_the_principal_axes_are_those_of_the_singular_value_decomposition(latent_dim: int) -> None:
    codes = stretched(latent_dim)
    plane = principal_plane(codes)
    centred = codes - codes.mean(axis=0)
    _, values, rows = np.linalg.svd(centred.astype(np.float64), full_matrices=False)
    for found, row in zip((plane.u, plane.v), rows, strict=False):
        assert abs(float(found @ row)) == pytest.approx(1.0, abs=1e-4)
        assert found[np.abs(found).argmax()] > 0.0, "of the two directions always the same"
    share = float(np.square(values[:2]).sum() / np.square(values).sum())
    assert share_of_variance(plane, codes) == pytest.approx(share, abs=1e-4)
    off = codes.mean(axis=0) - plane.lift(plane.project(codes.mean(axis=0)[None]))[0]
    np.testing.assert_allclose(off, 0.0, atol=1e-5)


def test_a_plane_that_turns_does_not_flip() -> None:
    codes = stretched(5)
    plane = principal_plane(codes)
    turned = LatentPlane(plane.origin, -plane.u, plane.v)
    after = principal_plane(codes + np.float32(0.001), before=turned)
    assert float(after.u @ turned.u) > 0.99
    assert float(after.v @ turned.v) > 0.99
    assert principal_plane(codes, before=axes_plane(3)).u.tolist() == plane.u.tolist(), "of another space"


def test_codes_that_are_lost_or_all_the_same_still_have_a_plane() -> None:
    codes = stretched(4)
    codes[3] = np.nan
    assert np.isfinite(principal_plane(codes).u).all()
    assert np.isfinite(share_of_variance(axes_plane(4), codes))
    same = np.ones((9, 4), np.float32)
    assert np.isfinite(principal_plane(same).lift(np.ones((1, 2)))).all()
    assert share_of_variance(principal_plane(same), same) == 0.0
    assert principal_plane(np.full((5, 4), np.nan, np.float32)) is axes_plane(4)
    assert principal_plane(np.zeros((5, 1), np.float32)) is axes_plane(1)
