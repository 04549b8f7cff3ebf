"""The ELBO's terms against torch.distributions and closed forms, and the bound against importance sampling."""

from __future__ import annotations

import math
import sys

import pytest
import torch
from helpers_gradients import agrees_with_finite_differences
from torch import Tensor
from torch.distributions import Independent, Normal, kl_divergence

from vaeviewer.backend.config import Settings, updated
from vaeviewer.backend.data.base import ImageDataset
from vaeviewer.backend.models.families.vae import FAMILY, VaeConfig, elbo_terms
from vaeviewer.backend.models.interface import Batch, DataSpec, ImageSpec
from vaeviewer.backend.models.latent_model import LatentModel
from vaeviewer.backend.training import loop
from vaeviewer.backend.training.randomness import named_generator
from vaeviewer.backend.training.trainer import Trainer

IMAGE = ImageSpec(7, 7)
SMALL = VaeConfig(hidden=(20, 10))


@pytest.fixture
def model() -> LatentModel:
    model = FAMILY.build(SMALL, DataSpec(IMAGE))
    model.initialize(named_generator(0, "weights"))
    return model


def log_evidence_by_importance(model: LatentModel, x: Tensor, samples: int) -> Tensor:
    """log p(x) ≈ log mean_k p(x|z_k) p(z_k) / q(z_k|x), Burda et al. 2015, equation 8; written apart from the ELBO."""
    q = model.encode(x)
    assert isinstance(q, Normal)
    z = q.sample((samples,))
    log_joint = model.decode(z).log_prob(x) + Normal(0.0, 1.0).log_prob(z).sum(-1)
    return torch.logsumexp(log_joint - q.log_prob(z).sum(-1), 0) - math.log(samples)


@pytest.mark.parametrize("spread", [1e-3, 1.0, 8.0])
def test_the_kl_agrees_with_torch_distributions(model: LatentModel, spread: float) -> None:
    torch.manual_seed(0)
    x = spread * torch.randn(64, 1, 7, 7)
    terms, q = elbo_terms(model, x, torch.zeros(1, 64, 2))
    p = Independent(Normal(torch.zeros(2), torch.ones(2)), 1)
    torch.testing.assert_close(
        terms["kl"], kl_divergence(Independent(q, 1), p.expand((64,))), rtol=1e-4, atol=1e-5
    )
    assert terms["kl"].min() >= 0


def test_samples_of_the_posterior_have_its_moments(model: LatentModel) -> None:
    """Seen through a decoder of which the log-density is linear in z: its mean over samples is that at the mean."""
    torch.manual_seed(0)
    q = model.encode(torch.rand(1, 1, 7, 7))
    assert isinstance(q, Normal)
    z = q.loc + q.scale * torch.randn(200_000, 1, 2)
    torch.testing.assert_close(z.mean(0), q.loc, rtol=0, atol=0.02)
    torch.testing.assert_close(z.std(0), q.scale, rtol=0.02, atol=0)


@pytest.mark.slow
@pytest.mark.parametrize("trained", [False, True])
@pytest.mark.parametrize("likelihood", ["bernoulli", "gaussian"])
def test_the_elbo_is_a_lower_bound(
    digits: ImageDataset, small: Settings, trained: bool, likelihood: str
) -> None:
    torch.manual_seed(2)
    trainer = Trainer(digits, updated(small, likelihood=likelihood, epochs=20))
    if trained:
        loop.train(trainer, go_on=lambda: True, after_block=lambda: None)
    x = torch.tensor(digits.held_out_images).unsqueeze(1) / 255
    with torch.no_grad():
        terms, _ = elbo_terms(trainer._model, x, torch.randn(200, 100, 2))
        elbo = (terms["reconstruction"] - terms["kl"]).mean()
        evidence = log_evidence_by_importance(trainer._model, x, 500).mean()
    assert elbo <= evidence
    assert terms["kl"].min() >= 0


def test_terms_do_not_depend_on_the_rest_of_the_batch(model: LatentModel) -> None:
    x, noise = torch.rand(6, 1, 7, 7), torch.randn(4, 6, 2)
    whole, _ = elbo_terms(model, x, noise)
    part, _ = elbo_terms(model, x[2:3], noise[:, 2:3])
    for key, values in whole.items():
        torch.testing.assert_close(values[2:3], part[key])


def test_extreme_weights_give_no_nan(model: LatentModel) -> None:
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.fill_(1e3)
    terms, _ = elbo_terms(model, torch.ones(2, 1, 7, 7), torch.randn(1, 2, 2))
    for values in terms.values():
        assert torch.isfinite(values).all()


@pytest.mark.parametrize("more", [{}, {"warm_up": 100, "free_bits": 0.02}], ids=["plain", "warm"])
def test_the_gradient_agrees_with_finite_differences(more: dict[str, float]) -> None:
    torch.manual_seed(1)
    config = VaeConfig(hidden=(5,), activation="tanh", beta=0.7, samples=3, **more)
    model = FAMILY.build(config, DataSpec(ImageSpec(2, 3)))
    model.initialize(named_generator(1, "weights"))
    model.double()
    (player,) = FAMILY.players(model, config)
    x = torch.rand(4, 1, 2, 3, dtype=torch.float64)

    def loss() -> Tensor:
        noise = torch.Generator().manual_seed(5)
        return player.loss(Batch(x, None, torch.arange(4), noise, step=30), config).loss

    agrees_with_finite_differences(loss, player.parameters)


def test_beta_weighs_the_kl(model: LatentModel) -> None:
    x = torch.rand(6, 1, 7, 7)

    def loss(beta: float) -> tuple[float, float]:
        config = SMALL.model_copy(update={"beta": beta})
        (player,) = FAMILY.players(model, config)
        found = player.loss(Batch(x, None, torch.arange(6), torch.Generator().manual_seed(0)), config)
        return found.loss.item(), found.terms["kl"].item()

    (plain, kl), (heavy, _) = loss(1.0), loss(4.0)
    assert heavy - plain == pytest.approx(3 * kl, rel=1e-4)


def test_beta_warms_up_evenly(model: LatentModel) -> None:
    """Reconstruction alone at the start, half of β half-way, all of it from the end on."""
    x = torch.rand(6, 1, 7, 7)
    config = SMALL.model_copy(update={"beta": 4.0, "warm_up": 200})
    (player,) = FAMILY.players(model, config)
    losses = []
    for step in (0, 100, 200, 5000):
        batch = Batch(x, None, torch.arange(6), torch.Generator().manual_seed(0), step)
        found = player.loss(batch, config)
        losses.append(found.loss.item() + found.terms["reconstruction"].item())
    kl = found.terms["kl"].item()
    assert losses == pytest.approx([0.0, 2 * kl, 4 * kl, 4 * kl], rel=1e-3, abs=1e-3)


def test_bits_that_are_free_cost_and_gain_nothing(model: LatentModel) -> None:
    """Each number of z pays what it has, but λ at least; where it has less its gradient vanishes."""
    x = torch.rand(6, 1, 7, 7)
    each = kl_divergence(model.encode(x), Normal(0.0, 1.0)).mean(0)  # type: ignore[arg-type]
    between = each.mean().item()
    assert each.min() < between < each.max()

    def kl_paid(free: float) -> Tensor:
        config = SMALL.model_copy(update={"free_bits": free})
        (player,) = FAMILY.players(model, config)
        batch = Batch(x, None, torch.arange(6), torch.Generator().manual_seed(0))
        found = player.loss(batch, config)
        torch.testing.assert_close(found.terms["kl"], each.sum(), msg="the KL shown is the true one")
        return found.loss + found.terms["reconstruction"]

    assert kl_paid(between).item() == pytest.approx(each.max().item() + between, rel=1e-4)
    everything = kl_paid(each.max().item() + 1.0)
    assert everything.item() == pytest.approx(2 * (each.max().item() + 1.0), rel=1e-4)
    gradients = torch.autograd.grad(everything, [*model.parameters()], allow_unused=True)
    assert all(g is None or g.abs().max() < 1e-4 for g in gradients)


def test_a_warmed_up_beta_is_not_taken_for_an_explosion() -> None:
    terms = {"reconstruction": -200.0, "kl": 90.0}
    assert FAMILY.objective(VaeConfig(beta=50.0, warm_up=10), terms) == -290.0
    assert FAMILY.objective(VaeConfig(beta=50.0), terms) == -4700.0


def test_the_fused_step_leaves_them_to_the_eager_one(digits: ImageDataset, small: Settings) -> None:
    for more in ({"warm_up": 20}, {"free_bits": 0.1}):
        trainer = Trainer(digits, updated(small, **more))
        assert trainer.mode.endswith("eager")
        if sys.platform.startswith("linux"):
            assert "no free bits" in trainer.engine_reason


def test_bits_per_dimension_are_those_of_bytes() -> None:
    """Eight where each of 256 levels is as probable; and no such figure where pixels have a density or none."""
    image, nats = ImageSpec(4, 5, 3), {"elbo": -60 * math.log(256)}
    assert FAMILY.derived(VaeConfig(likelihood="logistic"), image, nats) == {
        "bits_per_dim": pytest.approx(8.0)
    }
    for other in ("bernoulli", "gaussian"):
        assert FAMILY.derived(VaeConfig(likelihood=other), image, nats) == {}
