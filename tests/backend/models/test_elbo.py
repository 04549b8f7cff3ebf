"""Each term against torch.distributions, in float64."""

from __future__ import annotations

import pytest
import torch
from torch.distributions import Independent, Normal, kl_divergence

from vaeviewer.backend.models.elbo import gaussian_kl, reparameterize


@pytest.fixture(autouse=True)
def seeded() -> None:
    torch.manual_seed(0)


@pytest.mark.parametrize("dim", [1, 2, 32])
@pytest.mark.parametrize("spread", [1e-3, 1.0, 8.0])
def test_kl_agrees_with_torch_distributions(dim: int, spread: float) -> None:
    loc = spread * torch.randn(64, dim, dtype=torch.float64)
    log_variance = spread * torch.randn(64, dim, dtype=torch.float64)
    q = Independent(Normal(loc, torch.exp(0.5 * log_variance)), 1)
    p = Independent(Normal(torch.zeros_like(loc), torch.ones_like(loc)), 1)
    torch.testing.assert_close(gaussian_kl(loc, log_variance), kl_divergence(q, p), rtol=1e-6, atol=1e-12)


def test_kl_is_zero_at_the_prior_and_positive_elsewhere() -> None:
    zeros = torch.zeros(3, 2, dtype=torch.float64)
    assert gaussian_kl(zeros, zeros).abs().max() == 0
    loc, log_variance = torch.randn(2, 100, 5, dtype=torch.float64)
    assert gaussian_kl(loc, log_variance).min() > 0


def test_samples_have_the_posteriors_moments() -> None:
    loc = torch.tensor([[0.5, -2.0]], dtype=torch.float64)
    log_variance = torch.tensor([[0.0, -2.0]], dtype=torch.float64)
    z = reparameterize(loc, log_variance, torch.randn(200_000, 1, 2, dtype=torch.float64))
    torch.testing.assert_close(z.mean(0), loc, rtol=0, atol=0.02)
    torch.testing.assert_close(z.var(0), log_variance.exp(), rtol=0.02, atol=0)


def test_reparameterized_gradient_agrees_with_the_analytic_one() -> None:
    """For f(z) = Σ (a z² + b z), E_q f = Σ a(μ² + σ²) + bμ, so both gradients are known exactly."""
    a, b = 0.7, -1.3
    loc = torch.tensor([[0.4, -1.1]], dtype=torch.float64, requires_grad=True)
    log_variance = torch.tensor([[0.2, -0.9]], dtype=torch.float64, requires_grad=True)
    # Antithetic noise with unit second moment makes the Monte Carlo mean exact for a quadratic.
    noise = torch.randn(5_000, 1, 2, dtype=torch.float64)
    noise = torch.cat([noise, -noise])
    noise = noise / noise.square().mean(0, keepdim=True).sqrt()
    z = reparameterize(loc, log_variance, noise)
    (a * z.square() + b * z).sum(-1).mean().backward()
    torch.testing.assert_close(loc.grad, 2 * a * loc.detach() + b, rtol=1e-9, atol=1e-12)
    torch.testing.assert_close(log_variance.grad, a * log_variance.detach().exp(), rtol=1e-9, atol=1e-12)


def test_reparameterized_gradient_of_the_kl_agrees_with_the_closed_form() -> None:
    """∂/∂μ E_q[log q − log p] estimated through samples meets the closed form's gradient."""
    loc = torch.tensor([[0.8, -0.3]], dtype=torch.float64, requires_grad=True)
    log_variance = torch.tensor([[-1.0, 0.5]], dtype=torch.float64, requires_grad=True)
    z = reparameterize(loc, log_variance, torch.randn(400_000, 1, 2, dtype=torch.float64))
    log_q = Normal(loc, torch.exp(0.5 * log_variance)).log_prob(z).sum(-1)
    log_p = Normal(0.0, 1.0).log_prob(z).sum(-1)
    sampled = torch.autograd.grad((log_q - log_p).mean(), [loc, log_variance])
    exact = torch.autograd.grad(gaussian_kl(loc, log_variance).sum(), [loc, log_variance])
    for s, e in zip(sampled, exact, strict=True):
        torch.testing.assert_close(s, e, rtol=0.02, atol=5e-3)
