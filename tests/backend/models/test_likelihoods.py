"""Log-densities against torch.distributions, in float64."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import distributions

from vaeviewer.backend.models.families.vae import VaeConfig
from vaeviewer.backend.models.likelihoods import (
    BernoulliPixels,
    DiscretisedLogistic,
    GaussianPixels,
    LogisticPixels,
    build_likelihood,
)


@pytest.fixture(autouse=True)
def seeded() -> None:
    torch.manual_seed(1)


@pytest.mark.parametrize("scale", [0.1, 3.0, 30.0])
def test_bernoulli_of_binary_pixels(scale: float) -> None:
    logits = scale * torch.randn(3, 16, 49, dtype=torch.float64)
    x = (torch.rand(16, 49) < 0.3).double()
    expected = distributions.Bernoulli(logits=logits).log_prob(x.expand_as(logits)).sum(-1)
    torch.testing.assert_close(BernoulliPixels()(logits).log_prob(x).sum(-1), expected, rtol=1e-6, atol=1e-12)


def test_bernoulli_of_grey_levels_is_the_expected_log_density_of_drawn_pixels() -> None:
    logits = torch.randn(1, 5, 20, dtype=torch.float64)
    x = torch.rand(5, 20, dtype=torch.float64)
    bernoulli = distributions.Bernoulli(logits=logits)
    ones, zeros = torch.ones_like(logits), torch.zeros_like(logits)
    expected = (x * bernoulli.log_prob(ones) + (1 - x) * bernoulli.log_prob(zeros)).sum(-1)
    torch.testing.assert_close(BernoulliPixels()(logits).log_prob(x).sum(-1), expected, rtol=1e-6, atol=1e-12)


@pytest.mark.parametrize("learned", [False, True])
@pytest.mark.parametrize("scale", [0.05, 0.25, 2.0])
def test_gaussian(learned: bool, scale: float) -> None:
    likelihood = GaussianPixels(scale, learned).double()
    # Set again in float64: the parameter was made in float32.
    with torch.no_grad():
        likelihood.log_variance.fill_(2 * math.log(scale))
    outputs = torch.randn(2, 8, 30, dtype=torch.float64)
    x = torch.rand(8, 30, dtype=torch.float64)
    expected = distributions.Normal(torch.sigmoid(outputs), scale).log_prob(x).sum(-1)
    torch.testing.assert_close(likelihood(outputs).log_prob(x).sum(-1), expected, rtol=1e-6, atol=1e-12)


def test_only_a_learned_variance_is_a_parameter() -> None:
    assert not list(GaussianPixels(0.3, learned=False).parameters())
    assert [p.shape for p in GaussianPixels(0.3, learned=True).parameters()] == [(1,)]


def test_learning_the_variance_finds_the_squared_error() -> None:
    """With the mean fixed, the best σ² is the mean squared error (Rybkin et al. 2021, equation 5)."""
    likelihood = GaussianPixels(1.0, learned=True)
    x = torch.full((64, 10), 0.5) + 0.2 * torch.randn(64, 10)
    outputs = torch.zeros(1, 64, 10)  # mean sigmoid(0) = 0.5
    optimizer = torch.optim.Adam(likelihood.parameters(), lr=0.05)
    for _ in range(400):
        optimizer.zero_grad()
        (-likelihood(outputs).log_prob(x).sum(-1).mean()).backward()
        optimizer.step()
    mean_square = (x - 0.5).square().mean()
    torch.testing.assert_close(likelihood.log_variance.exp()[0].detach(), mean_square, rtol=0.01, atol=0)


def test_settings_choose_the_likelihood() -> None:
    assert isinstance(build_likelihood(VaeConfig()), BernoulliPixels)
    assert isinstance(build_likelihood(VaeConfig(likelihood="logistic")), LogisticPixels)
    gaussian = build_likelihood(
        VaeConfig(likelihood="gaussian", gaussian_scale=0.5, gaussian_variance="fixed")
    )
    assert isinstance(gaussian, GaussianPixels)
    assert gaussian.log_variance.item() == pytest.approx(2 * math.log(0.5))


LEVELS = torch.arange(256, dtype=torch.float64) / 255

scales = st.floats(math.log(1e-4), math.log(10.0)).map(math.exp)


@given(loc=st.floats(0.0, 1.0), scale=scales)
def test_the_logistics_levels_have_the_probabilities_of_torchs_logistic(loc: float, scale: float) -> None:
    """PixelCNN++, equation 2: what lies within half a level, and beyond at black and white."""
    where, wide = torch.tensor(loc, dtype=torch.float64), torch.tensor(scale, dtype=torch.float64)
    found = DiscretisedLogistic(where.expand(256), wide).log_prob(LEVELS)
    torch.testing.assert_close(found.exp().sum(), torch.tensor(1.0, dtype=torch.float64))
    uniform = distributions.Uniform(torch.zeros((), dtype=torch.float64), 1.0, validate_args=False)
    logistic = distributions.TransformedDistribution(
        uniform,
        [distributions.SigmoidTransform().inv, distributions.AffineTransform(where, wide)],
        validate_args=False,
    )
    bounds = logistic.cdf((LEVELS[:-1] + LEVELS[1:]) / 2)
    zero, one = torch.zeros(1, dtype=torch.float64), torch.ones(1, dtype=torch.float64)
    expected = torch.cat([zero, bounds, one]).diff()
    torch.testing.assert_close(found.exp(), expected, rtol=1e-6, atol=1e-12)


@pytest.mark.parametrize("output", [-1e4, -90.0, 0.0, 90.0, 1e4])
@pytest.mark.parametrize("log_scale", [-50.0, -9.0, 0.0, 20.0])
def test_the_logistic_is_finite_and_exact_in_float32(output: float, log_scale: float) -> None:
    likelihood = LogisticPixels()
    with torch.no_grad():
        likelihood.log_scale.fill_(log_scale)
    outputs = torch.full((256,), output, requires_grad=True)
    x = LEVELS.float()
    found = likelihood(outputs).log_prob(x)
    found.sum().backward()
    assert torch.isfinite(found).all()
    assert outputs.grad is not None
    assert torch.isfinite(outputs.grad).all()
    assert likelihood.log_scale.grad is not None
    assert torch.isfinite(likelihood.log_scale.grad).all()
    scale = torch.tensor(math.exp(max(log_scale, -9.0)), dtype=torch.float64)
    exact = DiscretisedLogistic(torch.sigmoid(outputs.detach().double()), scale).log_prob(x.double())
    torch.testing.assert_close(found.detach().double(), exact, rtol=2e-4, atol=1e-3)


def test_learning_the_logistics_scale_finds_that_of_the_pixels() -> None:
    """The scale that maximum likelihood finds is the one that the levels were drawn with."""
    uniform = torch.rand(20_000, generator=torch.Generator().manual_seed(4))
    x = ((0.5 + 0.05 * torch.logit(uniform)).clamp(0, 1) * 255).round() / 255
    likelihood = LogisticPixels()
    optimizer = torch.optim.Adam(likelihood.parameters(), lr=0.05)
    for _ in range(200):
        optimizer.zero_grad()
        (-likelihood(torch.zeros_like(x)).log_prob(x).mean()).backward()
        optimizer.step()
    assert likelihood.log_scale.exp().item() == pytest.approx(0.05, rel=0.02)
