"""Figures of each latent dimension, against torch.distributions and the definition of an active unit."""

from __future__ import annotations

import numpy as np
import torch
from torch.distributions import Normal, kl_divergence

from vaeviewer.analysis.dimensions import dimensions_of, traversal_values
from vaeviewer.backend.snapshot import PosteriorTable


def table(loc: np.ndarray, log_variance: np.ndarray | None) -> PosteriorTable:
    return PosteriorTable(loc, log_variance, np.zeros(len(loc), np.int32))


def test_the_kl_of_each_dimension_is_that_of_torch() -> None:
    rng = np.random.default_rng(0)
    loc = rng.normal(size=(300, 5)).astype(np.float32)
    log_variance = rng.normal(-1.0, 1.0, size=(300, 5)).astype(np.float32)
    found = dimensions_of(table(loc, log_variance))
    posterior = Normal(torch.tensor(loc), torch.tensor(np.exp(0.5 * log_variance)))
    expected = kl_divergence(posterior, Normal(0.0, 1.0)).mean(dim=0)
    assert found.kl is not None
    np.testing.assert_allclose(found.kl, expected.numpy(), rtol=1e-5)
    np.testing.assert_allclose(found.variance, loc.var(axis=0), rtol=1e-5)
    assert found.size is found.kl
    assert (np.diff(found.size[found.order]) <= 0).all()


def test_a_dimension_is_active_above_a_hundredth() -> None:
    spread = np.array([0.2, 0.11, 0.09, 0.0])
    loc = np.array([[1.0], [-1.0]] * 50) * spread  # of variance spread²
    found = dimensions_of(table(loc.astype(np.float32), None))
    assert found.active.tolist() == [True, True, False, False]
    assert found.kl is None, "codes that are points have none"
    assert found.order.tolist() == [0, 1, 2, 3]


def test_lost_rows_do_not_count_and_large_tables_are_sampled() -> None:
    loc = np.random.default_rng(1).normal(size=(60_000, 3)).astype(np.float32)
    loc[7] = np.inf
    found = dimensions_of(table(loc, np.zeros_like(loc)))
    np.testing.assert_allclose(found.variance, 1.0, atol=0.1)
    lost = dimensions_of(table(np.full((4, 3), np.nan, np.float32), None))
    assert lost.variance.tolist() == [0.0, 0.0, 0.0]


def test_a_traversal_goes_as_far_as_codes_reach_where_there_is_no_prior() -> None:
    codes = np.random.default_rng(2).uniform(0.0, 1.0, size=(5_000, 8)).astype(np.float32)
    codes[3] = 40.0, *[np.nan] * 7  # a stray, and what is lost
    found = traversal_values(table(codes, None), follows_normal=False)
    np.testing.assert_allclose(found, np.linspace(0.0, 1.0, 7), atol=1e-6)
    moved = traversal_values(table(codes * 1.02, None), follows_normal=False)
    assert moved[0] == 0.0
    assert moved[-1] in (np.float32(1.0), np.float32(1.05), np.float32(1.5))
    normal = [-3.0, -2.0, -1.0, 0.0, 1.0, 2.0, 3.0]
    assert traversal_values(table(codes, None), follows_normal=True).tolist() == normal
    for nothing in (
        None,
        table(np.full((4, 3), np.nan, np.float32), None),
        table(np.ones((4, 3), np.float32), None),
    ):
        assert traversal_values(nothing, follows_normal=False).tolist() == normal
