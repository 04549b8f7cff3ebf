"""The denoising bound is one on log p(x), and without damage the ELBO."""

from __future__ import annotations

import math

import pytest
import torch
from helpers_gradients import agrees_with_finite_differences
from torch.distributions import Normal
from torch.nn.functional import softplus

from vaeviewer.backend.config import Settings, protocol_text, updated
from vaeviewer.backend.data.base import ImageDataset
from vaeviewer.backend.models.families.denoising_vae import FAMILY, DenoisingVaeConfig
from vaeviewer.backend.models.families.vae import elbo_terms
from vaeviewer.backend.models.interface import Batch, DataSpec, ImageSpec
from vaeviewer.backend.models.latent_model import LatentModel
from vaeviewer.backend.training import loop
from vaeviewer.backend.training.randomness import named_generator
from vaeviewer.backend.training.trainer import Trainer


def made(config: DenoisingVaeConfig) -> LatentModel:
    model = FAMILY.build(config, DataSpec(ImageSpec(4, 3)))
    model.initialize(named_generator(1, "weights"))
    return model


def batch_of(x: torch.Tensor) -> Batch:
    return Batch(x, None, torch.arange(len(x)), torch.Generator().manual_seed(5), step=3)


@pytest.mark.parametrize("noise", ["masking", "gaussian"])
def test_the_gradient_agrees_with_finite_differences(noise: str) -> None:
    torch.manual_seed(1)
    config = DenoisingVaeConfig(hidden=(5,), activation="tanh", beta=0.7, warm_up=4, noise=noise)  # type: ignore[arg-type]
    model = made(config).double()
    (player,) = FAMILY.players(model, config)
    x = torch.rand(4, 1, 4, 3, dtype=torch.float64)
    agrees_with_finite_differences(lambda: player.loss(batch_of(x), config).loss, player.parameters)


def test_without_damage_it_is_the_elbo() -> None:
    torch.manual_seed(2)
    config = DenoisingVaeConfig(hidden=(5,), noise_level=0.0)
    model, x, noise = made(config), torch.rand(6, 1, 4, 3), torch.randn(3, 6, 2)
    expected, _ = elbo_terms(model, x, noise)
    found = FAMILY.evaluate(model, batch_of(x), noise, config)
    for key, values in expected.items():
        torch.testing.assert_close(found[key], values)


@pytest.mark.slow
def test_it_is_a_lower_bound_and_its_codes_bear_damage(digits: ImageDataset, small: Settings) -> None:
    """log p(x) on a grid over z; codes drawn from q(z|x) of whole images would miss where p(z|x) has its mass."""
    torch.manual_seed(3)
    settings = updated(small, family="denoising-vae", noise_level=0.5, epochs=25)
    assert protocol_text(settings) == "grey levels as Bernoulli probabilities, 50 % of them blackened"
    trainer = Trainer(digits, settings)
    loop.train(trainer, go_on=lambda: loop.FREELY, after_block=lambda: None)
    plain = Trainer(digits, updated(small, family="vae", epochs=25, engine="eager"))
    loop.train(plain, go_on=lambda: loop.FREELY, after_block=lambda: None)
    x = torch.tensor(digits.held_out_images).unsqueeze(1) / 255
    with torch.no_grad():
        noise = torch.randn(50, 100, 2)
        damaged = x * (torch.rand(x.shape) > 0.5)

        def of_damaged(model: LatentModel) -> float:
            """E[log p(x|z)] with z from the damaged image."""
            q = model.encode(damaged)
            assert isinstance(q, Normal)
            return float(model.decode(q.loc + q.scale * noise).log_prob(x).mean())

        assert of_damaged(trainer._model) > of_damaged(plain._model) + 5.0
        terms = FAMILY.evaluate(trainer._model, batch_of(x), noise, settings.model)  # type: ignore[arg-type]
        side = torch.linspace(-6, 6, 300)
        z = torch.cartesian_prod(side, side)
        logits = torch.cat([trainer._model.decode(part).base_dist.logits for part in z.split(3_000)]).flatten(
            1
        )  # type: ignore[attr-defined]
        log_given_z = x.flatten(1) @ logits.T - softplus(logits).sum(1)
        evidence = (log_given_z + Normal(0.0, 1.0).log_prob(z).sum(-1)).logsumexp(1) + 2 * math.log(12 / 299)
    bound = terms["reconstruction"] - terms["kl"]
    assert bound.mean() < evidence.mean()
    assert (bound < evidence + 3.0).all(), "of each image, as far as fifty draws tell"
