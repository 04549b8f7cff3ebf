"""The importance-weighted bound against torch.distributions and quadrature, and its gradient."""

from __future__ import annotations

import math
from itertools import pairwise

import pytest
import torch
from helpers_gradients import agrees_with_finite_differences
from torch import Tensor
from torch.distributions import Normal

from vaeviewer.backend.config import Settings, protocol_text, updated
from vaeviewer.backend.data.base import ImageDataset
from vaeviewer.backend.models.families.iwae import FAMILY, IwaeConfig, log_mean, posterior, weighed
from vaeviewer.backend.models.families.vae import elbo_terms
from vaeviewer.backend.models.interface import Batch, DataSpec, ImageSpec
from vaeviewer.backend.models.latent_model import LatentModel
from vaeviewer.backend.training import loop
from vaeviewer.backend.training.randomness import named_generator
from vaeviewer.backend.training.trainer import Trainer


def tiny(**settings: int) -> tuple[LatentModel, IwaeConfig, Tensor]:
    """A small model in float64, its settings and four images."""
    torch.manual_seed(1)
    config = IwaeConfig(hidden=(6,), activation="tanh", **settings)
    model = FAMILY.build(config, DataSpec(ImageSpec(2, 3)))
    model.initialize(named_generator(1, "weights"))
    with torch.no_grad():
        for parameter in model.parameters():  # far from the prior, and images that differ
            parameter.mul_(2.0)
    return model.double(), config, torch.rand(4, 1, 2, 3, dtype=torch.float64)


@pytest.mark.parametrize("samples", [1, 4])
def test_the_gradient_agrees_with_finite_differences(samples: int) -> None:
    model, config, x = tiny(importance_samples=samples)
    (player,) = FAMILY.players(model, config)

    def loss() -> Tensor:
        return player.loss(Batch(x, None, torch.arange(4), torch.Generator().manual_seed(5)), config).loss

    agrees_with_finite_differences(loss, player.parameters)


def test_weights_are_those_of_torch_distributions() -> None:
    model, _, x = tiny(latent_dim=3)
    noise = torch.randn(7, 4, 3, dtype=torch.float64)
    q = model.encode(x)
    assert isinstance(q, Normal)
    z = q.loc + q.scale * noise
    log_joint = model.decode(z).log_prob(x) + model.prior().log_prob(z)
    weight = torch.exp(log_joint - q.log_prob(z).sum(-1))
    log_likelihood, log_weight = weighed(model, x, posterior(model, x), noise)
    torch.testing.assert_close(log_weight.exp(), weight, rtol=1e-5, atol=0)
    torch.testing.assert_close(log_likelihood, model.decode(z).log_prob(x))
    torch.testing.assert_close(log_mean(log_weight), weight.mean(0).log(), rtol=1e-5, atol=1e-6)


def test_the_bound_rises_from_the_elbo_to_the_evidence() -> None:
    """log p(x) by quadrature over the one number of z."""
    model, _, x = tiny(latent_dim=1)
    grid = torch.linspace(-9, 9, 20_001, dtype=torch.float64)[:, None, None]
    log_joint = model.decode(grid).log_prob(x) + Normal(0.0, 1.0).log_prob(grid).sum(-1)
    evidence = torch.logsumexp(log_joint, 0) + math.log(18 / 20_000)
    with torch.no_grad():
        noise = torch.randn(60_000, 4, 1, dtype=torch.float64)
        log_weight = weighed(model, x, posterior(model, x), noise)[1]
        terms, _ = elbo_terms(model, x, noise)
    elbo = terms["reconstruction"] - terms["kl"]
    # Of each image: the mean bound over many draws of k codes.
    bounds = [elbo, *(log_mean(log_weight.view(k, -1, 4)).mean(0) for k in (2, 10, 100)), evidence]
    for lower, higher in pairwise(bounds):
        assert (lower < higher + 2e-3).all()
    assert (elbo < evidence - 0.01).any(), "there is something to gain"
    torch.testing.assert_close(log_mean(log_weight), evidence, rtol=0, atol=0.02)


@pytest.mark.slow
def test_held_out_figures_are_the_bound_of_the_settings(digits: ImageDataset, small: Settings) -> None:
    """Of the same weights: at least the ELBO, and higher with more samples; the ELBO beside it is the VAE's own."""
    trainer = Trainer(digits, updated(small, family="iwae", epochs=8, learning_rate=0.01))
    loop.train(trainer, go_on=lambda: loop.FREELY, after_block=lambda: None)
    found = []
    for samples in (1, 5, 50):
        trainer.settings = updated(trainer.settings, importance_samples=samples)
        held_out = trainer.evaluate(record=False)
        assert held_out is not None
        found.append(held_out.values)
    one, five, fifty = (values["bound"] for values in found)
    assert one + 0.5 < five
    assert five + 0.5 < fifty
    assert found[2]["elbo"] + 0.5 < fifty
    x = torch.tensor(digits.held_out_images)[:, None] / 255
    with torch.no_grad():
        terms, _ = elbo_terms(trainer._model, x, torch.randn(50, 100, 2))
    elbo = (terms["reconstruction"] - terms["kl"]).mean().item()
    assert found[2]["elbo"] == pytest.approx(elbo, abs=0.5)
    assert protocol_text(trainer.settings) == "grey levels as Bernoulli probabilities"
