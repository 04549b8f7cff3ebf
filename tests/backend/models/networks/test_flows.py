"""Flows: log-determinants against autograd's Jacobian, inverses, and densities that sum to one."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor
from torch.distributions import Independent, Normal

from vaeviewer.backend.models.networks.flows import (
    MOMENT_DRAWS,
    AutoregressiveFlow,
    Flow,
    FlowPosterior,
    PlanarFlow,
    moment_noise,
)

ROWS = 3


def made(kind: str, latent_dim: int) -> tuple[Flow, Tensor]:
    """A flow in float64 that bends a lot, and contexts for some images."""
    torch.manual_seed(latent_dim)
    flow: Flow = PlanarFlow(latent_dim, 4)
    if kind == "autoregressive":
        flow = AutoregressiveFlow(latent_dim, 3, 11)
        flow.initialize(torch.Generator().manual_seed(0))
        with torch.no_grad():
            for parameter in flow.parameters():
                parameter.mul_(2.0)
    return flow.double(), 0.8 * torch.randn(ROWS, flow.context, dtype=torch.float64)


kinds = pytest.mark.parametrize("kind", ["autoregressive", "planar"])


@kinds
@pytest.mark.parametrize("latent_dim", [1, 2, 5])
def test_log_determinants_are_those_of_the_jacobian(kind: str, latent_dim: int) -> None:
    flow, context = made(kind, latent_dim)
    z = 2.0 * torch.randn(ROWS, latent_dim, dtype=torch.float64)
    _, log_det = flow(z, context)
    assert log_det.abs().max() > 0.05
    for row in range(ROWS):
        jacobian = torch.autograd.functional.jacobian(
            lambda one, row=row: flow(one[None], context[row : row + 1])[0][0], z[row]
        )
        torch.testing.assert_close(log_det[row], torch.linalg.slogdet(jacobian).logabsdet)


@kinds
@pytest.mark.parametrize("latent_dim", [1, 2, 5])
def test_an_inverse_goes_back(kind: str, latent_dim: int) -> None:
    flow, context = made(kind, latent_dim)
    z = 3.0 * torch.randn(7, ROWS, latent_dim, dtype=torch.float64)
    there, _ = flow(z, context)
    assert (there - z).abs().max() > 0.1
    torch.testing.assert_close(flow.inverse(there, context), z, rtol=1e-7, atol=1e-7)


@kinds
def test_each_image_has_a_bend_of_its_own(kind: str) -> None:
    flow, context = made(kind, 2)
    z = torch.randn(4, ROWS, 2, dtype=torch.float64)
    whole, _ = flow(z, context)
    part, _ = flow(z[:, 1:2], context[1:2])
    torch.testing.assert_close(whole[:, 1:2], part)


@pytest.mark.slow
@kinds
def test_a_density_sums_to_one_and_its_kl_is_what_samples_say(kind: str) -> None:
    flow, context = made(kind, 2)
    loc, scale = torch.randn(2, ROWS, 2, dtype=torch.float64)
    q = FlowPosterior(Normal(loc, 0.3 * scale.abs() + 0.3), flow, context)
    side = torch.linspace(-8, 8, 400, dtype=torch.float64)
    cell = (16 / 399) ** 2
    grid = torch.cartesian_prod(side, side)[:, None].expand(-1, ROWS, -1)
    with torch.no_grad():
        log_q = q.log_prob(grid)
        torch.testing.assert_close(log_q.exp().sum(0) * cell, torch.ones(ROWS).double(), rtol=0, atol=2e-3)
        prior = Independent(Normal(torch.zeros(2), torch.ones(2)), 1)
        kl = (log_q.exp() * (log_q - prior.log_prob(grid))).sum(0) * cell
        z, log_density = q.at(torch.randn(40_000, ROWS, 2, dtype=torch.float64))
        torch.testing.assert_close(log_density[:50], q.log_prob(z[:50]))
        sampled = (log_density - prior.log_prob(z)).mean(0)
    torch.testing.assert_close(sampled, kl, rtol=0.02, atol=0.02)


@kinds
def test_its_moments_are_about_those_of_many_samples(kind: str) -> None:
    flow, context = made(kind, 2)
    base = Normal(torch.randn(ROWS, 2, dtype=torch.float64), torch.full((ROWS, 2), 0.5, dtype=torch.float64))
    q = FlowPosterior(base, flow, context)
    torch.manual_seed(0)
    with torch.no_grad():
        z = q.at(torch.randn(20_000, ROWS, 2, dtype=torch.float64))[0]
    torch.testing.assert_close(q.mean, z.mean(0), rtol=0, atol=0.15)
    torch.testing.assert_close(q.stddev, z.std(0), rtol=0.5, atol=0)
    assert torch.equal(q.mean, FlowPosterior(base, flow, context).mean), "the same at every look"


def test_of_a_gaussian_the_moments_are_exact() -> None:
    """As those of the draws are: an identity, whose planes have u = 0, changes neither."""
    loc, scale = torch.randn(ROWS, 4), torch.rand(ROWS, 4) + 0.1
    flow = PlanarFlow(4, 2)
    context = torch.randn(ROWS, flow.context)
    for step in range(2):
        context[:, 9 * step : 9 * step + 4] = 0.0
    q = FlowPosterior(Normal(loc, scale), flow, context)
    torch.testing.assert_close(q.mean, loc, rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(q.stddev, scale, rtol=1e-4, atol=1e-5)
    z = torch.randn(5, ROWS, 4)
    torch.testing.assert_close(q.log_prob(z), Normal(loc, scale).log_prob(z).sum(-1), rtol=1e-4, atol=1e-4)
    assert moment_noise(4).shape == (MOMENT_DRAWS, 4)


def test_a_planar_step_can_always_be_undone() -> None:
    """Whatever u and w: wᵀû stays above −1 (Rezende & Mohamed 2015, appendix A.1)."""
    flow = PlanarFlow(2, 1)
    for scale in (1e-6, 1.0, 30.0):
        context = scale * torch.randn(500, 5, dtype=torch.float64)
        z = torch.randn(500, 2, dtype=torch.float64)
        there, log_det = flow(z, context)
        assert torch.isfinite(log_det).all()
        assert torch.isfinite(there).all()
        if scale < 30.0:
            torch.testing.assert_close(flow.inverse(there, context), z, rtol=1e-6, atol=1e-6)
    assert math.isclose(float(flow(z, 0.0 * context)[1].abs().max()), 0.0)
