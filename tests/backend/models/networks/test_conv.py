"""Convolutional networks: any size of image, gradients, training, saving, and what is seen of them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import same_arrays
from hypothesis import given
from hypothesis import settings as settings_of_hypothesis
from hypothesis import strategies as st
from run_folders import save
from torch import Tensor

from vaeviewer.backend.config import Settings, updated
from vaeviewer.backend.data.base import ImageDataset
from vaeviewer.backend.models.families.vae import FAMILY, VaeConfig, elbo_terms
from vaeviewer.backend.models.interface import DataSpec, ImageSpec
from vaeviewer.backend.models.latent_model import LatentModel
from vaeviewer.backend.models.networks.conv import ConvDecoder, ConvEncoder, channels_last, pyramid
from vaeviewer.backend.runs import restore
from vaeviewer.backend.snapshot import TorchSnapshot
from vaeviewer.backend.training import loop
from vaeviewer.backend.training.randomness import named_generator
from vaeviewer.backend.training.trainer import Trainer

TINY = VaeConfig(network="conv", conv_channels=2, dense=5, residual_blocks=1)

images = st.builds(ImageSpec, st.integers(8, 256), st.integers(8, 256), st.sampled_from([1, 3]))
configs = st.builds(
    VaeConfig,
    network=st.just("conv"),
    conv_channels=st.integers(1, 9),
    dense=st.sampled_from([0, 3]),
    normalisation=st.sampled_from(["none", "batch", "group"]),
    residual_blocks=st.sampled_from([0, 1]),
)


@pytest.mark.slow
@settings_of_hypothesis(max_examples=40, deadline=None)
@given(image=images, config=configs)
def test_images_of_any_size_go_in_and_come_out(image: ImageSpec, config: VaeConfig) -> None:
    encoder, decoder = ConvEncoder(config, image, 7), ConvDecoder(config, image, 3)
    x = torch.zeros(2, image.channels, image.height, image.width)
    with torch.no_grad():
        assert encoder(x).shape == (2, 7)
        assert decoder(torch.zeros(1, 2, 3)).shape == (1, *x.shape)
    assert 1 <= max(pyramid(image, 4)[-1][1:]) <= 8


@pytest.mark.parametrize("image", [ImageSpec(9, 8), ImageSpec(8, 31, 3), ImageSpec(64, 17, 3)], ids=str)
def test_every_pixel_is_seen_and_drawn(image: ImageSpec) -> None:
    """No row is lost to halving, and none at an edge is left without weights."""
    model = built(TINY, image)
    x = torch.rand(1, image.channels, image.height, image.width, requires_grad=True)
    (seen,) = torch.autograd.grad(model.encode(x).mean.square().sum(), x)
    assert (seen != 0).all()
    drawn = model.decode(torch.randn(50, 2)).mean
    assert (drawn.std(0) > 0).all()


@pytest.mark.parametrize("normalisation", ["none", "batch", "group"])
def test_gradient_against_finite_differences(normalisation: str) -> None:
    config = TINY.model_copy(update={"normalisation": normalisation, "activation": "tanh"})
    model = built(config, ImageSpec(9, 8, 3)).double()
    x, noise = torch.rand(3, 3, 9, 8, dtype=torch.float64), torch.randn(1, 3, 2, dtype=torch.float64)

    def loss() -> Tensor:
        terms, _ = elbo_terms(model, x, noise)
        return (terms["reconstruction"] - terms["kl"]).mean()

    parameters = list(model.parameters())
    gradients = torch.autograd.grad(loss(), parameters)
    with torch.no_grad():
        for parameter, gradient in zip(parameters, gradients, strict=True):
            direction = torch.randn_like(parameter)
            parameter.add_(direction, alpha=1e-5)
            above = loss()
            parameter.sub_(direction, alpha=2e-5)
            below = loss()
            parameter.add_(direction, alpha=1e-5)
            torch.testing.assert_close(
                (above - below) / 2e-5, (gradient * direction).sum(), rtol=1e-5, atol=1e-7
            )


@pytest.mark.parametrize("channels", [1, 3])
def test_channels_last_changes_the_order_in_memory_alone(channels: int) -> None:
    x = torch.rand(2, channels, 5, 4)
    same = channels_last(x)
    assert torch.equal(same, x)
    assert same.stride() == (20 * channels, 1, 4 * channels, channels)


def built(config: VaeConfig, image: ImageSpec) -> LatentModel:
    model = FAMILY.build(config, DataSpec(image))
    model.initialize(named_generator(1, "weights"))
    return model


@pytest.mark.parametrize("activation", ["tanh", "relu", "silu"])
def test_initial_weights_keep_the_scale_of_activations_and_come_from_the_generator_alone(
    activation: str,
) -> None:
    config = VaeConfig(network="conv", activation=activation)
    models = [built(config, ImageSpec(64, 64)) for _ in range(2)]
    first, second = (model.state_dict() for model in models)
    assert all(torch.equal(first[name], second[name]) for name in first)
    encoder, decoder = models[0].encoder, models[0].decoder
    assert isinstance(encoder, ConvEncoder)
    assert isinstance(decoder, ConvDecoder)
    with torch.no_grad():
        x = torch.rand(8, 1, 64, 64)
        for block in encoder.blocks:
            x = block(x)
            assert 0.2 < x.std() < 3
        y = decoder(torch.randn(64, 2))
        assert 0.02 < y.std() < 3, "near flat grey"


# Trained, saved and looked at


@pytest.fixture(params=["vae", "denoising"])
def settings(request: pytest.FixtureRequest, small: Settings) -> Settings:
    return updated(
        small,
        family=request.param,
        network="conv",
        conv_channels=4,
        dense=16,
        normalisation="batch",
        epochs=3,
    )


def train(trainer: Trainer, until: int = 10**6) -> Trainer:
    loop.train(trainer, go_on=lambda: min(1, max(0, until - trainer.step_count)), after_block=lambda: None)
    return trainer


@pytest.mark.slow
def test_it_learns(settings: Settings, digits: ImageDataset) -> None:
    trainer = Trainer(digits, settings)
    before = trainer.evaluate()
    after = train(trainer).held_out
    assert before is not None
    assert after is not None
    best = trainer.family.metrics.headline
    gain = after.values[best.key] - before.values[best.key]
    assert (gain if best.better == "higher" else -gain) > 0.1 * abs(before.values[best.key])
    assert trainer.engine_reason.startswith("no fused step: it is made for ")


@pytest.mark.slow
def test_it_is_saved_opened_and_resumed_bit_for_bit(
    settings: Settings, digits: ImageDataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(restore, "load_source", lambda *_: digits)
    whole = train(Trainer(digits, settings))
    part = train(Trainer(digits, settings), until=7)
    save(part, tmp_path)
    resumed = train(restore.open_run(tmp_path))
    first, second = whole.checkpoint(), resumed.checkpoint()
    assert any(name.endswith("running_var") for name in first.snapshot.weights)
    assert same_arrays(first.snapshot.weights, second.snapshot.weights)
    assert same_arrays(first.training.tensors, second.training.tensors)
    assert whole.held_out == resumed.held_out


@pytest.mark.slow
def test_a_snapshot_of_it_is_the_model_in_eval(settings: Settings, digits: ImageDataset) -> None:
    trainer = train(Trainer(digits, settings))
    snapshot = trainer.snapshot()
    assert isinstance(snapshot, TorchSnapshot)
    z = np.random.default_rng(0).normal(size=(5, 2)).astype(np.float32)
    trainer._model.eval()
    x = torch.tensor(digits.held_out_images).unsqueeze(1) / 255
    with torch.no_grad():
        drawn = trainer._model.decode(torch.tensor(z)).mean[:, 0].numpy()
        codes = trainer._model.encode(x).mean.numpy()
    np.testing.assert_allclose(snapshot.decode(z), drawn, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(snapshot.decode(z[2:3])[0], drawn[2], rtol=1e-4, atol=1e-5)
    found = snapshot.encode(digits.held_out_images)
    assert found is not None
    np.testing.assert_allclose(found[0], codes, rtol=1e-4, atol=1e-5)
