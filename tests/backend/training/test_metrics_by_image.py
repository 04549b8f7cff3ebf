"""The family's metrics of each image on its own."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from tests.backend.test_colour import coloured
from vaeviewer.backend.config import Settings, updated
from vaeviewer.backend.data.base import ImageDataset
from vaeviewer.backend.training.evaluation import metrics_by_image
from vaeviewer.backend.training.loop import FREELY, train
from vaeviewer.backend.training.trainer import Trainer


def gathered(trainer: Trainer, data: ImageDataset) -> dict[str, np.ndarray]:
    found = list(metrics_by_image(trainer.snapshot(), data, 64))
    rows = np.concatenate([np.arange(part.start, part.stop) for part, _ in found])
    np.testing.assert_array_equal(rows, np.arange(len(data.train_images)))
    return {key: np.concatenate([values[key] for _, values in found]) for key in found[0][1]}


def test_the_kl_of_each_image_is_that_of_its_posterior(small: Settings, digits: ImageDataset) -> None:
    trainer = Trainer(digits, small)
    train(trainer, go_on=lambda: FREELY, after_block=lambda: None)
    found = gathered(trainer, digits)
    codes = trainer.snapshot().encode(digits.train_images)
    assert codes is not None
    loc, scale = codes
    assert scale is not None
    from torch import tensor
    from torch.distributions import Normal, kl_divergence

    expected = kl_divergence(Normal(tensor(loc), tensor(scale)), Normal(0.0, 1.0)).sum(1)
    np.testing.assert_allclose(found["kl"], expected.numpy(), rtol=1e-3, atol=1e-3)
    np.testing.assert_allclose(found["elbo"], found["reconstruction"] - found["kl"], rtol=1e-5)
    again = gathered(trainer, digits)
    np.testing.assert_array_equal(again["elbo"], found["elbo"])


@pytest.mark.slow
@pytest.mark.parametrize(
    ("family", "network"), [("vae", "mlp"), ("vae", "conv"), ("denoising", "mlp"), ("denoising", "conv")]
)
def test_their_mean_is_what_evaluation_finds(small: Settings, family: str, network: str) -> None:
    data = coloured(900, 12, 20)
    data = replace(data, held_out_images=data.train_images, held_out_labels=data.train_labels)
    trainer = Trainer(data, updated(small, family=family, network=network, epochs=1))
    train(trainer, go_on=lambda: FREELY, after_block=lambda: None)
    whole, found = trainer.evaluate(), gathered(trainer, data)
    assert whole is not None
    assert found.keys() == whole.values.keys()
    for key, value in whole.values.items():
        assert found[key].mean() == pytest.approx(value, rel=0.02, abs=0.05), key
