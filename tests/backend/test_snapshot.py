"""A Snapshot is itself and no other: its arrays have no truth value that a comparison could ask for."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from vaeviewer.backend.models.families.vae import VaeConfig
from vaeviewer.backend.models.interface import DataSpec, ImageSpec
from vaeviewer.backend.snapshot import PosteriorTable, snapshot_of


def test_snapshots_of_one_step_can_be_told_apart() -> None:
    table = PosteriorTable(np.zeros((3, 2), np.float32), np.zeros((3, 2), np.float32), np.zeros(3, np.int32))
    weights = {"decoder.0.bias": np.zeros(4, np.float32)}
    first = snapshot_of(VaeConfig(hidden=(4,)), DataSpec(ImageSpec(2, 2)), weights, step=5, posterior=table)
    second = replace(first, posterior=replace(table, loc=np.ones((3, 2), np.float32)))
    assert first == first
    assert first != second
    assert first.posterior != second.posterior
    assert len({first, second}) == 2
