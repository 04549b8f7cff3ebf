"""The game's losses against torch's own, their gradients against finite differences, and what keeps it in balance."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import pytest
import torch
from helpers_gradients import agrees_with_finite_differences
from torch import nn
from torch.nn import functional

from vaeviewer.backend.config import Settings, updated
from vaeviewer.backend.data.base import ImageDataset
from vaeviewer.backend.models.families.gan import FAMILY, GanConfig
from vaeviewer.backend.models.interface import Batch, DataSpec, ImageSpec
from vaeviewer.backend.models.networks.average import as_buffers, follow
from vaeviewer.backend.models.networks.gan import GanNetworks
from vaeviewer.backend.snapshot import NumpySnapshot, TorchSnapshot, snapshot_of
from vaeviewer.backend.training import loop
from vaeviewer.backend.training.randomness import named_generator
from vaeviewer.backend.training.trainer import Trainer

SPEC = DataSpec(ImageSpec(4, 3))

KINDS: list[Mapping[str, Any]] = [
    {},
    {"r1": 0.0, "waves": 0},
    {"objective": "wasserstein"},
    {"spectral_norm": True},
    {"network": "conv", "conv_channels": 2, "dense": 6},
    {"network": "conv", "conv_channels": 2, "dense": 6, "objective": "wasserstein", "normalisation": "group"},
]


def made(config: GanConfig, spec: DataSpec = SPEC) -> GanNetworks:
    torch.manual_seed(3)
    model = FAMILY.build(config, spec)
    assert isinstance(model, GanNetworks)
    model.initialize(named_generator(1, "weights"))
    return model


def small_config(**changes: Any) -> GanConfig:
    return GanConfig(**{"hidden": (7, 5), "waves": 3, **changes})


@pytest.fixture
def float64() -> Iterator[None]:
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(torch.float32)


@pytest.mark.usefixtures("float64")
@pytest.mark.parametrize("kind", KINDS)
def test_gradients_of_both_players_agree_with_finite_differences(kind: Mapping[str, Any]) -> None:
    config = small_config(**kind)
    model = made(config).eval()  # where power iteration stands still
    x = torch.rand(4, 1, 4, 3)
    for player in FAMILY.players(model, config):

        def loss(player: Any = player) -> torch.Tensor:
            batch = Batch(x, None, torch.arange(4), named_generator(2, "noise"))
            found: torch.Tensor = player.loss(batch, config).loss
            return found

        agrees_with_finite_differences(loss, player.parameters)


def test_a_player_computes_no_gradient_of_the_other() -> None:
    config = small_config()
    model = made(config)
    batch = Batch(torch.rand(4, 1, 4, 3), None, torch.arange(4), named_generator(2, "noise"))
    for player, other in (("discriminator", model.generator), ("generator", model.discriminator)):
        model.zero_grad(set_to_none=True)
        (mover,) = (p for p in FAMILY.players(model, config) if p.name == player)
        mover.loss(batch, config).loss.backward()  # type: ignore[no-untyped-call]
        assert all(parameter.grad is None for parameter in other.parameters())


def test_losses_are_those_of_torch_and_the_gradient_that_of_a_jacobian() -> None:
    config = small_config()
    model = made(config).eval()
    x, noise = torch.rand(6, 1, 4, 3), torch.randn(1, 6, 2)
    batch = Batch(x, None, torch.arange(6), named_generator(2, "noise"))
    with torch.no_grad():
        found = FAMILY.evaluate(model, batch, noise, config)
        drawn = model.decode(noise[0]).mean
        real, generated = model.discriminator(x)[:, 0], model.discriminator(drawn)[:, 0]
    entropy = functional.binary_cross_entropy_with_logits
    one = torch.ones(6)
    torch.testing.assert_close(
        found["discriminator_loss"],
        entropy(real, one, reduction="none") + entropy(generated, 0 * one, reduction="none"),
    )
    torch.testing.assert_close(found["generator_loss"], entropy(generated, one, reduction="none"))
    jacobian = torch.autograd.functional.jacobian(lambda x: model.discriminator(x)[:, 0].sum(), x)
    torch.testing.assert_close(found["gradient"], jacobian.square().sum((1, 2, 3)))
    distances = torch.cdist(x.flatten(1).double(), drawn.flatten(1).double()).square()
    torch.testing.assert_close(found["nearest"], distances.amin(1).float(), rtol=1e-4, atol=1e-4)


def test_a_linear_critic_pays_for_its_slope() -> None:
    """Gulrajani et al. 2017, equation 3, in closed form: D(x) = wx has the gradient w everywhere."""
    config = small_config(objective="wasserstein", gradient_penalty=10.0)
    model = made(config)
    model.discriminator = nn.Sequential(nn.Flatten(), nn.Linear(12, 1))
    x = torch.rand(5, 1, 4, 3)
    player = FAMILY.players(model, config)[0]
    found = player.loss(Batch(x, None, torch.arange(5), named_generator(2, "noise")), config)
    weight = model.discriminator[1].weight[0]
    with torch.no_grad():
        drawn = model.generate(torch.randn(5, 2, generator=named_generator(2, "noise")))
    distance = (drawn - x).flatten(1).mean(0) @ weight
    torch.testing.assert_close(found.terms["discriminator_loss"], distance)
    torch.testing.assert_close(found.loss, distance + 10.0 * (weight.norm() - 1.0) ** 2)


def test_spectral_normalisation_leaves_a_largest_singular_value_of_one() -> None:
    config = small_config(hidden=(40, 30), spectral_norm=True)
    model = made(config)
    for _ in range(200):  # each looks once more for the direction of the largest
        model.discriminator(torch.rand(2, 1, 4, 3))
    for layer in model.eval().discriminator.children():
        values = np.linalg.svd(layer.weight.detach().numpy(), compute_uv=False)
        assert values[0] == pytest.approx(1.0, abs=1e-3)


def test_an_average_forgets_by_a_constant_share() -> None:
    torch.manual_seed(0)
    network = nn.Sequential(nn.Linear(3, 2), nn.BatchNorm1d(2))
    average = as_buffers(nn.Sequential(nn.Linear(3, 2), nn.BatchNorm1d(2)))
    assert not list(average.parameters())
    first = {name: value.clone() for name, value in average.state_dict().items()}
    network(torch.rand(8, 3))
    for _ in range(5):
        follow(average, network, 0.9)
    for name, value in network.state_dict().items():
        if value.is_floating_point():
            torch.testing.assert_close(average.state_dict()[name], value + 0.9**5 * (first[name] - value))
        else:
            assert average.state_dict()[name] == value


@pytest.mark.parametrize("kind", [{}, {"waves": 0}, {"network": "conv", "conv_channels": 2, "dense": 6}])
def test_it_is_drawn_by_the_average_and_encodes_nothing(kind: Mapping[str, Any]) -> None:
    """NumPy computes what torch does, and that follows what is learned."""
    config, spec = small_config(**kind), DataSpec(ImageSpec(5, 4, 3))
    model = made(config, spec)
    player = FAMILY.players(model, config)[1]
    with torch.no_grad():
        for parameter in model.generator.parameters():
            parameter.add_(1.0)
    player.loss(
        Batch(torch.rand(4, 3, 5, 4), None, torch.arange(4), named_generator(2, "noise"), 10**6), config
    )
    weights = {name: tensor.numpy() for name, tensor in model.state_dict().items()}
    snapshot = snapshot_of(config, spec, weights)
    assert isinstance(snapshot, NumpySnapshot) == (config.network == "mlp")
    assert snapshot.encode(np.zeros((2, 5, 4, 3), np.float32)) is None
    z = np.random.default_rng(0).standard_normal((6, 2)).astype(np.float32)
    torchs = TorchSnapshot(0, 0.0, config, spec, weights)
    np.testing.assert_allclose(snapshot.decode(z), torchs.decode(z), rtol=1e-4, atol=1e-5)
    averaged = made(config, spec).generator.state_dict()
    for name, value in averaged.items():
        torch.testing.assert_close(torch.tensor(weights[f"decoder.{name}"]), value + 0.002, rtol=0, atol=1e-5)


def test_an_average_is_young_at_first() -> None:
    config = small_config(averaging=0.9999)
    model = made(config)
    with torch.no_grad():
        for parameter in model.generator.parameters():
            parameter.fill_(1.0)
    batch = Batch(torch.rand(4, 1, 4, 3), None, torch.arange(4), named_generator(2, "noise"), 0)
    FAMILY.players(model, config)[1].loss(batch, config)
    assert all((value - 1.0).abs().max() < 0.3 for value in model.decoder.state_dict().values())


@pytest.mark.slow
def test_it_learns_to_draw_all_classes(digits: ImageDataset, small: Settings) -> None:
    """Told apart by the nearest real digit; a generator that left some out, or drew noise, would miss them."""
    trainer = Trainer(digits, updated(small, family="gan", hidden=(128, 64), epochs=60))
    loop.train(trainer, go_on=lambda: loop.FREELY, after_block=lambda: None)
    z = np.random.default_rng(0).standard_normal((500, 2)).astype(np.float32)
    drawn = trainer.snapshot().decode(z).reshape(500, -1)
    real = digits.train_images.reshape(600, -1).astype(np.float32) / 255
    squares = (drawn**2).sum(1)[:, None] - 2 * drawn @ real.T + (real**2).sum(1)
    shares = np.bincount(digits.train_labels[squares.argmin(1)], minlength=10) / 500
    assert (shares > 0.02).sum() >= 9
    assert trainer.held_out is not None
    assert trainer.held_out.values["nearest"] < 60
