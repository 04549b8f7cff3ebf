"""Importance weighting and annealed importance sampling, against log p(x) in closed form and by quadrature."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from small_images import write_idx_folder
from threadpoolctl import threadpool_limits

from vaeviewer.analysis.annealed import annealed_in_steps
from vaeviewer.analysis.evidence import evidence
from vaeviewer.analysis.importance import importance_in_steps
from vaeviewer.backend.config import Settings, updated
from vaeviewer.backend.data.base import ImageDataset
from vaeviewer.backend.snapshot import Snapshot
from vaeviewer.backend.training import loop
from vaeviewer.backend.training.trainer import Trainer
from vaeviewer.errors import NoDensityError


@pytest.fixture(autouse=True, scope="module")
def one_thread() -> Iterator[None]:
    with threadpool_limits(limits=1, user_api="blas"):
        yield


def trained(dataset: ImageDataset, family: str, **settings: object) -> Trainer:
    trainer = Trainer(dataset, updated(Settings(), family=family, threads=1, engine="eager", **settings))
    loop.train(trainer, go_on=lambda: True, after_block=lambda: None)
    return trainer


def importance(snapshot: Snapshot, images: np.ndarray, samples: int) -> np.ndarray:
    *shares, found = importance_in_steps(snapshot, images, samples)
    assert shares == sorted(shares)
    assert isinstance(found, np.ndarray)
    return found


@pytest.mark.slow
def test_with_the_true_posterior_every_weight_is_the_evidence(digits: ImageDataset) -> None:
    trainer = trained(digits, "pca", latent_dim=5)
    images = digits.held_out_images[:30]
    expected = trainer._model.log_prob(torch.tensor(images)[:, None] / 255).numpy()
    np.testing.assert_allclose(importance(trainer.snapshot(), images, 3), expected, atol=2e-3)


@pytest.mark.slow
@pytest.mark.parametrize("family", ["vae", "flow"])
def test_more_samples_come_nearer_from_below(digits: ImageDataset, family: str) -> None:
    snapshot, images = (
        trained(digits, family, hidden=(32,), epochs=4).snapshot(),
        digits.held_out_images[:25],
    )
    exact = evidence(snapshot, images)
    assert exact is not None
    one, some, many = (exact.log_px - importance(snapshot, images, samples) for samples in (1, 20, 1000))
    assert one.mean() > some.mean() > many.mean() > -0.1
    assert many.mean() < 0.6 * one.mean()
    assert np.quantile(many, 0.1) < 0.2


def test_without_a_class_a_model_that_sees_classes_sums_over_all(tmp_path: Path) -> None:
    tiny = write_idx_folder(tmp_path / "two classes", train=20, height=3, width=3)
    snapshot = trained(tiny, "conditional", hidden=(4,), epochs=3).snapshot()
    exact = evidence(snapshot, tiny.held_out_images)
    assert exact is not None
    found = importance(snapshot, tiny.held_out_images, 2000)
    np.testing.assert_allclose(found, exact.log_px, atol=0.05)


@pytest.mark.slow
def test_annealing_reaches_the_evidence_in_five_dimensions(digits: ImageDataset) -> None:
    """Without q(z|x): the estimate of p(x) has no bias, that of log p(x) a little below."""
    trainer = trained(digits, "pca", latent_dim=5)
    images = digits.held_out_images[:24]
    expected = trainer._model.log_prob(torch.tensor(images)[:, None] / 255).numpy()
    *shares, found = annealed_in_steps(trainer.snapshot(), images, chains=8, distributions=400)
    assert isinstance(found, np.ndarray)
    assert shares == sorted(shares)
    apart = found - expected
    assert np.exp(apart).mean() == pytest.approx(1.0, abs=0.35)
    assert -0.5 < apart.mean() < 0.15
    assert np.abs(apart).max() < 2.0


def test_models_without_a_posterior_say_so(digits: ImageDataset) -> None:
    snapshot = Trainer(digits, updated(Settings(), family="autoencoder", hidden=(8,), threads=1)).snapshot()
    for steps in (
        importance_in_steps(snapshot, digits.held_out_images[:2], 3),
        annealed_in_steps(snapshot, digits.held_out_images[:2]),
    ):
        with pytest.raises(NoDensityError):
            list(steps)
