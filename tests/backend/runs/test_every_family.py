"""Whatever the kind of model: a run that was stopped goes on bit for bit, can be drawn, and survives a broken step."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import same_arrays
from run_folders import save

from vaeviewer.analysis.manifold import manifold_picture
from vaeviewer.backend.config import Settings, updated
from vaeviewer.backend.data.base import ImageDataset
from vaeviewer.backend.models import registry
from vaeviewer.backend.runs import restore
from vaeviewer.backend.runs.folder import load_run
from vaeviewer.backend.training import loop
from vaeviewer.backend.training.health import NonFiniteError
from vaeviewer.backend.training.trainer import Trainer

TRAINED = [key for key, family in registry.families().items() if family.capabilities.trains]


@pytest.fixture(params=TRAINED)
def settings(request: pytest.FixtureRequest, small: Settings) -> Settings:
    return updated(small, family=request.param, epochs=2)


def train(trainer: Trainer, until: int = 10**6) -> Trainer:
    loop.train(trainer, go_on=lambda: min(1, max(0, until - trainer.step_count)), after_block=lambda: None)
    return trainer


@pytest.mark.slow
def test_it_goes_on_bit_for_bit_and_is_drawn(
    settings: Settings, digits: ImageDataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(restore, "load_source", lambda *_: digits)
    torch.manual_seed(1)
    whole = train(Trainer(digits, settings))
    torch.manual_seed(2)
    save(train(Trainer(digits, settings), until=17), tmp_path)
    resumed = train(restore.open_run(tmp_path))
    assert resumed.held_out == whole.held_out
    first, second = whole.checkpoint(), resumed.checkpoint()
    assert same_arrays(first.snapshot.weights, second.snapshot.weights)
    assert same_arrays(first.training.tensors, second.training.tensors)
    picture = manifold_picture(load_run(tmp_path).checkpoint.snapshot, 3, "equal", y=0)
    assert picture.std() > 0


@pytest.mark.slow
def test_a_step_that_is_not_finite_leads_back(settings: Settings, digits: ImageDataset) -> None:
    """All players together, to the last good state."""
    trainer = train(Trainer(digits, settings), until=7)
    trainer.keep_good_state()
    before = trainer.checkpoint()
    assert trainer.good.step == 7
    with torch.no_grad():
        for parameter in trainer._model.parameters():
            parameter.fill_(np.nan)
    with pytest.raises(NonFiniteError):
        train(trainer, until=8)
    assert trainer.restore_good_state() == 7
    after = trainer.checkpoint()
    assert same_arrays(before.snapshot.weights, after.snapshot.weights)
    assert same_arrays(before.training.tensors, after.training.tensors)
    train(trainer)
    assert trainer.finished
