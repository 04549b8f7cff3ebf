"""Which models are kept to be looked at later, and that they cost the memory of their posteriors alone."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from vaeviewer.backend.config import Settings
from vaeviewer.backend.data.base import ImageDataset
from vaeviewer.backend.models.interface import DataSpec
from vaeviewer.backend.snapshot import PosteriorTable, Snapshot, snapshot_of
from vaeviewer.session import past_models
from vaeviewer.session.grid_decoder import GridDecoder
from vaeviewer.session.past_models import MOST_KEPT, PastModels


@pytest.fixture
def model(digits: ImageDataset, small: Settings) -> Snapshot:
    spec = DataSpec(digits.image, 10, 600)
    module = small.family.build(small.model, spec)
    module.initialize(torch.Generator().manual_seed(1))
    weights = {name: tensor.detach().numpy() for name, tensor in module.state_dict().items()}
    loc = np.random.default_rng(0).normal(size=(600, 2)).astype(np.float32)
    table = PosteriorTable(loc, np.full((600, 2), -4.0, np.float32), np.zeros(600, np.int32))
    return snapshot_of(small.model, spec, weights, posterior=table)


@pytest.mark.usefixtures("qapp")
def test_models_are_kept_evenly_over_training(model: Snapshot, monkeypatch: pytest.MonkeyPatch) -> None:
    decoder = GridDecoder()
    past = PastModels(decoder)
    for step in range(0, 20_000, 7):
        past.keep(replace(model, step=step))
        steps = [kept.step for kept in past.kept]
        assert steps[0] == 0
        assert steps[-1] == step
        assert len(steps) <= MOST_KEPT
    assert len(steps) >= MOST_KEPT // 2
    apart = np.diff(steps[:-1])
    assert apart.max() <= 2 * apart.min()
    assert not any(kept.weights for kept in past.kept[:-1]), "what only decodes is let go"
    past.keep(replace(model, step=9_000))  # training went back
    steps = [kept.step for kept in past.kept]
    assert steps[-1] == 9_000
    assert steps == sorted(set(steps))
    assert model.posterior is not None
    three = 3.5 * (2 * model.posterior.loc.nbytes + model.posterior.row_steps.nbytes)
    monkeypatch.setattr(past_models, "MOST_BYTES", int(three))
    for step in range(9_000, 12_000, 7):
        past.keep(replace(model, step=step))
    assert len(past.kept) <= 3
    decoder.forget()
    assert not past.kept
    assert decoder.close()
