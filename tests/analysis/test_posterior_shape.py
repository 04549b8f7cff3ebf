"""The drawn shape of a bent posterior against many codes drawn from it."""

from __future__ import annotations

import numpy as np
import pytest

from vaeviewer.analysis.latent_plane import axes_plane
from vaeviewer.analysis.posterior_shape import CELLS, CORNERS, SAMPLES, posterior_shape
from vaeviewer.backend.config import Settings, updated
from vaeviewer.backend.data.base import ImageDataset
from vaeviewer.backend.snapshot import TorchSnapshot
from vaeviewer.backend.training import loop
from vaeviewer.backend.training.trainer import Trainer


def trained(digits: ImageDataset, settings: Settings) -> TorchSnapshot:
    trainer = Trainer(digits, settings)
    loop.train(trainer, go_on=lambda: loop.FREELY, after_block=lambda: None)
    snapshot = trainer.snapshot()
    assert isinstance(snapshot, TorchSnapshot)
    return snapshot


@pytest.mark.slow
@pytest.mark.parametrize("flow", ["autoregressive", "planar"])
def test_the_shade_is_where_codes_fall(digits: ImageDataset, small: Settings, flow: str) -> None:
    snapshot = trained(digits, updated(small, family="flow", flow=flow, learning_rate=0.02, epochs=4))
    image = digits.train_images[3]
    shape = posterior_shape(snapshot, image, axes_plane(2))
    assert shape.samples.shape == (SAMPLES, 2)
    assert [line.shape for line in shape.outlines] == [(CORNERS, 2)] * 2
    assert shape.density is not None
    assert shape.density.max() == 1.0

    x0, y0, width, height = shape.rect
    xs = x0 + width * (np.arange(CELLS) + 0.5) / CELLS
    ys = y0 + height * (CELLS - 0.5 - np.arange(CELLS)) / CELLS
    weights = shape.density / shape.density.sum()
    mean = np.array([(weights.sum(0) * xs).sum(), (weights.sum(1) * ys).sum()])
    noise = np.random.default_rng(0).standard_normal((20_000, 2)).astype(np.float32)
    codes = snapshot.draw_posterior(image, noise)
    np.testing.assert_allclose(mean, codes.mean(0), atol=0.1 * codes.std(0).max())
    # What is left of the Gaussian's mass in the rectangle: nearly all.
    grid = np.stack(np.meshgrid(xs, ys), -1).reshape(-1, 2).astype(np.float32)
    mass = np.exp(snapshot.log_posterior(image, grid)).sum() * width * height / CELLS**2
    assert 0.95 < mass < 1.02
    # The inner line holds 39 % of the codes, those whose noise lies within one standard deviation.
    x, y = shape.outlines[0].T
    area = 0.5 * abs((x * np.roll(y, -1) - y * np.roll(x, -1)).sum())
    inside = np.exp(-snapshot.log_posterior(image, codes[np.hypot(*noise.T) < 1.0])).mean() * 0.3935
    assert area == pytest.approx(inside, rel=0.1)


def test_of_many_numbers_of_z_the_samples_alone_are_shown(digits: ImageDataset, small: Settings) -> None:
    snapshot = trained(digits, updated(small, family="flow", latent_dim=4, epochs=1))
    shape = posterior_shape(snapshot, digits.train_images[0], axes_plane(4, 1, 3))
    assert shape.samples.shape == (SAMPLES, 2)
    assert shape.density is None
    assert shape.outlines == ()
