"""What the commands make of a run, whatever the kind of model."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from run_folders import save

from vaeviewer.backend.config import Settings, updated
from vaeviewer.backend.data.base import ImageDataset
from vaeviewer.backend.models import registry
from vaeviewer.backend.runs import restore
from vaeviewer.backend.training import loop
from vaeviewer.backend.training.trainer import Trainer
from vaeviewer.cli import main

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("key", registry.families())
def test_a_run_is_evaluated_and_drawn(
    key: str,
    small: Settings,
    digits: ImageDataset,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(restore, "load_source", lambda *_: digits)
    trainer = Trainer(digits, updated(small, family=key, epochs=1))
    loop.train(trainer, go_on=lambda: True, after_block=lambda: None)
    save(trainer, tmp_path / "run")
    assert main(["evaluate", str(tmp_path / "run"), "--json", "--limit", "20"]) == 0
    report = json.loads(capsys.readouterr().out)
    family = registry.family(key)
    for metric in family.metrics:
        assert math.isfinite(report[metric.key])
    assert (report["knn5_accuracy"] is not None) == family.capabilities.encodes
    file = tmp_path / "manifold.png"
    words = ["--manifold", str(file), "--size", "4", "--spacing", "gaussian"]
    assert main(["export", str(tmp_path / "run"), *words]) == 0
    picture = np.asarray(Image.open(file))
    assert picture.shape == (4 * 28, 4 * 28)
    assert picture.std() > 0
