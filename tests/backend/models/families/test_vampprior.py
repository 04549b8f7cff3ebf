"""The learned prior against torch.distributions, its gradient, and where it begins and goes."""

from __future__ import annotations

import math

import pytest
import torch
from helpers_gradients import agrees_with_finite_differences
from torch import Tensor
from torch.distributions import Independent, Normal

from vaeviewer.backend.config import Settings, updated
from vaeviewer.backend.data.base import ImageDataset
from vaeviewer.backend.models.families.vampprior import FAMILY, VampPriorConfig, elbo_terms
from vaeviewer.backend.models.interface import Batch, DataSpec, ImageSpec
from vaeviewer.backend.models.networks.mixture_prior import MixturePriorAutoencoder
from vaeviewer.backend.training import loop
from vaeviewer.backend.training.randomness import named_generator
from vaeviewer.backend.training.trainer import Trainer

PRIORS = pytest.mark.parametrize("prior", ["vampprior", "mixture"])


def tiny(prior: str, **settings: float) -> tuple[MixturePriorAutoencoder, VampPriorConfig, Tensor]:
    torch.manual_seed(1)
    config = VampPriorConfig(hidden=(6,), activation="tanh", learned_prior=prior, components=5, **settings)
    model = FAMILY.build(config, DataSpec(ImageSpec(2, 3)))
    assert isinstance(model, MixturePriorAutoencoder)
    model.initialize(named_generator(1, "weights"))
    return model.double(), config, torch.rand(4, 1, 2, 3, dtype=torch.float64)


@PRIORS
def test_the_gradient_agrees_with_finite_differences(prior: str) -> None:
    model, config, x = tiny(prior, beta=0.7)
    (player,) = FAMILY.players(model, config)

    def loss() -> Tensor:
        return player.loss(Batch(x, None, torch.arange(4), torch.Generator().manual_seed(5)), config).loss

    agrees_with_finite_differences(loss, player.parameters)


@PRIORS
def test_the_prior_is_the_mean_of_its_components(prior: str) -> None:
    model, _, _ = tiny(prior)
    z = torch.randn(9, 2, dtype=torch.float64)
    with torch.no_grad():
        if prior == "vampprior":
            parts = model.encode(model.pseudo_inputs())
        else:
            loc, log_variance = model.components.chunk(2, 1)
            parts = Normal(loc, (0.5 * log_variance).exp())
        assert isinstance(parts, Normal)
        each = [Independent(Normal(m, s), 1).log_prob(z) for m, s in zip(parts.loc, parts.scale, strict=True)]
        expected = torch.stack(each).exp().mean(0).log()
        torch.testing.assert_close(model.prior().log_prob(z), expected)
    assert model.prior().log_prob(torch.zeros(3, 4, 2).double()).shape == (3, 4)


@PRIORS
def test_the_kl_is_that_of_a_grid(prior: str) -> None:
    model, _, x = tiny(prior)
    side = torch.linspace(-8, 8, 500, dtype=torch.float64)
    grid, cell = torch.cartesian_prod(side, side)[:, None], (16 / 499) ** 2
    with torch.no_grad():
        log_q = Independent(model.encode(x), 1).log_prob(grid)  # type: ignore[arg-type]
        log_p = model.prior().log_prob(grid)
        assert float(log_p.exp().sum()) * cell == pytest.approx(1.0, abs=0.01)
        kl = (log_q.exp() * (log_q - log_p)).sum(0) * cell
        terms, _ = elbo_terms(model, x, torch.randn(40_000, 4, 2, dtype=torch.float64))
    torch.testing.assert_close(terms["kl"], kl, rtol=0.02, atol=0.01)


def test_pseudo_inputs_begin_as_training_images(digits: ImageDataset, small: Settings) -> None:
    trainer = Trainer(digits, updated(small, family="vampprior", components=20))
    model = trainer._model
    assert isinstance(model, MixturePriorAutoencoder)
    images = torch.tensor(digits.train_images)[:, None] / 255
    with torch.no_grad():
        apart = torch.cdist(model.pseudo_inputs().flatten(1), images.flatten(1), p=math.inf)
    nearest, rows = apart.min(1)
    assert nearest.max() < 0.021
    assert len(set(rows.tolist())) == 20
    again = Trainer(digits, updated(small, family="vampprior", components=20))
    assert torch.equal(model.components, again._model.components)  # type: ignore[arg-type]
    few = Trainer(digits, updated(small, family="vampprior", components=700))
    assert few._model.components.shape[0] == 700, "more than there are images"  # type: ignore[union-attr]


@pytest.mark.slow
@PRIORS
def test_the_prior_goes_to_where_the_codes_are(digits: ImageDataset, small: Settings, prior: str) -> None:
    chosen = updated(
        small, family="vampprior", learned_prior=prior, components=20, epochs=20, learning_rate=0.01
    )
    trainer = Trainer(digits, chosen)
    before = trainer.evaluate()
    loop.train(trainer, go_on=lambda: loop.FREELY, after_block=lambda: None)
    assert before is not None
    assert trainer.held_out is not None
    assert trainer.held_out.values["elbo"] > before.values["elbo"] + 100
    model, x = trainer._model.eval(), torch.tensor(digits.held_out_images)[:, None] / 255
    with torch.no_grad():
        z = model.encode(x).mean  # type: ignore[union-attr]
        learned = model.prior().log_prob(z).mean()
        normal = Independent(Normal(torch.zeros(2), torch.ones(2)), 1).log_prob(z).mean()
    assert learned > normal, "it tells more of the codes than N(0, I)"
