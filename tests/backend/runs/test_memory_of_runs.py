"""Of a large network, a save and an evaluation take hardly more memory than what they look at."""

from __future__ import annotations

import sys
from math import prod
from pathlib import Path

import pytest
from bounds import grows_by_less_than

from vaeviewer.backend.config import Settings, updated
from vaeviewer.backend.data.base import ImageDataset
from vaeviewer.backend.models.latent_model import state_shapes
from vaeviewer.backend.runs.copying import copy_of_run
from vaeviewer.backend.runs.folder import load_run
from vaeviewer.backend.runs.judging import judge
from vaeviewer.backend.runs.saving import save_run
from vaeviewer.backend.training.trainer import Trainer

BESIDE = 40 * 2**20
"""Bytes that have nothing to do with the weights: images on their way through the network, buffers of files."""


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="reads the peak from /proc")
def test_no_copy_is_made_that_need_not_be(digits: ImageDataset, small: Settings, tmp_path: Path) -> None:
    settings = updated(small, hidden=[2048, 2048])
    shapes, _ = state_shapes(settings.model, digits.spec)
    weights = sum(4 * prod(shape) for _, shape in shapes.values())
    assert weights > BESIDE
    trainer = Trainer(digits, settings)
    trainer.keep_good_state()
    with grows_by_less_than(
        BESIDE
    ):  # weights and moments are those of the good state, and go to disk from there
        save_run(copy_of_run(trainer, tmp_path))
    with grows_by_less_than(BESIDE):  # what was saved before is read to be sure of it
        save_run(copy_of_run(trainer, tmp_path))
    expected = trainer.evaluate(record=False)
    del trainer
    with grows_by_less_than(2 * weights + BESIDE):  # the file and its arrays, then those and the module
        run = load_run(tmp_path, training=False)
        judged = judge(run, digits)
    assert judged.held_out == expected
