"""Probabilistic PCA: its density against torch's Gaussian and against quadrature, and what a user sees of it."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.distributions import MultivariateNormal

from vaeviewer.backend.config import Settings, updated
from vaeviewer.backend.data.base import ImageDataset
from vaeviewer.backend.models.families.pca import FAMILY, PcaConfig
from vaeviewer.backend.models.interface import DataSpec, ImageSpec
from vaeviewer.backend.models.networks.linear_gaussian import LEAST_DEVIATION, LinearGaussian
from vaeviewer.backend.snapshot import NumpySnapshot, TorchSnapshot
from vaeviewer.backend.training.trainer import Trainer
from vaeviewer.cli import main

IMAGE = ImageSpec(3, 2, 3)


def solved(x: Tensor, latent_dim: int) -> LinearGaussian:
    """In float64, by the family's own way."""
    model = FAMILY.build(PcaConfig(latent_dim=latent_dim), DataSpec(IMAGE)).double()
    assert isinstance(model, LinearGaussian)
    FAMILY.prepare(model, x, None, PcaConfig(latent_dim=latent_dim), torch.Generator())
    return model


@pytest.fixture
def x() -> Tensor:
    generator = torch.Generator().manual_seed(3)
    codes = torch.randn(500, 3, generator=generator, dtype=torch.float64)
    directions = torch.randn(3, *(3, 3, 2), generator=generator, dtype=torch.float64)
    noise = torch.randn(500, 3, 3, 2, generator=generator, dtype=torch.float64)
    return 0.5 + 0.2 * torch.einsum("nk,kchw->nchw", codes, directions) + 0.1 * noise


def gaussian(model: LinearGaussian) -> MultivariateNormal:
    """What z and x are together, of what the model says of p(z) and p(x|z): the covariance of x is W Wᵀ + σ² I."""
    origin, axes = torch.zeros(model.latent_dim, dtype=torch.float64), torch.eye(model.latent_dim).double()
    mean = model.decode(origin).mean.flatten()
    weights = (model.decode(axes).mean.flatten(1) - mean).T  # W, pixels in the order of (C, H, W)
    noise = model.decode(origin).variance.flatten().diag()
    return MultivariateNormal(mean, weights @ weights.T + noise)


@pytest.mark.parametrize("latent_dim", [1, 2, 5, 18, 25])
def test_the_log_density_is_the_gaussians(x: Tensor, latent_dim: int) -> None:
    model = solved(x, latent_dim)
    expected = gaussian(model).log_prob(x.flatten(1))
    torch.testing.assert_close(model.log_prob(x), expected, atol=1e-6, rtol=1e-6)


def test_no_other_plane_has_a_higher_likelihood(x: Tensor) -> None:
    model = solved(x, 2)
    best = float(model.log_prob(x).mean())
    for name, change in (("mean", 0.01), ("variances", 0.05), ("noise_variance", 0.0005)):
        for sign in (-1, 1):
            model = solved(x, 2)
            getattr(model, name).add_(sign * change)
            assert float(model.log_prob(x).mean()) < best - 1e-4
    model = solved(x, 2)
    model.components.copy_(torch.linalg.qr(model.components.T + 0.05 * torch.randn(18, 2).double()).Q.T)
    assert float(model.log_prob(x).mean()) < best - 1e-4


@pytest.mark.slow
def test_the_log_density_is_the_integral_over_z(x: Tensor) -> None:
    model = solved(x, 2)
    line = torch.linspace(-6.0, 6.0, 601, dtype=torch.float64)
    z = torch.cartesian_prod(line, line)
    prior = -0.5 * z.square().sum(1) - math.log(2 * math.pi)
    cell = 2 * math.log(float(line[1] - line[0]))
    for image in x[:5]:
        integral = (model.decode(z).log_prob(image) + prior).logsumexp(0) + cell
        assert float(integral) == pytest.approx(float(model.log_prob(image[None])), abs=1e-6)


def test_the_posterior_is_bayes_rule(x: Tensor) -> None:
    """log p(x|z) + log p(z) − log p(z|x) is log p(x) whatever z is."""
    model = solved(x, 3)
    z = torch.randn(7, len(x), 3, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    prior = (-0.5 * z.square() - 0.5 * math.log(2 * math.pi)).sum(-1)
    found = model.decode(z).log_prob(x) + prior - model.encode(x).log_prob(z).sum(-1)
    torch.testing.assert_close(found, model.log_prob(x).expand(7, -1), atol=1e-6, rtol=1e-6)


def test_the_squared_error_is_of_the_nearest_image_in_the_plane(x: Tensor) -> None:
    model = solved(x, 3)
    flat = x.flatten(1).numpy()
    centred = flat - flat.mean(0)
    _, _, directions = np.linalg.svd(centred, full_matrices=False)
    nearest = centred @ directions[:3].T @ directions[:3]
    expected = ((centred - nearest) ** 2).sum(1)
    np.testing.assert_allclose(model.error(x).numpy(), expected, rtol=1e-5)
    np.testing.assert_allclose(model.distance(x).numpy(), (centred**2).sum(1), rtol=1e-5)


@pytest.mark.parametrize("images", [1, 2])
def test_images_that_lie_in_the_plane_have_a_density(x: Tensor, images: int) -> None:
    model = solved(x[:images], 4)
    assert float(model.noise_variance) == pytest.approx(LEAST_DEVIATION**2)
    assert torch.isfinite(model.log_prob(x)).all()
    posterior = model.encode(x[:images])
    torch.testing.assert_close(posterior.mean[:, images:], torch.zeros(images, 4 - images).double())
    torch.testing.assert_close(posterior.stddev[:, images:], torch.ones(images, 4 - images).double())


def test_both_kinds_of_snapshot_are_the_model(digits: ImageDataset, small: Settings) -> None:
    numpy = Trainer(digits, updated(small, family="pca", latent_dim=3)).snapshot()
    assert isinstance(numpy, NumpySnapshot)
    by_torch = TorchSnapshot(0, 0.0, numpy.model, numpy.data, numpy.weights)
    codes, expected = numpy.encode(digits.held_out_images), by_torch.encode(digits.held_out_images)
    assert codes is not None
    assert expected is not None
    for ours, theirs in zip(codes, expected, strict=True):
        assert ours is not None
        assert theirs is not None
        np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(numpy.decode(codes[0]), by_torch.decode(codes[0]), atol=1e-5)
    assert numpy.posterior is not None
    whole = numpy.encode(digits.train_images)
    assert whole is not None
    np.testing.assert_allclose(numpy.posterior.loc, whole[0], rtol=1e-4, atol=1e-5)


@pytest.mark.slow
def test_on_the_command_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = str(tmp_path / "run")
    assert main(["train", "--family", "pca", "--device", "cpu", "--out", run]) == 0
    assert "nothing to train" in capsys.readouterr().out
    assert main(["evaluate", run, "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert report["squared_error"] == pytest.approx(43.085, abs=0.01)
    assert report["explained"] == pytest.approx(1 - 43.085 / 52.237, abs=1e-3)
    assert main(["export", run, "--manifold", str(tmp_path / "manifold.png")]) == 0
