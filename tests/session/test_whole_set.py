"""Figures of all images over training, which may go back."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from pytestqt.qtbot import QtBot

from vaeviewer.backend.config import Settings
from vaeviewer.backend.data.base import ImageDataset
from vaeviewer.backend.models.interface import DataSpec
from vaeviewer.backend.snapshot import PosteriorTable, snapshot_of
from vaeviewer.session.grid_decoder import GridDecoder
from vaeviewer.session.past_models import PastModels
from vaeviewer.session.whole_set import WholeSetOverTraining


@pytest.mark.slow
def test_figures_of_steps_that_training_took_back_are_gone_at_once(
    qtbot: QtBot, digits: ImageDataset, small: Settings
) -> None:
    spec = DataSpec(digits.image, 10, 600)
    module = small.family.build(small.model, spec)
    module.initialize(torch.Generator().manual_seed(1))
    weights = {name: tensor.detach().numpy() for name, tensor in module.state_dict().items()}
    loc = np.random.default_rng(0).normal(size=(600, 2)).astype(np.float32)
    table = PosteriorTable(loc, np.full((600, 2), -1.0, np.float32), np.zeros(600, np.int32))
    model = snapshot_of(small.model, spec, weights, posterior=table)
    decoder = GridDecoder()
    figures = WholeSetOverTraining(decoder, PastModels(decoder))
    for step in (10, 20):
        figures.follow(replace(model, step=step), digits, None, seen=True)
        qtbot.waitUntil(
            lambda step=step: figures.last is not None and figures.last.step == step, timeout=20_000
        )
    with qtbot.waitSignal(figures.found, timeout=1_000):
        figures.follow(replace(model, step=15), digits, None, seen=True)
    assert [time.step for time in figures.times] == [10]
    qtbot.waitUntil(lambda: [time.step for time in figures.times] == [10, 15], timeout=20_000)
    assert decoder.close()
