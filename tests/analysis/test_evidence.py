"""log p(x) by quadrature, against what is known in closed form and against a plain sum over a fine grid."""

from __future__ import annotations

import copy
import math
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import pytest
import torch
from threadpoolctl import threadpool_limits

from vaeviewer.analysis.evidence import Evidence, evidence, evidence_in_steps
from vaeviewer.analysis.gaps import gaussian
from vaeviewer.backend.config import Settings, updated
from vaeviewer.backend.data import load_dataset
from vaeviewer.backend.data.base import ImageDataset
from vaeviewer.backend.models.families.vae import elbo_terms
from vaeviewer.backend.models.latent_model import LatentModel
from vaeviewer.backend.snapshot import Snapshot
from vaeviewer.backend.training import loop
from vaeviewer.backend.training.trainer import Trainer
from vaeviewer.errors import NoDensityError


@pytest.fixture(autouse=True, scope="module")
def one_thread() -> Iterator[None]:
    """As in the window: small products are not shared out."""
    with threadpool_limits(limits=1, user_api="blas"):
        yield


def trained(dataset: ImageDataset, **settings: Any) -> Trainer:
    hidden = {} if settings.get("family") == "pca" else {"hidden": (32,), "epochs": 1, "engine": "eager"}
    trainer = Trainer(dataset, updated(Settings(), threads=1, **hidden, **settings))
    loop.train(trainer, go_on=lambda: True, after_block=lambda: None)
    return trainer


def over_a_grid(snapshot: Snapshot, images: np.ndarray, spacing: float, y: int | None = None) -> np.ndarray:
    """The same integral as a plain sum."""
    line = np.arange(-9.0, 9.0, spacing) + 0.5 * spacing
    d = snapshot.model.latent_dim
    z = np.stack(np.meshgrid(*[line] * d), -1).reshape(-1, d).astype(np.float32)
    total = np.full(len(images), -np.inf)
    for i in range(0, len(z), 4096):
        joint = snapshot.log_joint(images, z[i : i + 4096], y).astype(np.float64)
        total = np.logaddexp(total, np.logaddexp.reduce(joint, axis=1))
    return total + d * math.log(spacing)


@pytest.mark.slow
@pytest.mark.parametrize("latent_dim", [1, 2])
def test_of_a_linear_gaussian_model_it_is_the_closed_form(digits: ImageDataset, latent_dim: int) -> None:
    trainer = trained(digits, family="pca", latent_dim=latent_dim)
    snapshot, images = trainer.snapshot(), digits.held_out_images
    with torch.no_grad():
        x = torch.tensor(images)[:, None] / 255
        expected = trainer._model.double().log_prob(x.double()).numpy()
    found = evidence(snapshot, images, workers=2)
    assert found is not None
    assert np.abs(found.log_px - expected).max() < 1e-3


@pytest.fixture(scope="module")
def vae() -> Trainer:
    return trained(load_dataset(), protocol="dynamic")


def exact_elbo(model: LatentModel, x: torch.Tensor) -> np.ndarray:
    """By Gauss-Hermite quadrature in torch, in float64."""
    nodes, weights = np.polynomial.hermite_e.hermegauss(12)
    noise = torch.tensor(np.stack(np.meshgrid(nodes, nodes), -1).reshape(-1, 1, 2))
    weight = torch.tensor(np.outer(weights, weights).reshape(-1) / weights.sum() ** 2)
    reconstruction: Any = 0.0
    with torch.no_grad():
        for one, w in zip(noise, weight, strict=True):
            terms, _ = elbo_terms(model, x, one.expand(1, len(x), 2))
            reconstruction = reconstruction + w * terms["reconstruction"]
    elbo: np.ndarray = (reconstruction - terms["kl"]).numpy()
    return elbo


def log_joint(snapshot: Snapshot, image: np.ndarray, z: np.ndarray) -> np.ndarray:
    return snapshot.log_joint(image, z.astype(np.float32))[0]


@pytest.mark.slow
def test_the_gap_is_the_divergence_from_the_true_posterior(vae: Trainer) -> None:
    """log p(x) − ELBO = KL(q(z|x) ‖ p(z|x)), the sides computed apart, for 1,000 images."""
    snapshot, model = vae.snapshot(), copy.deepcopy(vae._model).double().eval()
    levels = load_dataset().held_out_images[:1000]
    images = (255 * np.random.default_rng(0).random(levels.shape) < levels).astype(np.float32)
    found, encoded = evidence(snapshot, images), snapshot.encode(images)
    assert found is not None
    assert encoded is not None
    loc, scale = encoded
    assert scale is not None
    gap = found.log_px - exact_elbo(model, torch.tensor(images)[:, None].double())
    log_px = over_a_grid(snapshot, images, 0.1)
    divergence = [  # E_q[log q(z|x) − log p(x, z)] + log p(x)
        log_px[i] - gaussian(partial(log_joint, snapshot, images[i : i + 1]), loc[i], scale[i]).elbo
        for i in range(len(images))
    ]
    assert np.abs(gap - divergence).max() < 0.05
    assert gap.min() > -1e-3
    assert gap.mean() > 1.0


@pytest.mark.slow
@pytest.mark.parametrize(
    "settings",
    [
        {"family": "vampprior", "learned_prior": "mixture"},
        {"family": "vae", "latent_dim": 1},
        {"family": "vae", "network": "conv", "conv_channels": 2, "likelihood": "gaussian"},
    ],
    ids=lambda s: "-".join(map(str, s.values())),
)
def test_other_models(digits: ImageDataset, settings: dict[str, Any]) -> None:
    few = replace(digits, train_images=digits.train_images[:500], train_labels=digits.train_labels[:500])
    snapshot, images = trained(few, **settings).snapshot(), digits.held_out_images[:4]
    found = evidence(snapshot, images)
    assert found is not None
    spacing = 0.005 if snapshot.model.latent_dim == 1 else 0.12
    np.testing.assert_allclose(found.log_px, over_a_grid(snapshot, images, spacing), atol=0.02)


@pytest.mark.slow
def test_given_a_class_and_summed_over_classes(digits: ImageDataset) -> None:
    few = replace(digits, train_images=digits.train_images[:500], train_labels=digits.train_labels[:500])
    snapshot = trained(few, family="conditional").snapshot()
    images, y = digits.held_out_images[:4], digits.held_out_labels[:4]
    given, summed = evidence(snapshot, images, y), evidence(snapshot, images)
    assert given is not None
    assert summed is not None
    by_class = np.stack([over_a_grid(snapshot, images, 0.15, label) for label in range(10)])
    np.testing.assert_allclose(given.log_px, by_class[y, np.arange(4)], atol=0.02)
    np.testing.assert_allclose(summed.log_px, np.logaddexp.reduce(by_class, axis=0) - math.log(10), atol=0.02)


@pytest.mark.slow
def test_it_ends_when_it_is_told_to(vae: Trainer, digits: ImageDataset) -> None:
    asked: list[int] = []

    def cancelled() -> bool:
        asked.append(1)
        return len(asked) == 3

    assert evidence(vae.snapshot(), digits.held_out_images, workers=2, cancelled=cancelled) is None
    assert len(asked) == 3


@pytest.mark.slow
def test_shares_rise_and_the_last_is_the_answer(vae: Trainer, digits: ImageDataset) -> None:
    *shares, found = evidence_in_steps(vae.snapshot(), digits.held_out_images[:20])
    assert isinstance(found, Evidence)
    assert all(isinstance(share, float) and 0.0 <= share <= 1.0 for share in shares)
    none = evidence(vae.snapshot(), digits.held_out_images[:0])
    assert none is not None
    assert len(none.log_px) == 0


@pytest.mark.parametrize(
    ("family", "latent_dim", "word"), [("vae", 3, "latent dimensions"), ("gan", 2, "likelihood")]
)
def test_where_it_cannot_be_had_a_sentence_says_why(
    digits: ImageDataset, family: str, latent_dim: int, word: str
) -> None:
    snapshot = Trainer(
        digits, updated(Settings(), family=family, latent_dim=latent_dim, hidden=(8,), engine="eager")
    ).snapshot()
    with pytest.raises(NoDensityError, match=word):
        evidence(snapshot, digits.held_out_images[:3])
