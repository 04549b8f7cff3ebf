"""Three players' gradients against finite differences, the discrepancy against its definition, and codes that fill
priors of any shape."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import pytest
import torch
from helpers_gradients import agrees_with_finite_differences
from torch.nn import functional

from vaeviewer.backend.config import Settings, updated
from vaeviewer.backend.data.base import ImageDataset
from vaeviewer.backend.models.families.adversarial import FAMILY, AdversarialConfig
from vaeviewer.backend.models.interface import Batch, DataSpec, ImageSpec
from vaeviewer.backend.models.networks.aae import KERNEL_SCALES, AdversarialAutoencoder, discrepancy
from vaeviewer.backend.training import loop
from vaeviewer.backend.training.randomness import named_generator
from vaeviewer.backend.training.trainer import Trainer
from vaeviewer.errors import SettingsError

SPEC = DataSpec(ImageSpec(4, 3), 3)

KINDS: list[Mapping[str, Any]] = [
    {},
    {"prior": "swiss-roll", "r1": 0.0},
    {"prior": "mixture", "labels": True},
    {"prior": "ring", "network": "conv", "conv_channels": 2, "dense": 6, "latent_dim": 3},
]


def made(config: AdversarialConfig, spec: DataSpec = SPEC) -> AdversarialAutoencoder:
    model = FAMILY.build(config, spec)
    assert isinstance(model, AdversarialAutoencoder)
    model.initialize(named_generator(1, "weights"))
    return model


def small_config(**changes: Any) -> AdversarialConfig:
    return AdversarialConfig(**{"hidden": (7, 5), **changes})


def some(n: int) -> Batch:
    torch.manual_seed(4)
    return Batch(torch.rand(n, 1, 4, 3), torch.arange(n) % 3, torch.arange(n), None)


@pytest.fixture
def float64() -> Iterator[None]:
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(torch.float32)


@pytest.mark.usefixtures("float64")
@pytest.mark.parametrize("kind", KINDS)
def test_gradients_of_all_players_agree_with_finite_differences(kind: Mapping[str, Any]) -> None:
    config = small_config(**kind)
    model = made(config)
    players = FAMILY.players(model, config)
    assert [player.name for player in players] == ["autoencoder", "discriminator", "encoder"]
    for player in players:

        def loss(player: Any = player) -> torch.Tensor:
            found: torch.Tensor = player.loss(some(4), config).loss
            return found

        agrees_with_finite_differences(loss, player.parameters)


def test_errors_and_losses_are_those_of_torch() -> None:
    config = small_config(prior="mixture", labels=True)
    model, batch = made(config), some(6)
    with torch.no_grad():
        torch.manual_seed(5)
        found = FAMILY.evaluate(model, batch, torch.empty(0), config)
        torch.manual_seed(5)
        code, drawn = model.encode(batch.x).mean, model.draw(6, batch.y)
        image = model.decode(code).mean
        real, judged = model.judge(drawn, batch.y)[:, 0], model.judge(code, batch.y)[:, 0]
    squares = functional.mse_loss(image, batch.x, reduction="none").sum((1, 2, 3))
    torch.testing.assert_close(found["squared_error"], squares)
    entropy = functional.binary_cross_entropy(image, batch.x, reduction="none").sum((1, 2, 3))
    torch.testing.assert_close(found["cross_entropy"], entropy)
    with_logits, one = functional.binary_cross_entropy_with_logits, torch.ones(6)
    torch.testing.assert_close(
        found["discriminator_loss"],
        with_logits(real, one, reduction="none") + with_logits(judged, 0 * one, reduction="none"),
    )
    torch.testing.assert_close(found["encoder_loss"], with_logits(judged, one, reduction="none"))


def test_the_discrepancy_is_its_definition() -> None:
    """The unbiased estimate of Gretton et al. 2012, equation 3, pair by pair."""
    rng = np.random.default_rng(0)
    a, b = rng.standard_normal((7, 2)), rng.standard_normal((7, 2)) + 1.0

    def kernel(u: np.ndarray, v: np.ndarray) -> float:
        square = float(((u - v) ** 2).sum())
        return float(np.mean([s * s / (s * s + square) for s in KERNEL_SCALES]))

    pairs = [(i, j) for i in range(7) for j in range(7) if i != j]
    expected = sum(
        kernel(a[i], a[j]) + kernel(b[i], b[j]) - kernel(a[i], b[j]) - kernel(a[j], b[i]) for i, j in pairs
    )
    found = discrepancy(torch.tensor(a), torch.tensor(b))
    assert found.mean().item() == pytest.approx(expected / 42)


def test_the_discrepancy_tells_a_shift_from_none_whatever_the_number_of_rows() -> None:
    torch.manual_seed(0)
    a, b = torch.randn(1500, 2), torch.randn(1500, 2)
    assert discrepancy(a, b).mean().abs() < 0.002
    assert discrepancy(a, b + 0.5).mean() > 0.02
    assert discrepancy(a[:1], b[:1]).tolist() == [0.0]


def test_the_picture_is_a_training_image(digits: ImageDataset, small: Settings) -> None:
    """The prior's mass per pixel is the ink's; it is part of the model's state."""
    settings = updated(small, family="adversarial", prior="picture", picture=5)
    weights = Trainer(digits, settings).snapshot().weights
    ink = digits.train_images[4].astype(np.float64).ravel()
    np.testing.assert_allclose(weights["shape.weights"], ink / ink.sum(), rtol=1e-5)
    brightest = weights["shape.loc"][ink == 255]
    rows, columns = np.divmod(np.flatnonzero(ink == 255), 28)
    for found, places in ((brightest[:, 0], columns), (-brightest[:, 1], rows)):
        assert np.corrcoef(found, places)[0, 1] == pytest.approx(1.0)


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"prior": "picture", "picture": 601}, "picture must be at most 600"),
        ({"prior": "picture", "picture": 2}, "picture: training image 2 is of one colour"),
    ],
)
def test_no_picture_is_refused_in_a_sentence(
    digits: ImageDataset, small: Settings, changes: Mapping[str, Any], sentence: str
) -> None:
    images = digits.train_images.copy()
    images[1] = 7
    digits = dataclasses.replace(digits, train_images=images)
    with pytest.raises(SettingsError, match=sentence):
        Trainer(digits, updated(small, family="adversarial", **changes))


@pytest.mark.slow
@pytest.mark.parametrize("prior", ["swiss-roll"])
def test_codes_follow_the_prior_more_than_a_gaussian_would(
    digits: ImageDataset, small: Settings, prior: str
) -> None:
    trainer = Trainer(digits, updated(small, family="adversarial", prior=prior, hidden=(64,), epochs=120))
    loop.train(trainer, go_on=lambda: loop.FREELY, after_block=lambda: None)
    model = trainer._model
    trainer.refresh_posterior()
    table = trainer.snapshot().posterior
    assert table is not None
    rng = np.random.default_rng(0)
    gaussian = rng.multivariate_normal(table.loc.mean(0), np.cov(table.loc.T), len(table.loc))
    torch.manual_seed(0)
    drawn = model.prior().sample(torch.Size((len(table.loc),)))
    of_codes, of_gaussian = (
        discrepancy(torch.tensor(points, dtype=torch.float32), drawn).mean().item()
        for points in (table.loc, gaussian)
    )
    assert of_codes < of_gaussian
