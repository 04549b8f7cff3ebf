"""Mean-field inference: its gradients, its search against a long optimisation by other means, and who keeps what."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import same_arrays
from run_folders import save
from torch import Tensor
from torch.distributions import Normal, kl_divergence

from vaeviewer.backend.config import Settings, updated
from vaeviewer.backend.data.base import ImageDataset
from vaeviewer.backend.models.families.mean_field import FAMILY, MeanFieldConfig
from vaeviewer.backend.models.interface import Batch, DataSpec, ImageSpec
from vaeviewer.backend.models.networks.mean_field import MeanField, spread
from vaeviewer.backend.runs import restore
from vaeviewer.backend.runs.folder import load_run
from vaeviewer.backend.training import loop
from vaeviewer.backend.training.evaluation import metrics_by_image
from vaeviewer.backend.training.randomness import named_generator
from vaeviewer.backend.training.trainer import Trainer
from vaeviewer.errors import DataError

TINY = MeanFieldConfig(hidden=(6,), activation="tanh", likelihood="gaussian")


def built(config: MeanFieldConfig, images: int = 0) -> MeanField:
    """In float64, every image with a place of its own."""
    model = FAMILY.build(config, DataSpec(ImageSpec(3, 4), 0, images))
    assert isinstance(model, MeanField)
    generator = named_generator(1, "weights")
    model.initialize(generator)
    model.double()
    model.loc.copy_(torch.randn(images, config.latent_dim, generator=generator))
    model.log_variance.copy_(torch.randn(images, config.latent_dim, generator=generator) - 2.0)
    return model


@pytest.fixture(scope="module")
def trained(digits: ImageDataset) -> Trainer:
    settings = updated(
        Settings(),
        family="mean-field",
        hidden=(64,),
        epochs=30,
        batch_size=50,
        threads=1,
        device="cpu",
        seed=7,
    )
    trainer = Trainer(digits, settings)
    loop.train(trainer, go_on=lambda: loop.FREELY, after_block=lambda: None)
    return trainer


def free(trainer: Trainer) -> MeanField:
    model = trainer._model
    assert isinstance(model, MeanField)
    return model


@pytest.mark.parametrize("number", [0, 1])
def test_gradients_against_finite_differences(number: int) -> None:
    config = TINY.model_copy(update={"local_rate": 1e-300})  # images stand still
    model = built(config, 5)
    player = FAMILY.players(model, config)[number]
    x, rows = torch.rand(4, 1, 3, 4, dtype=torch.float64), torch.tensor([4, 0, 2, 3])
    torch.set_default_dtype(torch.float64)
    try:

        def loss() -> Tensor:
            return player.loss(Batch(x, None, rows, torch.Generator().manual_seed(0)), config).loss

        gradients = torch.autograd.grad(loss(), list(player.parameters))
        with torch.no_grad():
            for parameter, gradient in zip(player.parameters, gradients, strict=True):
                direction = torch.randn_like(parameter)
                parameter.add_(direction, alpha=1e-5)
                above = loss()
                parameter.add_(direction, alpha=-2e-5)
                below = loss()
                parameter.add_(direction, alpha=1e-5)
                slope = float((above - below) / 2e-5)
                assert slope == pytest.approx(float((gradient * direction).sum()), rel=1e-5, abs=1e-8)
    finally:
        torch.set_default_dtype(torch.float32)


def test_its_two_players_share_out_what_is_learned() -> None:
    model = built(TINY, 3)
    generation, inference = FAMILY.players(model, TINY)
    names = {id(parameter): name for name, parameter in model.named_parameters()}
    assert {names[id(p)].split(".")[0] for p in generation.parameters} == {"decoder", "likelihood"}
    assert {names[id(p)].split(".")[0] for p in inference.parameters} == {"encoder"}
    assert len(generation.parameters) + len(inference.parameters) == len(names)


def test_a_step_is_along_the_natural_gradient() -> None:
    """The Fisher information about loc and log σ², by drawing from q, turns the plain gradient into the step."""
    model = built(TINY)
    x = torch.rand(2, 1, 3, 4, dtype=torch.float64)
    loc = torch.randn(2, 2, dtype=torch.float64, requires_grad=True)
    log_variance = torch.full((2, 2), -4.0, dtype=torch.float64, requires_grad=True)
    noise = torch.randn(40, 1, 2, dtype=torch.float64)
    q = Normal(loc, (0.5 * log_variance).exp())
    terms = model.elbo_terms(x, q, torch.cat([noise, -noise]))
    plain = torch.autograd.grad((terms["reconstruction"] - terms["kl"]).sum(), (loc, log_variance))
    draws = q.sample(torch.Size([200_000]))
    about_loc = ((draws - loc) / q.scale**2).square().mean(0)
    about_width = (0.5 * (((draws - loc) / q.scale) ** 2 - 1)).square().mean(0)
    rate = 1e-3
    better = model.step(x, q, noise, rate)
    torch.testing.assert_close((better.loc - loc) / rate, plain[0] / about_loc, rtol=0.03, atol=0)
    wider = (2 * better.scale.log() - log_variance) / rate
    torch.testing.assert_close(wider, plain[1] / about_width, rtol=0.03, atol=0)


def test_the_terms_are_torchs() -> None:
    model = built(TINY)
    x, noise = torch.rand(3, 1, 3, 4, dtype=torch.float64), torch.randn(5, 3, 2, dtype=torch.float64)
    q = Normal(torch.randn(3, 2, dtype=torch.float64), torch.rand(3, 2, dtype=torch.float64) + 0.1)
    terms = model.elbo_terms(x, q, noise)
    prior = Normal(torch.zeros(2).double(), torch.ones(2).double())
    torch.testing.assert_close(terms["kl"], kl_divergence(q, prior).sum(1))
    drawn = torch.stack([model.decode(q.loc + q.scale * e).log_prob(x) for e in noise])
    torch.testing.assert_close(terms["reconstruction"], drawn.mean(0))


@pytest.mark.slow
def test_a_search_finds_what_a_long_optimisation_finds(trained: Trainer, digits: ImageDataset) -> None:
    """Adam on loc and log σ² of each image, of many draws, from where the search began and from where it ended."""
    model = free(trained).eval()
    x = torch.tensor(digits.held_out_images[:10, None]) / 255
    model._steps = 60
    q = model.search(x)
    noise = torch.randn(64, 1, 2, generator=torch.Generator().manual_seed(4))
    loc, log_variance = q.loc.clone().requires_grad_(), (2 * q.scale.log()).requires_grad_()
    optimizer = torch.optim.Adam([loc, log_variance], 0.01)
    for _ in range(150):
        optimizer.zero_grad()
        elbo = elbo_of(model, x, Normal(loc, (0.5 * log_variance).exp()), noise)
        (-elbo.sum()).backward()
        optimizer.step()
    fresh = torch.randn(256, 1, 2, generator=torch.Generator().manual_seed(5))
    with torch.no_grad():
        longer = elbo_of(model, x, Normal(loc, (0.5 * log_variance).exp()), fresh)
        assert float((longer - elbo_of(model, x, q, fresh)).mean()) < 0.1


@pytest.mark.parametrize("latent_dim", [1, 2, 20])
def test_what_judges_a_search_is_spread_as_a_normal(latent_dim: int) -> None:
    draws = spread(1024, latent_dim)[:, 0]
    torch.testing.assert_close(draws.mean(0), torch.zeros(latent_dim), atol=0.01, rtol=0)
    torch.testing.assert_close(
        torch.cov(draws.T).reshape(latent_dim, -1), torch.eye(latent_dim), atol=0.1, rtol=0
    )
    assert torch.equal(draws, spread(1024, latent_dim)[:, 0])


def elbo_of(model: MeanField, x: Tensor, q: Normal, noise: Tensor) -> Tensor:
    terms = model.elbo_terms(x, q, noise)
    return terms["reconstruction"] - terms["kl"]


@pytest.mark.slow
def test_an_optimum_of_its_own_is_no_worse_than_the_networks(trained: Trainer, digits: ImageDataset) -> None:
    model = free(trained).eval()
    model._steps = 60
    x = torch.tensor(digits.held_out_images[:, None]) / 255
    noise = torch.randn(256, 1, 2, generator=torch.Generator().manual_seed(5))
    with torch.no_grad():
        ahead = elbo_of(model, x, model.search(x), noise) - elbo_of(model, x, model.by_network(x), noise)
    assert float(ahead.min()) > -0.3
    assert float((ahead >= 0).float().mean()) > 0.95
    assert float(ahead.mean()) > 1.0


@pytest.mark.slow
def test_it_learns_and_says_what_amortizing_costs(trained: Trainer, digits: ImageDataset) -> None:
    before = Trainer(digits, trained.initial_settings).evaluate()
    after = trained.held_out
    assert before is not None
    assert after is not None
    assert after.values["elbo"] > before.values["elbo"] + 30
    assert after.values["amortized"] > before.values["amortized"] + 30
    assert after.values["gap"] == pytest.approx(after.values["elbo"] - after.values["amortized"])


@pytest.mark.slow
def test_where_an_image_lies_depends_on_that_image_alone(trained: Trainer, digits: ImageDataset) -> None:
    snapshot = trained.snapshot()
    images = digits.held_out_images[:9]
    found, again = snapshot.encode(images), snapshot.encode(images[::-1])
    alone = snapshot.encode(images[4:5])
    assert found is not None
    assert again is not None
    assert alone is not None
    np.testing.assert_allclose(again[0][::-1], found[0], atol=1e-3)
    np.testing.assert_allclose(alone[0][0], found[0][4], atol=1e-3)
    repeated = snapshot.encode(images)
    assert repeated is not None
    np.testing.assert_array_equal(repeated[0], found[0])


def test_the_plane_shows_what_each_image_keeps(
    trained: Trainer, digits: ImageDataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    def nobody(*_: object) -> Normal:
        raise AssertionError("nothing is searched for")

    monkeypatch.setattr(MeanField, "search", nobody)
    trained.refresh_posterior()
    snapshot = trained.snapshot()
    assert snapshot.posterior is not None
    np.testing.assert_array_equal(snapshot.posterior.loc, snapshot.weights["loc"])
    assert snapshot.posterior.log_variance is not None
    np.testing.assert_allclose(snapshot.posterior.log_variance, snapshot.weights["log_variance"], atol=1e-5)
    trained.keep_good_state()
    values = [found for _, found in metrics_by_image(snapshot, digits, 100)]
    assert sum(len(found["elbo"]) for found in values) == 600


@pytest.mark.slow
@pytest.mark.parametrize("latent_dim", [2, 3])
def test_images_start_at_their_principal_components(
    digits: ImageDataset, small: Settings, latent_dim: int
) -> None:
    trainer = Trainer(digits, updated(small, family="mean-field", latent_dim=latent_dim))
    places = trainer.snapshot().weights["loc"]
    x = digits.train_images.reshape(600, -1) / 255
    left, _, _ = np.linalg.svd(x - x.mean(0), full_matrices=False)
    codes = left[:, :latent_dim] * math.sqrt(600)
    np.testing.assert_allclose(np.abs(places), np.abs(codes), atol=1e-3)
    anywhere = Trainer(digits, updated(small, family="mean-field", start="random")).snapshot().weights["loc"]
    assert np.std(anywhere) == pytest.approx(1.0, abs=0.1)
    assert np.abs(np.corrcoef(anywhere[:, 0], codes[:, 0])[0, 1]) < 0.2


def test_it_goes_on_with_its_own_images_alone(
    trained: Trainer, digits: ImageDataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(restore, "load_source", lambda *_: digits)
    save(trained, tmp_path)
    opened = restore.open_run(tmp_path)
    assert same_arrays(opened.snapshot().weights, trained.snapshot().weights)
    fewer = replace(
        digits, train_images=digits.train_images[:90].copy(), train_labels=digits.train_labels[:90]
    )
    for change in (
        lambda: restore.moved_to(trained, fewer),
        lambda: restore.trainer_of(load_run(tmp_path), fewer),
    ):
        with pytest.raises(DataError, match="place of its own for each image"):
            change()
