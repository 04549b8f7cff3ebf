"""Hamiltonian Monte Carlo on a density whose mean and covariance are known, and how much its samples are worth."""

from __future__ import annotations

import numpy as np
import pytest

from vaeviewer.analysis.hmc import Chain, Points, effective_samples

MEAN = np.array([1.5, -0.5])
COVARIANCE = np.array([[0.04, 0.024], [0.024, 0.0225]])  # correlation 0.8
PRECISION = np.linalg.inv(COVARIANCE)


def log_density(z: Points) -> Points:
    apart = z - MEAN
    return -0.5 * np.einsum("md,de,me->m", apart, PRECISION, apart)


def score(z: Points) -> Points:
    return -(z - MEAN) @ PRECISION


def test_a_chain_finds_the_mean_and_covariance_of_a_correlated_gaussian() -> None:
    chain = Chain(log_density, score, np.zeros(2), np.array([0.2, 0.15]), seed=1)
    for _ in range(3100):
        chain.step()
    assert len(chain.samples) == 3000
    assert 0.7 < chain.acceptance < 0.95, "as dual averaging aims for 0.8"
    effective = chain.effective_samples
    assert effective > 500
    samples = chain.samples
    error = np.sqrt(np.diag(COVARIANCE) / effective)
    assert (np.abs(samples.mean(axis=0) - MEAN) < 4.0 * error).all()
    # The variance of a covariance's estimate from n independent Gaussian samples: (s_ii s_jj + s_ij²) / n.
    spread = np.sqrt((np.outer(np.diag(COVARIANCE), np.diag(COVARIANCE)) + COVARIANCE**2) / (0.5 * effective))
    assert (np.abs(np.cov(samples.T) - COVARIANCE) < 4.0 * spread).all()


def test_the_integrator_keeps_the_energy_better_with_smaller_steps() -> None:
    """The leapfrog's error is of second order: at a tenth of the step hardly any proposal is refused."""
    found = []
    for size in (1.0, 0.1):
        chain = Chain(log_density, score, MEAN, np.array([0.2, 0.15]), seed=2, warm_up=0)
        chain.step_size = size
        found.append(np.mean([chain.step().probability for _ in range(300)]))
    assert 1.0 - found[1] < 0.02 * (1.0 - found[0])


def test_a_chain_stays_where_the_density_is_not_a_number() -> None:
    def cut(z: Points) -> Points:
        return np.where(z[:, 0] > 1.5, np.nan, log_density(z))

    chain = Chain(cut, score, np.array([1.2, -0.7]), np.array([0.2, 0.15]), seed=3)
    for _ in range(300):
        chain.step()
    assert chain.samples[:, 0].max() <= 1.5
    assert chain.acceptance > 0.2


@pytest.mark.parametrize("correlation", [0.0, 0.9])
def test_effective_samples_of_an_autoregression(correlation: float) -> None:
    """Of z_t = a z_{t-1} + noise the variance of the mean is (1 + a) / (1 - a) times that of independent samples."""
    n = 20_000
    noise = np.random.default_rng(4).standard_normal((n, 2))
    series = np.empty_like(noise)
    series[0] = noise[0]
    for t in range(1, n):
        series[t] = correlation * series[t - 1] + noise[t]
    expected = n * (1.0 - correlation) / (1.0 + correlation)
    np.testing.assert_allclose(effective_samples(series), expected, rtol=0.15)
    assert np.isnan(effective_samples(np.ones((50, 1)))).all(), "a chain that never moved says nothing"
