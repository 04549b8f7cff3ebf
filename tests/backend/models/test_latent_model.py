"""Models as the rest of the program meets them: by the shapes of their weights, and frozen in Snapshots."""

from __future__ import annotations

import numpy as np
import torch
from torch.distributions import Normal

from vaeviewer.backend.config import Settings, updated
from vaeviewer.backend.data.base import ImageDataset
from vaeviewer.backend.models import latent_model
from vaeviewer.backend.models.families.vae import VaeConfig
from vaeviewer.backend.models.interface import DataSpec, ImageSpec
from vaeviewer.backend.models.latent_model import state_shapes
from vaeviewer.backend.models.networks import numpy_mlp
from vaeviewer.backend.snapshot import NumpySnapshot, TorchSnapshot
from vaeviewer.backend.training import loop
from vaeviewer.backend.training.trainer import Trainer


def test_networks_mirror_each_other() -> None:
    state, parameters = state_shapes(VaeConfig(latent_dim=3, hidden=(7, 5)), DataSpec(ImageSpec(4, 6), 10))
    assert parameters == {
        "encoder.0.weight": (7, 24),
        "encoder.0.bias": (7,),
        "encoder.1.weight": (5, 7),
        "encoder.1.bias": (5,),
        "encoder.2.weight": (6, 5),
        "encoder.2.bias": (6,),
        "decoder.0.weight": (5, 3),
        "decoder.0.bias": (5,),
        "decoder.1.weight": (7, 5),
        "decoder.1.bias": (7,),
        "decoder.2.weight": (24, 7),
        "decoder.2.bias": (24,),
    }
    assert state == {name: ("float32", shape) for name, shape in parameters.items()}


def test_only_a_learned_gaussian_variance_is_a_weight() -> None:
    def names(**values: str) -> set[str]:
        return set(state_shapes(VaeConfig(hidden=(4,), **values), DataSpec(ImageSpec(2, 2)))[0])

    plain = names(likelihood="bernoulli", gaussian_variance="learned")
    assert names(likelihood="gaussian", gaussian_variance="fixed") == plain
    learned = names(likelihood="gaussian", gaussian_variance="learned")
    assert learned - plain == {"likelihood.log_variance"}


def test_shapes_take_no_memory() -> None:
    """A manifest may claim any size: 8 layers of 8,192 units are half a gigabyte of weights."""
    state, _ = state_shapes(VaeConfig(hidden=(8192,) * 8), DataSpec(ImageSpec(64, 64)))
    assert sum(int(np.prod(shape)) for _, shape in state.values()) > 500_000_000


def test_the_prior_is_a_standard_normal() -> None:
    from vaeviewer.backend.models.families.vae import FAMILY

    prior = FAMILY.build(VaeConfig(latent_dim=3, hidden=(4,)), DataSpec(ImageSpec(2, 2))).prior()
    z = torch.tensor([0.3, -1.0, 2.0])
    torch.testing.assert_close(prior.log_prob(z), Normal(0.0, 1.0).log_prob(z).sum())


def test_both_kinds_of_snapshot_are_the_model(digits: ImageDataset, small: Settings) -> None:
    trainer = Trainer(digits, updated(small, hidden=(40, 20)))
    loop.train(trainer, go_on=lambda: True, after_block=lambda: None)
    x = torch.tensor(digits.held_out_images).unsqueeze(1) / 255
    with torch.no_grad():
        q = trainer._model.encode(x)
        assert isinstance(q, Normal)
        drawn = trainer._model.decode(q.loc).mean
    numpy = trainer.snapshot()
    assert isinstance(numpy, NumpySnapshot)
    torch_kind = TorchSnapshot(1, 0.1, numpy.model, numpy.data, numpy.weights)
    for snapshot in (numpy, torch_kind):
        found = snapshot.encode(digits.held_out_images)
        assert found is not None
        loc, scale = found
        assert scale is not None
        np.testing.assert_allclose(loc, q.loc.numpy(), rtol=1e-4, atol=1e-5)
        np.testing.assert_allclose(scale, q.scale.numpy(), rtol=1e-4, atol=1e-5)
        images = snapshot.decode(loc)
        assert images.shape == digits.held_out_images.shape
        np.testing.assert_allclose(images, drawn[:, 0].numpy(), rtol=1e-3, atol=1e-5)


def test_both_bound_the_log_variance_alike() -> None:
    assert numpy_mlp.MAX_LOG_VARIANCE == latent_model.MAX_LOG_VARIANCE
