"""The whole model: its bound holds, its terms add up, its two forms agree."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch.distributions import Normal

from vaeviewer.backend.config import Settings, updated
from vaeviewer.backend.data.base import ImageDataset
from vaeviewer.backend.models.vae import VAE
from vaeviewer.backend.training import loop
from vaeviewer.backend.training.randomness import named_generator
from vaeviewer.backend.training.trainer import Trainer


def log_evidence_by_importance(model: VAE, x: torch.Tensor, samples: int) -> torch.Tensor:
    """log p(x) ≈ log mean_k p(x|z_k) p(z_k) / q(z_k|x), Burda et al. 2015, equation 8; written apart from the ELBO."""
    loc, log_variance = model.posterior(x)
    q = Normal(loc, (0.5 * log_variance).exp())
    z = q.sample((samples,))
    log_joint = model.likelihood.log_prob(model.decoder(z), x) + Normal(0.0, 1.0).log_prob(z).sum(-1)
    return torch.logsumexp(log_joint - q.log_prob(z).sum(-1), 0) - math.log(samples)


@pytest.mark.parametrize("trained", [False, True])
@pytest.mark.parametrize("likelihood", ["bernoulli", "gaussian"])
def test_the_elbo_is_a_lower_bound(
    digits: ImageDataset, small: Settings, trained: bool, likelihood: str
) -> None:
    torch.manual_seed(2)
    trainer = Trainer(digits, updated(small, likelihood=likelihood, epochs=20))
    if trained:
        loop.train(trainer, go_on=lambda: True, after_block=lambda: None)
    model = trainer._model
    x = torch.tensor(digits.held_out_images.reshape(100, -1)) / 255
    with torch.no_grad():
        terms = model.terms(x, torch.randn(200, 100, 2))
        elbo = (terms.reconstruction - terms.kl).mean()
        evidence = log_evidence_by_importance(model, x, 2_000).mean()
    assert elbo <= evidence
    assert terms.kl.min() >= 0


def test_terms_do_not_depend_on_the_rest_of_the_batch(small: Settings) -> None:
    model = VAE(small.model, 49)
    model.initialize(named_generator(0, "weights"))
    x, noise = torch.rand(6, 49), torch.randn(4, 6, 2)
    whole = model.terms(x, noise)
    part = model.terms(x[2:3], noise[:, 2:3])
    torch.testing.assert_close(whole.reconstruction[2:3], part.reconstruction)
    torch.testing.assert_close(whole.kl[2:3], part.kl)


def test_extreme_weights_give_no_nan(small: Settings) -> None:
    model = VAE(small.model, 49)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.fill_(1e3)
    terms = model.terms(torch.ones(2, 49), torch.randn(1, 2, 2))
    assert torch.isfinite(terms.kl).all()
    assert torch.isfinite(terms.reconstruction).all()


def test_a_snapshot_is_the_model_in_numpy(digits: ImageDataset, small: Settings) -> None:
    trainer = Trainer(digits, updated(small, hidden=(40, 20)))
    loop.train(trainer, go_on=lambda: True, after_block=lambda: None)
    snapshot = trainer.snapshot()
    x = torch.tensor(digits.held_out_images.reshape(100, -1)) / 255
    with torch.no_grad():
        loc, log_variance = trainer._model.posterior(x)
        drawn = trainer._model.likelihood.mean(trainer._model.decoder(loc))
    np_loc, np_scale = snapshot.encode(digits.held_out_images)
    np.testing.assert_allclose(np_loc, loc.numpy(), rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(np_scale, (0.5 * log_variance).exp().numpy(), rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(snapshot.decode(np_loc).reshape(100, -1), drawn.numpy(), rtol=1e-3, atol=1e-5)
