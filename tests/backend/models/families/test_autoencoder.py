"""The autoencoder's errors against torch's own, its linear kind against principal components, and tied weights."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from helpers_gradients import agrees_with_finite_differences
from torch import Tensor
from torch.nn import functional

from vaeviewer.backend.config import Settings, updated
from vaeviewer.backend.data.base import ImageDataset
from vaeviewer.backend.models.families.autoencoder import FAMILY, AutoencoderConfig
from vaeviewer.backend.models.interface import Batch, DataSpec, ImageSpec
from vaeviewer.backend.models.latent_model import LatentModel
from vaeviewer.backend.snapshot import NumpySnapshot, TorchSnapshot, snapshot_of
from vaeviewer.backend.training import loop
from vaeviewer.backend.training.randomness import named_generator
from vaeviewer.backend.training.trainer import Trainer

KINDS: list[Mapping[str, Any]] = [
    {},
    {"error": "cross-entropy", "activation": "sigmoid"},
    {"activation": "linear"},
    {"activation": "linear", "error": "cross-entropy"},
    {"tied": True, "activation": "tanh"},
    {"tied": True, "activation": "linear"},
    {"decoder_hidden": (5, 9)},
    {"network": "conv", "conv_channels": 2, "dense": 6, "tied": True, "decoder_hidden": (5,)},
]


def made(config: AutoencoderConfig, image: ImageSpec) -> LatentModel:
    model = FAMILY.build(config, DataSpec(image))
    model.initialize(named_generator(1, "weights"))
    return model


def trained(digits: ImageDataset, settings: Settings) -> Trainer:
    trainer = Trainer(digits, settings)
    loop.train(trainer, go_on=lambda: loop.FREELY, after_block=lambda: None)
    return trainer


@pytest.mark.parametrize("kind", KINDS)
def test_gradients_agree_with_finite_differences(kind: Mapping[str, Any]) -> None:
    torch.manual_seed(1)
    config = AutoencoderConfig(hidden=(7, 4)).model_copy(update=kind)
    model = made(config, ImageSpec(3, 4)).double()
    (player,) = FAMILY.players(model, config)
    batch = Batch(torch.rand(4, 1, 3, 4, dtype=torch.float64), None, torch.arange(4), None)
    agrees_with_finite_differences(lambda: player.loss(batch, config).loss, player.parameters)


@pytest.mark.parametrize("kind", KINDS)
def test_errors_are_those_of_torch(kind: Mapping[str, Any]) -> None:
    torch.manual_seed(2)
    config = AutoencoderConfig(hidden=(7,)).model_copy(update=kind)
    model = made(config, ImageSpec(3, 4, 3))
    batch = Batch(torch.rand(5, 3, 3, 4), None, torch.arange(5), None)
    with torch.no_grad():
        found = FAMILY.evaluate(model, batch, torch.empty(0), config)
        drawn = model.decode(model.encode(batch.x).mean).mean  # type: ignore[union-attr]
    squares = functional.mse_loss(drawn, batch.x, reduction="none").sum((1, 2, 3))
    torch.testing.assert_close(found["squared_error"], squares)
    entropy = functional.binary_cross_entropy(drawn.clamp(1 / 512, 511 / 512), batch.x, reduction="none")
    torch.testing.assert_close(found["cross_entropy"], entropy.sum((1, 2, 3)))


@pytest.mark.parametrize("kind", KINDS)
def test_numpy_computes_what_torch_does(kind: Mapping[str, Any]) -> None:
    config = AutoencoderConfig(hidden=(9, 6)).model_copy(update=kind)
    spec = DataSpec(ImageSpec(5, 4, 3))
    weights = {name: tensor.numpy() for name, tensor in made(config, spec.image).state_dict().items()}
    snapshot = snapshot_of(config, spec, weights)
    assert isinstance(snapshot, NumpySnapshot) == (config.network == "mlp")
    torchs = TorchSnapshot(0, 0.0, config, spec, weights)
    images = np.random.default_rng(0).random((6, 5, 4, 3), np.float32)
    (code, scale), expected = snapshot.encode(images), torchs.encode(images)  # type: ignore[misc]
    assert scale is None
    np.testing.assert_allclose(code, expected[0], rtol=1e-4, atol=1e-5)  # type: ignore[index]
    np.testing.assert_allclose(snapshot.decode(code), torchs.decode(code), rtol=1e-4, atol=1e-5)


def test_tied_weights_are_one() -> None:
    """The decoder is the transposed encoder, and learns through it; half the numbers are left."""
    config = AutoencoderConfig(hidden=(7, 4), tied=True, activation="linear")
    model = made(config, ImageSpec(3, 4))
    assert {name for name, _ in model.named_parameters() if name.endswith("weight")} == {
        "encoder.0.weight",
        "encoder.1.weight",
        "encoder.2.weight",
    }

    def jacobian(function: Any, at: Tensor) -> Tensor:
        found: Tensor = torch.autograd.functional.jacobian(lambda x: function(x).mean.flatten(), at)
        return found.reshape(found.shape[0], -1)

    down, up = jacobian(model.encode, torch.rand(1, 1, 3, 4)), jacobian(model.decode, torch.rand(1, 2))
    torch.testing.assert_close(up, down.T)


@pytest.mark.slow
def test_the_linear_kind_finds_the_plane_of_principal_components(
    digits: ImageDataset, small: Settings
) -> None:
    """Baldi & Hornik 1989; principal angles to an SVD's plane, in degrees, of digits of 7×7 pixels."""
    images = digits.train_images.reshape(600, 7, 4, 7, 4).mean((2, 4)).astype(np.uint8)
    tiny = replace(digits, train_images=images, held_out_images=images[:100])
    linear = updated(small, family="autoencoder", activation="linear", hidden=(16,), precision="float32")
    snapshot = trained(tiny, updated(linear, epochs=200, batch_size=100, learning_rate=0.01)).snapshot()
    corners = snapshot.decode(np.array([[0, 0], [1, 0], [0, 1]], np.float32)).reshape(3, -1).astype(float)
    plane, _ = np.linalg.qr((corners[1:] - corners[0]).T)
    x = images.reshape(600, -1) / 255
    components = np.linalg.svd(x - x.mean(0), full_matrices=False)[2][:2].T
    cosines = np.linalg.svd(plane.T @ components, compute_uv=False)
    assert np.degrees(np.arccos(cosines.clip(-1, 1))).max() <= 1.0


@pytest.mark.slow
def test_a_nonlinear_one_draws_better_than_principal_components(
    digits: ImageDataset, small: Settings
) -> None:
    """Of the images trained on: 600 are too few to say anything of others."""
    snapshot = trained(digits, updated(small, family="autoencoder", hidden=(128, 64), epochs=40)).snapshot()
    codes = snapshot.encode(digits.train_images)
    assert codes is not None
    x = digits.train_images.reshape(600, -1) / 255
    error = np.square(snapshot.decode(codes[0]).reshape(600, -1) - x).sum(1).mean()
    values = np.linalg.svd(x - x.mean(0), compute_uv=False)
    assert error <= 0.85 * np.square(values[2:]).sum() / 600
