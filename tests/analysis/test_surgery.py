"""ELBO surgery: closed forms, Monte Carlo by torch.distributions, and its identity on models that were trained."""

from __future__ import annotations

import math
from collections.abc import Generator
from dataclasses import replace
from typing import Any, TypeVar

import numpy as np
import pytest
import torch
from torch.distributions import Categorical, Independent, MixtureSameFamily, Normal, kl_divergence

from vaeviewer.analysis.aggregate import Aggregate
from vaeviewer.analysis.plane_densities import plane_densities
from vaeviewer.analysis.surgery import HOLE, Surgery, surgery, why_not
from vaeviewer.analysis.whole_set import whole_set
from vaeviewer.backend.config import Settings, updated
from vaeviewer.backend.data.base import ImageDataset
from vaeviewer.backend.models import registry
from vaeviewer.backend.models.interface import DataSpec, ImageSpec
from vaeviewer.backend.models.latent_model import ask
from vaeviewer.backend.snapshot import PosteriorTable, Snapshot, snapshot_of
from vaeviewer.backend.training.trainer import Trainer

Answer = TypeVar("Answer")


def answer(steps: Generator[None, None, Answer]) -> Answer:
    while True:
        try:
            next(steps)
        except StopIteration as end:
            found: Answer = end.value
            return found


def model_with(loc: np.ndarray, scale: np.ndarray, family: str = "vae", **settings: Any) -> Snapshot:
    """A model that has these posteriors."""
    config = updated(Settings(), family=family, latent_dim=loc.shape[1], hidden=(16,), **settings).model
    data = DataSpec(ImageSpec(6, 5), 0, 10)
    model = registry.family(family).build(config, data)
    model.initialize(torch.Generator().manual_seed(1))
    weights = {name: tensor.detach().numpy() for name, tensor in model.state_dict().items()}
    log_variance = (2.0 * np.log(scale)).astype(np.float32)
    table = PosteriorTable(loc.astype(np.float32), log_variance, np.zeros(len(loc), np.int32))
    return replace(snapshot_of(config, data, weights), posterior=table)


def torch_mixture(loc: np.ndarray, scale: np.ndarray) -> MixtureSameFamily:
    parts = Independent(Normal(torch.tensor(loc), torch.tensor(scale)), 1)
    return MixtureSameFamily(Categorical(torch.ones(len(loc), dtype=torch.float64)), parts)


@pytest.mark.parametrize("latent_dim", [1, 2, 5])
def test_where_all_posteriors_are_the_prior_codes_say_nothing(latent_dim: int) -> None:
    found = answer(surgery(model_with(np.zeros((300, latent_dim)), np.ones((300, latent_dim)))))
    assert (found.images, found.ceiling) == (300, math.log(300))
    for term in (found.kl, found.information, found.marginal):
        assert abs(term) < 1e-5
    assert found.holes is None or found.holes < 1e-5
    assert found.exact == (latent_dim <= 2)


@pytest.mark.slow
@pytest.mark.parametrize("scale", [0.02, 0.004])
def test_codes_that_lie_well_apart_say_which_image_it_is(scale: float) -> None:
    along = np.linspace(-2.0, 2.0, 9)
    loc = np.stack(np.meshgrid(along, along), axis=-1).reshape(-1, 2)
    found = answer(surgery(model_with(loc, np.full(loc.shape, scale))))
    assert found.information == pytest.approx(math.log(81), abs=0.002)
    kl = kl_divergence(Normal(torch.tensor(loc), scale), Normal(0.0, 1.0)).sum(1).mean()
    assert found.kl == pytest.approx(float(kl), abs=1e-4)
    assert found.marginal == pytest.approx(float(kl) - math.log(81), abs=0.002)
    # Within r of each mean q is above a tenth of p; what p has there is its density times the area.
    p = torch.exp(Normal(0.0, 1.0).log_prob(torch.tensor(loc)).sum(1)).numpy()
    radius2 = -2.0 * scale**2 * np.log(HOLE * p * 81 * 2.0 * math.pi * scale**2)
    assert found.holes == pytest.approx(1.0 - float((p * math.pi * radius2).sum()), abs=0.002)


@pytest.mark.slow
def test_of_two_gaussians_the_terms_are_those_of_monte_carlo() -> None:
    loc, scale = np.array([[-0.6, 0.3], [1.1, -0.4]]), np.array([[0.5, 0.9], [0.3, 0.08]])
    found = answer(surgery(model_with(loc, scale)))
    torch.manual_seed(0)
    q, p = torch_mixture(loc, scale), Independent(Normal(torch.zeros(2), torch.ones(2)), 1)
    z = q.sample((400_000,))
    log_ratio = q.log_prob(z) - p.log_prob(z)
    close = 5.0 * float(log_ratio.std()) / math.sqrt(len(z))
    assert found.marginal == pytest.approx(float(log_ratio.mean()), abs=close)
    assert found.information == pytest.approx(found.kl - float(log_ratio.mean()), abs=close + 5 * found.error)
    z = torch.randn(400_000, 2, dtype=torch.float64)
    holes = (q.log_prob(z) < p.log_prob(z) + math.log(HOLE)).double().mean()
    assert found.holes == pytest.approx(float(holes), abs=0.003)
    assert abs(found.difference) < 5 * found.error < 0.02


@pytest.mark.slow
def test_narrow_and_wide_posteriors_lie_beside_each_other_exactly() -> None:
    rng = np.random.default_rng(0)
    loc = np.concatenate([rng.normal(size=(100, 2)), [[9.0, -11.0]]])
    scale = np.concatenate([np.exp(rng.uniform(np.log(0.005), np.log(0.5), (100, 2))), [[400.0, 400.0]]])
    mixture = Aggregate(loc, scale)
    tiles = [tile for tile in mixture.tiles(np.zeros((0, 2)), np.zeros((0, 2))) if tile is not None]
    assert sum(float((tile.density * tile.weights).sum()) for tile in tiles) == pytest.approx(1.0, abs=1e-6)
    reference = torch_mixture(loc, scale)
    for tile in tiles[:: len(tiles) // 40]:
        expected = reference.log_prob(torch.tensor(tile.nodes)).exp().numpy()
        np.testing.assert_allclose(tile.density.ravel(), expected, rtol=1e-3, atol=1e-9)
    found = answer(surgery(model_with(loc, scale)))
    assert found.exact
    assert abs(found.difference) < 0.02
    of_the_wide_one = kl_divergence(Normal(torch.tensor(loc[-1]), 400.0), Normal(0.0, 1.0)).sum()
    assert found.largest == pytest.approx(float(of_the_wide_one) / 101, rel=1e-4)


@pytest.mark.slow
def test_posteriors_too_narrow_for_quadrature_are_told_from_draws() -> None:
    rng = np.random.default_rng(0)
    loc = rng.normal(size=(20_000, 2))
    found = answer(surgery(model_with(loc, np.full(loc.shape, 1e-5))))
    assert not found.exact
    assert found.information == pytest.approx(math.log(20_000), abs=0.01)
    assert found.marginal == pytest.approx(found.kl - math.log(20_000), abs=0.01)


@pytest.mark.slow
@pytest.mark.parametrize("latent_dim", [1, 2])
def test_the_identity_holds_for_a_trained_model(
    digits: ImageDataset, small: Settings, latent_dim: int
) -> None:
    trainer = Trainer(digits, updated(small, latent_dim=latent_dim, learning_rate=0.003, engine="eager"))
    for _ in range(100):
        trainer.step()
    snapshot = trainer.snapshot()
    found = answer(surgery(snapshot))
    assert found.exact
    assert found.images == 600
    assert found.marginal > 1.0
    assert 0.3 < found.information < found.ceiling
    assert abs(found.difference) < 0.02
    *_, figures = whole_set(snapshot, digits.train_labels, None)
    assert figures is not None
    assert figures.terms == found
    assert figures.accuracy is not None
    assert 0.2 < figures.accuracy < 1.0


@pytest.mark.slow
def test_of_a_learned_prior_the_terms_are_those_of_its_density() -> None:
    rng = np.random.default_rng(0)
    loc, scale = rng.normal(scale=0.5, size=(400, 2)), np.full((400, 2), 0.3)
    snapshot = model_with(loc, scale, "vampprior", components=20)
    found = answer(surgery(snapshot))
    torch.manual_seed(0)
    q = torch_mixture(loc, scale)
    z = q.sample((10_000,))

    def log_prior(codes: torch.Tensor) -> torch.Tensor:
        return ask(
            snapshot.key, snapshot.tensors, lambda model: model.prior().log_prob(codes.float())
        ).double()

    log_ratio = q.log_prob(z) - log_prior(z)
    close = 5.0 * float(log_ratio.std()) / math.sqrt(len(z))
    assert found.marginal == pytest.approx(float(log_ratio.mean()), abs=close)
    assert abs(found.difference) < 0.02
    drawn = ask(snapshot.key, snapshot.tensors, lambda model: model.prior().sample((10_000,)))
    holes = (q.log_prob(drawn.double()) < log_prior(drawn) + math.log(HOLE)).double().mean()
    assert found.holes == pytest.approx(float(holes), abs=0.03)


def test_maps_hold_the_mass_of_both_densities_and_show_the_ratio() -> None:
    loc, scale = np.array([[-1.0, 2.0], [1.5, -0.5]]), np.array([[0.01, 0.02], [0.3, 0.2]])
    found = answer(plane_densities(model_with(loc, scale), None))
    assert found is not None
    x0, x1, y0, y1 = found.box
    rows, columns = found.q.shape
    cell = (x1 - x0) / columns * (y1 - y0) / rows
    assert float(found.q.sum()) * cell == pytest.approx(1.0, abs=1e-3), "however narrow"
    assert float(found.p.sum()) * cell == pytest.approx(1.0, abs=2e-3)
    column, row = (math.floor((at - low) / (high - low) * n) for at, low, high, n in (
        (-1.0, x0, x1, columns), (2.0, y0, y1, rows)))  # fmt: skip
    assert found.q.max() == found.q[row, column]
    assert found.log_ratio[row, column] > 1.0
    assert found.log_ratio[rows // 2, columns // 2] < -1.0, "a hole in the middle"
    of_three = answer(plane_densities(model_with(np.zeros((3, 3)), np.array([[1.0, 0.1, 0.2]] * 3)), (1, 2)))
    assert of_three is not None
    inside = of_three.q > 0.1 * of_three.q.max()
    assert inside.any(axis=0).sum() < inside.any(axis=1).sum(), "the second number of z lies across"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("family", "words"),
    [("autoencoder", "single code"), ("flow", "no Gaussian"), ("gan", "no encoder")],
)
def test_a_sentence_says_why_a_model_has_no_such_terms(family: str, words: str) -> None:
    snapshot = model_with(np.zeros((3, 2)), np.ones((3, 2)), family)
    if family == "autoencoder":
        table = PosteriorTable(np.zeros((3, 2), np.float32), None, np.zeros(3, np.int32))
        snapshot = replace(snapshot, posterior=table)
    assert words in why_not(snapshot)
    *_, figures = whole_set(snapshot, None, None)
    assert figures is not None
    assert words in figures.reason
    assert figures.terms is None
    assert isinstance(answer(surgery(model_with(np.zeros((3, 2)), np.ones((3, 2))))), Surgery)
