"""log p(x) and the gap of every image, against single images by other means."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from threadpoolctl import threadpool_limits

from vaeviewer.analysis import image_evidence
from vaeviewer.analysis.evidence import evidence
from vaeviewer.analysis.gaps import gaussian
from vaeviewer.analysis.image_evidence import (
    GAP,
    LOG_PX,
    evidence_metrics,
    evidence_of_images,
    is_quick,
    why_no_evidence,
)
from vaeviewer.backend.config import Settings, updated
from vaeviewer.backend.data.base import ImageDataset
from vaeviewer.backend.snapshot import Snapshot
from vaeviewer.backend.training import loop
from vaeviewer.backend.training.evaluation import levels_by_image
from vaeviewer.backend.training.trainer import Trainer


@pytest.fixture(autouse=True, scope="module")
def one_thread() -> Iterator[None]:
    """As in the window: small products are not shared out."""
    with threadpool_limits(limits=1, user_api="blas"):
        yield


def some(digits: ImageDataset, train: int, held_out: int) -> ImageDataset:
    return replace(
        digits,
        train_images=digits.train_images[:train],
        train_labels=digits.train_labels[:train],
        held_out_images=digits.held_out_images[:held_out],
        held_out_labels=digits.held_out_labels[:held_out],
    )


def trained(data: ImageDataset, **settings: Any) -> Snapshot:
    trainer = Trainer(data, updated(Settings(), hidden=(32,), epochs=8, engine="eager", **settings))
    loop.train(trainer, go_on=lambda: True, after_block=lambda: None)
    return trainer.snapshot()


def computed(snapshot: Snapshot, data: ImageDataset) -> Mapping[str, np.ndarray]:
    *shares, found = evidence_of_images(snapshot, data)
    assert all(isinstance(share, float) for share in shares)
    assert shares == sorted(shares)
    assert 0.0 <= shares[0] < shares[-1] <= 1.0
    assert not isinstance(found, float)
    return found


@pytest.mark.parametrize(
    "settings",
    [
        {"family": "vae", "protocol": "dynamic"},
        {"family": "conditional"},
        {"family": "vampprior", "learned_prior": "mixture"},
        {"family": "mean-field"},
    ],
    ids=lambda settings: settings["family"],
)
def test_each_has_its_evidence_and_the_gap_to_its_own_elbo(
    digits: ImageDataset, settings: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Batches and parts that end within the sets: neither loses or exchanges an image."""
    monkeypatch.setattr(image_evidence, "AT_ONCE", 25)
    data = some(digits, 40, 12)
    snapshot = trained(data, **settings)
    found = computed(snapshot, data)
    assert all(len(found[key]) == 52 for key in (LOG_PX.key, GAP.key))
    for held_out, labels, first in ((False, data.train_labels, 0), (True, data.held_out_labels, 40)):
        levels = np.concatenate([part for _, part in levels_by_image(snapshot, data, 7, held_out=held_out)])
        for row in (0, 11):
            image, y = levels[row], int(labels[row])
            sees = np.array([y]) if snapshot.family.bounds_given_class else None
            alone = evidence(snapshot, image, sees)
            assert alone is not None
            assert found[LOG_PX.key][first + row] == pytest.approx(alone.log_px[0], abs=0.01)
            q: Any = snapshot.encode(image, np.array([y]))
            if settings["family"] == "mean-field" and not held_out:
                assert snapshot.posterior is not None
                assert snapshot.posterior.scale is not None
                q = snapshot.posterior.loc[row, None], snapshot.posterior.scale[row, None]

            def log_joint(z: np.ndarray, image: np.ndarray = image, y: int = y) -> np.ndarray:
                return snapshot.log_joint(image, z.astype(np.float32), y)[0]

            gap = alone.log_px[0] - gaussian(log_joint, q[0][0], q[1][0]).elbo
            assert found[GAP.key][first + row] == pytest.approx(gap, abs=0.1)
    assert found[GAP.key].min() > -0.1
    assert found[GAP.key].mean() > 0.2


def test_more_threads_find_the_same(digits: ImageDataset) -> None:
    data = some(digits, 30, 10)
    snapshot = trained(data)
    *_, two = evidence_of_images(snapshot, data, lambda: 2)
    assert not isinstance(two, float)
    np.testing.assert_allclose(two[LOG_PX.key], computed(snapshot, data)[LOG_PX.key], atol=1e-5)


def fresh(digits: ImageDataset, **settings: Any) -> Snapshot:
    return Trainer(digits, updated(Settings(), engine="eager", **settings)).snapshot()


def test_what_cannot_be_had_is_left_out_and_said(digits: ImageDataset) -> None:
    few = some(digits, 40, 12)
    assert "20 latent dimensions" in why_no_evidence(fresh(few, latent_dim=20, hidden=(8,)))
    assert "no likelihood" in why_no_evidence(fresh(few, family="autoencoder", hidden=(8,)))
    for family in ("flow", "semi-supervised"):
        (alone,) = evidence_metrics(fresh(few, family=family, hidden=(8,)))
        assert alone.key == LOG_PX.key
        assert "no gap" in alone.help
    titles = [metric.title for metric in evidence_metrics(fresh(few, family="conditional", hidden=(8,)))]
    assert titles == ["log p(x|y)", "Gap"]
    exact = fresh(few, family="exact", hidden=(8,))
    ours = {metric.title for metric in evidence_metrics(exact)}
    assert not ours & {metric.title for metric in exact.family.metrics}


def test_what_takes_long_waits_until_somebody_wants_it(digits: ImageDataset) -> None:
    snapshot = fresh(some(digits, 40, 12), hidden=(8,))
    assert is_quick(snapshot, 10_000)
    assert not is_quick(snapshot, 70_000)
    assert not is_quick(fresh(some(digits, 40, 12), network="conv", conv_channels=2), 1_000)
