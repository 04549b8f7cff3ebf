"""The approximation gap and the amortization gap, where the best diagonal Gaussian is known and on a trained model."""

from __future__ import annotations

import math

import numpy as np
import pytest

from vaeviewer.analysis.gaps import ascent, gaussian
from vaeviewer.analysis.hmc import Points

MEAN = np.array([0.7, -1.1])
COVARIANCE = np.array([[0.01, 0.012], [0.012, 0.0225]])  # correlation 0.8
PRECISION = np.linalg.inv(COVARIANCE)
LOG_EVIDENCE = -130.0


def log_joint(z: Points) -> Points:
    apart = z - MEAN
    log_norm = 0.5 * math.log(np.linalg.det(2.0 * math.pi * COVARIANCE))
    return LOG_EVIDENCE - log_norm - 0.5 * np.einsum("md,de,me->m", apart, PRECISION, apart)


def score(z: Points) -> Points:
    return -(z - MEAN) @ PRECISION


@pytest.mark.parametrize(
    ("loc", "scale"), [([0.7, -1.1], [0.05, 0.05]), ([0.0, 0.0], [1.0, 1.0]), ([2.0, 1.0], [0.01, 0.03])]
)
def test_the_best_diagonal_gaussian_of_a_gaussian_posterior(loc: list[float], scale: list[float]) -> None:
    """Its variances are the reciprocals of the precision's diagonal, and log p(x) − ELBO the KL divergence left."""
    path = list(ascent(log_joint, score, gaussian(log_joint, np.array(loc), np.array(scale))))
    elbos = [q.elbo for q in path]
    assert elbos == sorted(elbos), "it never becomes worse"
    np.testing.assert_allclose(path[0].loc, loc)
    best = path[-1]
    np.testing.assert_allclose(best.loc, MEAN, atol=0.006)
    np.testing.assert_allclose(best.scale, np.diag(PRECISION) ** -0.5, rtol=0.03)
    gap = 0.5 * (np.log(np.diag(PRECISION)).sum() - np.linalg.slogdet(PRECISION)[1])
    assert LOG_EVIDENCE - best.elbo == pytest.approx(gap, abs=2e-3)
