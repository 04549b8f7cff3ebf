"""The checked lens against brute force, where a decoder is so sharp that codes 0.25 apart miss the posterior."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from threadpoolctl import threadpool_limits

from vaeviewer.analysis.lens import Asked, Search, lens
from vaeviewer.analysis.lens_check import checked_lens
from vaeviewer.backend.config import Settings, updated
from vaeviewer.backend.data.base import ImageDataset
from vaeviewer.backend.snapshot import Snapshot
from vaeviewer.backend.training.trainer import Trainer


@pytest.fixture(scope="module")
def sharp(digits: ImageDataset) -> Snapshot:
    """Of a decoder that sees 40 z in place of z."""
    settings = updated(
        Settings(), hidden=(64, 32), epochs=25, batch_size=100, threads=1, device="cpu", seed=3
    )
    trainer = Trainer(digits, settings)
    while trainer.step_count < 150:
        trainer.step()
    made = trainer.snapshot()
    first = made.weights["decoder.0.weight"]
    return replace(made, weights={**made.weights, "decoder.0.weight": np.float32(40.0) * first})


def by_brute_force(snapshot: Snapshot, image: np.ndarray) -> float:
    """log p(x) on codes 0.04 apart, and 0.004 wherever anything is within 25 nats of the highest."""
    side = 0.04
    axis = (np.arange(300) + 0.5) * side - 6.0
    codes = np.stack(np.meshgrid(axis, axis), axis=-1).reshape(-1, 2)
    logs = log_joint(snapshot, image, codes)
    near = logs > logs.max() - 25.0
    inside = ((np.arange(10) + 0.5) / 10 - 0.5) * side
    offsets = np.stack(np.meshgrid(inside, inside), axis=-1).reshape(-1, 2)
    fine = log_joint(snapshot, image, (codes[near][:, None] + offsets).reshape(-1, 2))
    total = np.concatenate([logs[~near] + 2.0 * np.log(side), fine + 2.0 * np.log(side / 10)])
    return float(np.logaddexp.reduce(np.maximum(total, total.max() - 80.0)))


def log_joint(snapshot: Snapshot, image: np.ndarray, codes: np.ndarray) -> np.ndarray:
    parts = np.array_split(codes.astype(np.float32), max(1, len(codes) // 4000))
    return np.concatenate([snapshot.log_joint(image[None], part)[0] for part in parts]).astype(np.float64)


@pytest.mark.slow
def test_sharp_peaks_are_found_and_no_bound_lies_above_what_it_bounds(
    sharp: Snapshot, digits: ImageDataset
) -> None:
    with threadpool_limits(limits=1, user_api="blas"):
        missed = []
        for row in (3, 7):
            asked = Asked(digits.held_out_images[row])
            *_, hasty = (found for found in lens(sharp, asked, Search()) if found is not None)
            *_, found = (found for found in checked_lens(sharp, asked, Search()) if found is not None)
            expected = by_brute_force(sharp, digits.held_out_images[row])
            assert found.log_px == pytest.approx(expected, abs=0.01)
            assert hasty.log_px is not None
            missed.append(expected - hasty.log_px > 0.1)
            assert found.best is not None
            assert found.best.elbo < expected
            highest = log_joint(sharp, digits.held_out_images[row], found.modes[:1])
            assert highest[0] > found.best.elbo, "the map is of where the posterior is"
    assert any(missed), "or there was nothing to check"
