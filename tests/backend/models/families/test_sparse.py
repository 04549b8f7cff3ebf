"""The penalties of the sparse autoencoder against torch.distributions, and what they do to codes."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from helpers_gradients import agrees_with_finite_differences
from torch.distributions import Bernoulli, kl_divergence

from vaeviewer.backend.config import Settings, updated
from vaeviewer.backend.data.base import ImageDataset
from vaeviewer.backend.models.families.sparse import FAMILY, SparseConfig, divergence
from vaeviewer.backend.models.interface import Batch, DataSpec, ImageSpec
from vaeviewer.backend.models.latent_model import LatentModel
from vaeviewer.backend.snapshot import NumpySnapshot
from vaeviewer.backend.training import loop
from vaeviewer.backend.training.randomness import named_generator
from vaeviewer.backend.training.trainer import Trainer

SMALL = SparseConfig(latent_dim=6, hidden=(7,))


def made(config: SparseConfig) -> LatentModel:
    model = FAMILY.build(config, DataSpec(ImageSpec(3, 4)))
    model.initialize(named_generator(1, "weights"))
    return model


def test_the_divergence_is_that_between_bernoulli_variables() -> None:
    torch.manual_seed(0)
    code = torch.rand(50, 6)
    expected = kl_divergence(Bernoulli(torch.full((6,), 0.2)), Bernoulli(code.mean(0))).sum()
    torch.testing.assert_close(divergence(code, 0.2), expected)
    assert torch.isfinite(divergence(torch.zeros(5, 6), 0.2)), "units that are never on"


@pytest.mark.parametrize("changes", [{}, {"penalty": "l1", "weight": 0.5}, {"error": "cross-entropy"}])
def test_gradients_agree_with_finite_differences(changes: dict[str, Any]) -> None:
    torch.manual_seed(1)
    config = SMALL.model_copy(update=changes)
    model = made(config).double()
    (player,) = FAMILY.players(model, config)
    batch = Batch(torch.rand(9, 1, 3, 4, dtype=torch.float64), None, torch.arange(9), None)
    agrees_with_finite_differences(lambda: player.loss(batch, config).loss, player.parameters)


def test_a_code_starts_at_its_target() -> None:
    config = SMALL.model_copy(update={"target": 0.05, "latent_dim": 200})
    with torch.no_grad():
        code = made(config).encode(torch.zeros(1, 1, 3, 4))
    assert code is not None
    assert 0.02 < code.mean.median() < 0.12


@pytest.mark.slow
def test_training_brings_the_activation_to_its_target(digits: ImageDataset, small: Settings) -> None:
    settings = updated(small, family="sparse", target=0.3, latent_dim=24, hidden=(), epochs=40)
    trainer = Trainer(digits, updated(settings, learning_rate=0.01))
    before = trainer.evaluate()
    loop.train(trainer, go_on=lambda: loop.FREELY, after_block=lambda: None)
    snapshot, found = trainer.snapshot(), trainer.held_out
    assert before is not None
    assert found is not None
    assert found.values["activation"] == pytest.approx(0.3, rel=0.2)
    assert found.values["squared_error"] < 0.6 * before.values["squared_error"]
    assert isinstance(snapshot, NumpySnapshot)
    codes = snapshot.encode(digits.held_out_images)
    assert codes is not None
    # As NumPy has them: all the same numbers.
    assert float((codes[0] > 0.5).mean()) == pytest.approx(found.values["active"], abs=1e-3)
    assert float(codes[0].mean()) == pytest.approx(found.values["activation"], rel=1e-3)


@pytest.mark.slow
def test_a_heavier_l1_penalty_leaves_fewer_on(digits: ImageDataset, small: Settings) -> None:
    shares = []
    for weight in (0.0, 1.0):
        settings = updated(small, family="sparse", penalty="l1", weight=weight, latent_dim=24, epochs=15)
        trainer = Trainer(digits, updated(settings, hidden=()))
        loop.train(trainer, go_on=lambda: loop.FREELY, after_block=lambda: None)
        codes = trainer.snapshot().encode(digits.train_images)
        assert codes is not None
        assert codes[0].min() >= 0
        shares.append(np.mean(codes[0] > 0))
    assert shares[1] < 0.7 * shares[0]
