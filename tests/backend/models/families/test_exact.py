"""Exact maximum likelihood: the evidence against quadrature, its gradient, and who learns what."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from helpers_gradients import agrees_with_finite_differences
from torch import Tensor

from vaeviewer.analysis.smoothness import smoothness
from vaeviewer.backend.config import Settings, updated
from vaeviewer.backend.data.base import ImageDataset
from vaeviewer.backend.models.families.exact import FAMILY, ExactConfig
from vaeviewer.backend.models.interface import Batch, DataSpec, ImageSpec, Player
from vaeviewer.backend.models.latent_model import Autoencoder
from vaeviewer.backend.models.networks.evidence import mixture_of, spread_codes
from vaeviewer.backend.training import loop
from vaeviewer.backend.training.randomness import named_generator
from vaeviewer.backend.training.trainer import Trainer
from vaeviewer.errors import SettingsError

LIKELIHOODS = pytest.mark.parametrize("likelihood", ["bernoulli", "gaussian"])


def tiny(**settings: object) -> tuple[Autoencoder, ExactConfig, Batch]:
    """A small model in float64 whose images depend on z, its settings, and five images."""
    torch.manual_seed(1)
    config = ExactConfig.model_validate(
        {"hidden": (6,), "activation": "tanh", "waves": 3, "codes": 64, **settings}
    )
    model = FAMILY.build(config, DataSpec(ImageSpec(3, 4)))
    assert isinstance(model, Autoencoder)
    model.initialize(named_generator(1, "weights"))
    with torch.no_grad():
        for parameter in model.decoder.parameters():
            parameter.mul_(2.0)
    x = torch.rand(5, 1, 3, 4, dtype=torch.float64)
    return model.double(), config, Batch(x, None, torch.arange(5), None)


@pytest.mark.slow
@LIKELIHOODS
@pytest.mark.parametrize("latent_dim", [1, 2])
def test_log_px_is_the_integral(likelihood: str, latent_dim: int) -> None:
    """By the trapezium rule over z, with torch's densities; for one number or two."""
    model, config, batch = tiny(likelihood=likelihood, latent_dim=latent_dim, codes=4096)
    side = torch.linspace(-7, 7, 401, dtype=torch.float64)
    z = torch.cartesian_prod(*[side] * latent_dim).view(-1, latent_dim)
    with torch.no_grad():
        log_joint = model.decode(z[:, None]).log_prob(batch.x) + model.prior().log_prob(z)[:, None]
        evidence = log_joint.logsumexp(0) + latent_dim * math.log(14 / 400)
        found = FAMILY.evaluate(model, batch, torch.zeros(1, 5, latent_dim).double(), config)["log_px"]
    torch.testing.assert_close(found, evidence, rtol=0, atol=2e-3)


@pytest.mark.parametrize("weight", [0.0, 40.0])
@LIKELIHOODS
def test_both_gradients_agree_with_finite_differences(likelihood: str, weight: float) -> None:
    model, config, batch = tiny(likelihood=likelihood, smoothness=weight)
    torch.set_default_dtype(torch.float64)
    try:
        for player in FAMILY.players(model, config):

            def loss(player: Player[ExactConfig] = player) -> Tensor:
                again = Batch(batch.x, None, batch.rows, torch.Generator().manual_seed(5))
                return player.loss(again, config).loss

            agrees_with_finite_differences(loss, player.parameters)
    finally:
        torch.set_default_dtype(torch.float32)


def test_posteriors_at_the_codes_are_bayes_rule() -> None:
    model, _, batch = tiny()
    z = spread_codes(50, torch.tensor([0.3, 0.8], dtype=torch.float64))
    with torch.no_grad():
        log_px, weights = mixture_of(model.decode(z)).infer(batch.x)
        likelihood = model.decode(z).log_prob(batch.x[:, None]).exp()
    torch.testing.assert_close(weights, likelihood / likelihood.sum(1, keepdim=True))
    torch.testing.assert_close(log_px, likelihood.mean(1).log())


def test_codes_are_spread_as_the_prior_is() -> None:
    """Each number's moments are those of N(0, 1), far closer than chance has them; and for any shift together."""
    for latent_dim in (1, 2):
        codes = spread_codes(1000, torch.rand(latent_dim))
        assert codes.shape == (1000, latent_dim)
        np.testing.assert_allclose(codes.mean(0), 0.0, atol=0.01)
        np.testing.assert_allclose(codes.var(0), 1.0, atol=0.02)
    assert abs(float(torch.corrcoef(codes.T)[0, 1])) < 0.02
    # Any one code, over shifts, follows the prior: so a mean over them is unbiased.
    first = torch.stack([spread_codes(16, shift)[5] for shift in torch.rand(4000, 2)])
    for number in first.T:
        assert float((number < -1.0).float().mean()) == pytest.approx(0.1587, abs=0.02)
        assert float((number < 0.5).float().mean()) == pytest.approx(0.6915, abs=0.025)


def test_its_two_players_share_out_what_is_learned() -> None:
    model, config, _ = tiny(likelihood="gaussian")
    generation, inference = FAMILY.players(model, config)
    names = {id(parameter): name.split(".")[0] for name, parameter in model.named_parameters()}
    assert {names[id(p)] for p in generation.parameters} == {"decoder", "likelihood"}
    assert {names[id(p)] for p in inference.parameters} == {"encoder"}
    assert len(generation.parameters) + len(inference.parameters) == len(names)


def test_more_than_two_numbers_are_refused() -> None:
    with pytest.raises(SettingsError, match=r"latent_dim must be at most 2, but is 3\."):
        updated(Settings(), family="exact", latent_dim=3)


@pytest.mark.slow
def test_it_passes_the_vae_whose_encoder_pays(digits: ImageDataset, small: Settings) -> None:
    """After the same epochs its log p(x) lies above a VAE's ELBO by far; asked to be smooth it is smoother."""
    found, rough = {}, {}
    plain = updated(small, hidden=(64, 32), epochs=8, learning_rate=5e-3, engine="eager")
    for name, settings in (
        ("vae", plain),
        ("exact", updated(plain, family="exact", codes=256)),
        ("smooth", updated(plain, family="exact", codes=256, smoothness=100.0)),
    ):
        trainer = Trainer(digits, settings)
        loop.train(trainer, go_on=lambda: loop.FREELY, after_block=lambda: None)
        assert trainer.held_out is not None
        found[name], rough[name] = trainer.held_out.values, smoothness(trainer.snapshot())
    exact = found["exact"]
    assert exact["log_px"] > found["vae"]["elbo"] + 4
    assert exact["gap"] == pytest.approx(exact["log_px"] - exact["elbo"])
    assert exact["gap"] > 0
    assert rough["smooth"] < 0.7 * rough["exact"]


def test_numpy_decodes_what_torch_does() -> None:
    """Sines and cosines of z included; and convolutions are left to torch."""
    assert FAMILY.numpy_form(ExactConfig()) is not None
    assert FAMILY.numpy_form(ExactConfig(network="conv")) is None
