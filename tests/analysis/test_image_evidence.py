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
    """Zeros and ones: with a model that sees classes each takes an integral of its own."""
    rows, others = (np.flatnonzero(labels < 2) for labels in (digits.train_labels, digits.held_out_labels))
    return replace(
        digits,
        train_images=digits.train_images[rows[:train]],
        train_labels=digits.train_labels[rows[:train]],
        held_out_images=digits.held_out_images[others[:held_out]],
        held_out_labels=digits.held_out_labels[others[:held_out]],
    )


def trained(data: ImageDataset, **settings: Any) -> Snapshot:
    trainer = Trainer(
        data, updated(Settings(), hidden=(32,), epochs=8, threads=1, engine="eager", **settings)
    )
    loop.train(trainer, go_on=lambda: True, after_block=lambda: None)
    return trainer.snapshot()


def computed(snapshot: Snapshot, data: ImageDataset) -> Mapping[str, np.ndarray]:
    *shares, found = evidence_of_images(snapshot, data)
    assert all(isinstance(share, float) for share in shares)
    assert shares == sorted(shares)
    assert 0.0 <= shares[0] < shares[-1] <= 1.0
    assert not isinstance(found, float)
    return found


@pytest.mark.slow
@pytest.mark.parametrize(
    "settings",
    [
        {"family": "vae", "protocol": "dynamic"},
        pytest.param({"family": "conditional"}, marks=pytest.mark.slow),
        pytest.param({"family": "mean-field"}, marks=pytest.mark.slow),
    ],
    ids=lambda settings: settings["family"],
)
def test_each_has_its_evidence_and_the_gap_to_its_own_elbo(
    digits: ImageDataset, settings: dict[str, Any]
) -> None:
    data = some(digits, 20, 8)
    snapshot = trained(data, **settings)
    found = computed(snapshot, data)
    levels = np.concatenate(
        [
            part
            for held_out in (False, True)
            for _, part in levels_by_image(snapshot, data, 7, held_out=held_out)
        ]
    )[:, 0]
    labels = np.concatenate([data.train_labels, data.held_out_labels])
    rows = np.array([0, 11, 20, 27])  # the first and another of each set
    images, y = levels[rows], labels[rows]
    alone = evidence(snapshot, images, y if snapshot.family.bounds_given_class else None)
    assert alone is not None
    np.testing.assert_allclose(found[LOG_PX.key][rows], alone.log_px, atol=0.01)
    q: Any = snapshot.encode(images, y)
    if settings["family"] == "mean-field":  # those trained on have their own
        assert snapshot.posterior is not None
        assert snapshot.posterior.scale is not None
        q[0][:2], q[1][:2] = snapshot.posterior.loc[rows[:2]], snapshot.posterior.scale[rows[:2]]
    for i in range(len(rows)):

        def log_joint(z: np.ndarray, i: int = i) -> np.ndarray:
            return snapshot.log_joint(images[i : i + 1], z.astype(np.float32), int(y[i]))[0]

        gap = alone.log_px[i] - gaussian(log_joint, q[0][i], q[1][i]).elbo
        assert found[GAP.key][rows[i]] == pytest.approx(gap, abs=0.1)
    assert len(found[GAP.key]) == 28
    assert found[GAP.key].min() > -0.1
    assert found[GAP.key].mean() > 0.1


@pytest.mark.slow
def test_parts_of_the_images_find_the_same(digits: ImageDataset, monkeypatch: pytest.MonkeyPatch) -> None:
    """On two threads, too: no image is lost or exchanged, nor binarised by other draws."""
    data = some(digits, 20, 8)
    snapshot = trained(data, protocol="dynamic")
    whole = computed(snapshot, data)
    monkeypatch.setattr(image_evidence, "AT_ONCE", {True: 13})
    *_, parts = evidence_of_images(snapshot, data, lambda: 2)
    assert not isinstance(parts, float)
    for key, values in whole.items():
        np.testing.assert_allclose(parts[key], values, atol=0.01)


def fresh(digits: ImageDataset, **settings: Any) -> Snapshot:
    return Trainer(digits, updated(Settings(), threads=1, engine="eager", **settings)).snapshot()


def test_what_cannot_be_had_is_left_out_and_said(digits: ImageDataset) -> None:
    few = some(digits, 40, 12)
    assert "20 latent dimensions" in why_no_evidence(fresh(few, latent_dim=20, hidden=(8,)))
    assert "no likelihood" in why_no_evidence(fresh(few, family="autoencoder", hidden=(8,)))
    for settings in ({"family": "flow"}, {"family": "semi-supervised", "variant": "M2"}):
        (alone,) = evidence_metrics(fresh(few, hidden=(8,), **settings))
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
