"""Both players' gradients against finite differences, the information against torch's distributions, and codes that
are told from images."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import pytest
import torch
from helpers_gradients import agrees_with_finite_differences
from torch.distributions import Categorical, Normal

from vaeviewer.backend.config import Settings, updated
from vaeviewer.backend.data.base import ImageDataset
from vaeviewer.backend.models.families.infogan import FAMILY, InfoGanConfig
from vaeviewer.backend.models.interface import Batch, DataSpec, ImageSpec
from vaeviewer.backend.models.networks.infogan import InfoGanNetworks
from vaeviewer.backend.snapshot import NumpySnapshot, TorchSnapshot, snapshot_of
from vaeviewer.backend.training import loop
from vaeviewer.backend.training.randomness import named_generator
from vaeviewer.backend.training.trainer import Trainer

SPEC = DataSpec(ImageSpec(4, 3))

KINDS: list[Mapping[str, Any]] = [
    {},
    {"latent_dim": 5, "codes": 3, "r1": 0.0},
    {"network": "conv", "conv_channels": 2, "dense": 6, "codes": 9},
]


def made(config: InfoGanConfig, spec: DataSpec = SPEC) -> InfoGanNetworks:
    model = FAMILY.build(config, spec)
    assert isinstance(model, InfoGanNetworks)
    model.initialize(named_generator(1, "weights"))
    return model


def small_config(**changes: Any) -> InfoGanConfig:
    return InfoGanConfig(**{"hidden": (7, 5), "categories": 4, **changes})


@pytest.fixture
def float64() -> Iterator[None]:
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(torch.float32)


@pytest.mark.usefixtures("float64")
@pytest.mark.parametrize("kind", KINDS)
def test_gradients_of_both_players_agree_with_finite_differences(kind: Mapping[str, Any]) -> None:
    config = small_config(**kind)
    model = made(config)
    x = torch.rand(4, 1, 4, 3)
    for player in FAMILY.players(model, config):

        def loss(player: Any = player) -> torch.Tensor:
            batch = Batch(x, None, torch.arange(4), named_generator(2, "noise"))
            found: torch.Tensor = player.loss(batch, config).loss
            return found

        agrees_with_finite_differences(loss, player.parameters)


def test_the_information_is_a_log_density_and_an_entropy() -> None:
    torch.manual_seed(0)
    config = small_config(latent_dim=5, codes=3)
    model = made(config)
    z, y = torch.randn(8, 5), torch.arange(8) % 4
    seen = torch.randn(8, 1 + 4 + 6)
    found = model.information(seen, z, y)
    category = Categorical(logits=seen[:, 1:5]).log_prob(y) + Categorical(torch.ones(4)).entropy()
    torch.testing.assert_close(found["category_information"], category)
    q = Normal(seen[:, 5:8], (0.5 * seen[:, 8:]).exp())
    code = (q.log_prob(z[:, :3]) + Normal(torch.zeros(3), 1.0).entropy()).sum(1)
    torch.testing.assert_close(found["code_information"], code)


@pytest.mark.parametrize("kind", KINDS)
def test_a_category_is_drawn_alike_by_numpy_and_torch(kind: Mapping[str, Any]) -> None:
    config, spec = small_config(**kind), DataSpec(ImageSpec(5, 4, 3))
    weights = {name: tensor.numpy() for name, tensor in made(config, spec).state_dict().items()}
    snapshot = snapshot_of(config, spec, weights)
    assert isinstance(snapshot, NumpySnapshot) == (config.network == "mlp")
    torchs = TorchSnapshot(0, 0.0, config, spec, weights)
    z = np.random.default_rng(0).standard_normal((6, config.latent_dim)).astype(np.float32)
    images = snapshot.decode(z, 2)
    np.testing.assert_allclose(images, torchs.decode(z, np.full(6, 2)), rtol=1e-4, atol=1e-5)
    assert np.abs(images - snapshot.decode(z, 3)).max() > 1e-3
    assert snapshot.encode(np.zeros((2, 5, 4, 3), np.float32)) is None
    assert list(FAMILY.class_names(config, ())) == ["1", "2", "3", "4"]


@pytest.mark.slow
def test_category_and_codes_are_told_from_images(digits: ImageDataset, small: Settings) -> None:
    trainer = Trainer(digits, updated(small, family="infogan", hidden=(128, 64), epochs=60))
    loop.train(trainer, go_on=lambda: loop.FREELY, after_block=lambda: None)
    model = trainer._model.eval()
    assert isinstance(model, InfoGanNetworks)
    torch.manual_seed(0)
    z, y = torch.randn(1000, 2), torch.arange(1000) % 10
    with torch.no_grad():
        logits, loc, _ = model.guesses(model.discriminator(model.decode(z, y).mean))
    assert (logits.argmax(1) == y).float().mean() > 0.8
    assert (1.0 - (z - loc).square().mean(0) / z.var(0) > 0.6).all()
    assert trainer.held_out is not None
    assert trainer.held_out.values["category_information"] > 0.7 * math.log(10)
