"""The contractive penalty against a full Jacobian and a closed form, and what it does to codes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest
import torch
from helpers_gradients import agrees_with_finite_differences

from vaeviewer.backend.config import Settings, parse_settings, updated
from vaeviewer.backend.data.base import ImageDataset
from vaeviewer.backend.models.families.contractive import FAMILY, ContractiveConfig, contraction
from vaeviewer.backend.models.interface import Batch, DataSpec, ImageSpec
from vaeviewer.backend.models.networks.point_autoencoder import PointAutoencoder
from vaeviewer.backend.training import loop
from vaeviewer.backend.training.randomness import named_generator
from vaeviewer.backend.training.trainer import Trainer
from vaeviewer.errors import SettingsError

KINDS: list[Mapping[str, Any]] = [
    {"hidden": (9, 7, 5), "latent_dim": 3},
    {"hidden": (9, 7), "activation": "tanh", "tied": True, "error": "cross-entropy"},
    {"hidden": (), "activation": "sigmoid", "latent_dim": 5},
    {"network": "conv", "conv_channels": 2, "dense": 6, "normalisation": "group", "residual_blocks": 1},
]


def made(config: ContractiveConfig) -> PointAutoencoder:
    model = FAMILY.build(config, DataSpec(ImageSpec(6, 5)))
    assert isinstance(model, PointAutoencoder)
    model.initialize(named_generator(1, "weights"))
    return model.double()


@pytest.mark.parametrize("kind", KINDS)
def test_the_penalty_is_that_of_the_full_jacobian(kind: Mapping[str, Any]) -> None:
    torch.manual_seed(1)
    config = ContractiveConfig().model_copy(update=kind)
    model = made(config)
    batch = Batch(torch.rand(4, 1, 6, 5, dtype=torch.float64), None, torch.arange(4), None)
    with torch.no_grad():
        found = FAMILY.evaluate(model, batch, torch.empty(0), config)["contraction"]
    for image, penalty in zip(batch.x, found, strict=True):
        jacobian = torch.autograd.functional.jacobian(lambda x: model.code_of(x[None])[0], image)
        torch.testing.assert_close(penalty, jacobian.square().sum())


@pytest.mark.parametrize("kind", KINDS)
def test_gradients_agree_with_finite_differences(kind: Mapping[str, Any]) -> None:
    torch.manual_seed(2)
    config = ContractiveConfig(weight=0.7).model_copy(update=kind)
    model = made(config)
    (player,) = FAMILY.players(model, config)
    batch = Batch(torch.rand(4, 1, 6, 5, dtype=torch.float64), None, torch.arange(4), None)
    agrees_with_finite_differences(lambda: player.loss(batch, config).loss, player.parameters)


def test_one_logistic_layer_has_the_closed_form() -> None:
    """Σ_j (h_j (1 − h_j))² Σ_i W_ji²: Rifai et al. 2011, section 4."""
    torch.manual_seed(3)
    weight, bias, x = torch.randn(8, 12), torch.randn(8), torch.rand(5, 12)
    h, penalty = contraction(lambda x: torch.sigmoid(x @ weight.T + bias), x)
    closed = ((h * (1 - h)).square() * weight.square().sum(1)).sum(1)
    torch.testing.assert_close(penalty, closed)


def test_the_batch_is_not_normalised_over() -> None:
    """An image's code would depend on the others, and its derivatives would be no Jacobian."""
    with pytest.raises(SettingsError, match="normalisation must be one of none, group"):
        parse_settings({"model": {"family": "contractive", "normalisation": "batch"}})


@pytest.mark.slow
def test_codes_move_less_beside_how_far_they_lie_apart(digits: ImageDataset, small: Settings) -> None:
    found = []
    for weight in (0.0, 1.0):
        settings = updated(small, family="contractive", weight=weight, hidden=(64, 32), epochs=25)
        trainer = Trainer(digits, settings)
        loop.train(trainer, go_on=lambda: loop.FREELY, after_block=lambda: None)
        assert isinstance(trainer._model, PointAutoencoder)
        x = torch.tensor(digits.train_images)[:, None] / 255
        codes, squares = contraction(trainer._model.code_of, x)
        apart = codes.detach().var(0).sum().sqrt()
        found.append(float(squares.detach().sqrt().median() / apart))
    assert found[1] < 0.8 * found[0]
    assert np.isfinite(found).all()
