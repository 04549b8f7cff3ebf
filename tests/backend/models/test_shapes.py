"""Priors of any shape against torch's own mixtures, and their classes' parts."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch.distributions import Categorical, Independent, MixtureSameFamily, Normal

from vaeviewer.backend.models.interface import ImageSpec
from vaeviewer.backend.models.shapes import Blobs, Shape, ShapedPrior

SHAPES: list[Shape] = ["mixture", "swiss-roll", "ring"]


def made(shape: Shape, latent_dim: int = 2) -> Blobs:
    prior = ShapedPrior(shape, latent_dim, ImageSpec(5, 4))
    if shape == "picture":
        torch.manual_seed(0)
        prior.take_ink(torch.rand(1, 5, 4))
    return prior.distribution()


@pytest.mark.parametrize("latent_dim", [1, 2, 4])
@pytest.mark.parametrize("shape", [*SHAPES, "picture"])
def test_density_and_moments_are_those_of_a_mixture(shape: Shape, latent_dim: int) -> None:
    torch.manual_seed(1)
    prior = made(shape, latent_dim)
    expected = MixtureSameFamily(Categorical(prior.weights), Independent(Normal(prior.loc, prior.scale), 1))
    z = 1.5 * torch.randn(3, 50, latent_dim)
    torch.testing.assert_close(prior.log_prob(z), expected.log_prob(z), rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(prior.mean, expected.mean)
    torch.testing.assert_close(prior.variance, expected.variance)
    drawn = prior.sample(torch.Size((100, 400)))
    assert drawn.shape == (100, 400, latent_dim)
    torch.testing.assert_close(drawn.flatten(0, 1).mean(0), expected.mean, rtol=0, atol=0.03)
    torch.testing.assert_close(drawn.flatten(0, 1).var(0), expected.variance, rtol=0.05, atol=0)


@pytest.mark.parametrize("shape", [*SHAPES, "picture"])
def test_a_shape_is_as_wide_as_the_plane_shows(shape: Shape) -> None:
    prior = made(shape)
    assert prior.mean.abs().max() < 0.05
    assert prior.variance.mean().item() == pytest.approx(1.0, abs=0.05)


@pytest.mark.parametrize("shape", SHAPES)
def test_a_class_has_a_part_of_its_own(shape: Shape) -> None:
    """Each as much of the mass as any other, and the parts of two neighbours hardly overlap."""
    torch.manual_seed(2)
    prior = made(shape)
    y = torch.arange(10).repeat_interleave(400)
    drawn = prior.sample_of(y, 10).view(10, 400, 2)
    whole = prior.sample(torch.Size((4000,)))
    np.testing.assert_allclose(drawn.mean((0, 1)), whole.mean(0), atol=0.06)
    nearest = torch.cdist(drawn.flatten(0, 1), prior.loc).argmin(1).view(10, 400)
    part = nearest * 10 // len(prior.loc)
    assert ((part == torch.arange(10)[:, None]).float().mean(1) > 0.85).all()


def test_ink_is_what_differs_from_the_ground() -> None:
    """Dark on bright is the same prior as bright on dark."""
    bright = torch.zeros(1, 5, 4)
    bright[0, 1, 2] = 1.0
    bright[0, 3, 2] = 0.5
    one, two = (ShapedPrior("picture", 2, ImageSpec(5, 4)) for _ in range(2))
    one.take_ink(bright)
    two.take_ink(1.0 - bright)
    torch.testing.assert_close(one.state_dict(), two.state_dict())
    masses = one.distribution().weights
    assert masses[6] == pytest.approx(2 / 3)
    assert masses[14] == pytest.approx(1 / 3)
    with pytest.raises(ValueError, match="one colour"):
        one.take_ink(torch.full((1, 5, 4), 0.3))
