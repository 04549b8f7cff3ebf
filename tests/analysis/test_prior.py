"""Priors as the plane shows them: the mass within their contours, and draws that repeat and leave training's alone."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
import torch
from families_without import ALL
from own_families import LaplaceVAE

from vaeviewer.analysis import prior
from vaeviewer.analysis.latent_plane import LatentPlane, axes_plane, identity
from vaeviewer.analysis.prior import SHARES, PriorShape, prior_codes
from vaeviewer.backend.config import Settings, updated
from vaeviewer.backend.models import registry
from vaeviewer.backend.models.interface import DataSpec, ImageSpec
from vaeviewer.backend.snapshot import Snapshot, snapshot_of
from vaeviewer.errors import NoDensityError


@pytest.fixture(autouse=True)
def registered() -> Iterator[None]:
    own = (*ALL, LaplaceVAE())
    for family in own:
        registry.register(family)
    yield
    for family in own:
        registry.unregister(family.key)


def fresh(key: str, latent_dim: int = 2) -> Snapshot:
    config = updated(Settings(), family=key, latent_dim=latent_dim).model
    data = DataSpec(ImageSpec(6, 5), 0, 10)
    model = registry.family(key).build(config, data)
    model.initialize(torch.Generator().manual_seed(1))
    return snapshot_of(config, data, {name: t.detach().numpy() for name, t in model.state_dict().items()})


def prior_shape(snapshot: Snapshot, plane: LatentPlane) -> PriorShape:
    *_, shape = prior.prior_shape(snapshot, plane)
    assert shape is not None
    return shape


@pytest.mark.parametrize("key", ["vae", "game", "laplace", "mixture", "ring"])
@pytest.mark.parametrize("latent_dim", [2, 5])
def test_draws_repeat_and_leave_those_of_training_alone(key: str, latent_dim: int) -> None:
    snapshot, before = fresh(key, latent_dim), torch.get_rng_state()
    first = prior_codes(snapshot, 500)
    torch.manual_seed(3)  # as a step of training does in between
    state = torch.get_rng_state()
    assert np.array_equal(prior_codes(snapshot, 500), first)
    assert torch.equal(torch.get_rng_state(), state)
    assert first.shape == (500, latent_dim)
    assert first.dtype == np.float32
    assert len(np.unique(first[:, 0])) > 400
    torch.set_rng_state(before)


def inside(shape: PriorShape, line: int, points: np.ndarray) -> np.ndarray:
    """Whether points lie within a contour: a ray to the right crosses it an odd number of times."""
    a, b = shape.lines[line][:, 0], shape.lines[line][:, 1]
    x, y = points[:, :1], points[:, 1:]
    crosses = (a[:, 1] > y) != (b[:, 1] > y)
    with np.errstate(divide="ignore", invalid="ignore"):
        at = a[:, 0] + (y - a[:, 1]) / (b[:, 1] - a[:, 1]) * (b[:, 0] - a[:, 0])
    odd: np.ndarray = (crosses & (at > x)).sum(axis=1) % 2 == 1
    return odd


def draws_of(key: str, count: int) -> np.ndarray:
    """From NumPy's distributions, as the families say theirs are."""
    draw = np.random.default_rng(0)
    angle = 2 * np.pi * draw.random(count)
    if key == "laplace":
        return draw.laplace(size=(count, 2))
    if key == "ring":
        return 3.0 * np.stack([np.cos(angle), np.sin(angle)], axis=1)
    part = draw.integers(8, size=count) * np.pi / 4
    return 4.0 * np.stack([np.cos(part), np.sin(part)], axis=1) + 0.2 * draw.standard_normal((count, 2))


@pytest.mark.parametrize("key", ["laplace", "mixture"])
def test_contours_hold_the_shares_they_say(key: str) -> None:
    shape = prior_shape(fresh(key), identity())
    for line, share in enumerate(SHARES):
        assert inside(shape, line, draws_of(key, 4000)).mean() == pytest.approx(share, abs=0.035)
    assert shape.density.max() == pytest.approx(1.0)


def test_without_a_density_they_come_from_draws() -> None:
    snapshot = fresh("ring")
    with pytest.raises(NoDensityError):
        snapshot.log_prior(np.zeros((3, 2), np.float32))
    shape = prior_shape(snapshot, identity())
    points = draws_of("ring", 2000)
    assert inside(shape, 2, points).mean() > 0.95
    assert not inside(shape, 2, 0.5 * points).any()  # the hole of the ring
    assert not inside(shape, 2, 1.3 * points).any()


def test_of_more_than_two_dimensions_it_is_what_the_plane_shows() -> None:
    flat = prior_shape(fresh("laplace"), identity())
    marginal = prior_shape(fresh("laplace", 6), axes_plane(6, 4, 1))
    points = draws_of("laplace", 4000)
    for line, share in enumerate(SHARES[:2]):
        assert inside(flat, line, points).mean() == pytest.approx(share, abs=0.03)
        assert inside(marginal, line, points).mean() == pytest.approx(share, abs=0.05)


def test_of_one_dimension_contours_are_marks_along_the_line() -> None:
    shape = prior_shape(fresh("laplace", 1), axes_plane(1))
    for line, share in zip(shape.lines, SHARES, strict=True):
        across = np.unique(np.round(line[..., 0], 3))
        # Laplace: P(|z| < a) = 1 - exp(-a).
        np.testing.assert_allclose(across, np.array([-1, 1]) * -np.log1p(-share), atol=0.15)


def test_log_prior_is_the_density() -> None:
    z = np.random.default_rng(0).normal(size=(20, 2)).astype(np.float32)
    found = fresh("laplace").log_prior(z)
    np.testing.assert_allclose(found, -np.abs(z).sum(1) - 2 * np.log(2.0), rtol=1e-5)
