"""What ARCHITECTURE.md shows works as it stands there, copied word for word."""

from __future__ import annotations

import importlib.util
import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import same_arrays
from PySide6.QtGui import QImage
from PySide6.QtWidgets import QWidget
from pytestqt.qtbot import QtBot
from run_folders import save

from vaeviewer.backend.config import Settings, updated
from vaeviewer.backend.data.base import ImageDataset
from vaeviewer.backend.models import registry
from vaeviewer.backend.runs import restore
from vaeviewer.backend.training import loop
from vaeviewer.backend.training.trainer import Trainer
from vaeviewer.session.states import Action
from vaeviewer.ui.panel import Explanation, Panel
from vaeviewer.ui.window import panels
from vaeviewer.ui.window.main_window import MainWindow

PAGE = Path(__file__).parents[1] / "ARCHITECTURE.md"


def example(heading: str) -> str:
    """The code below a heading."""
    found = re.search(rf"^## {heading}\n.*?^```python\n(.*?)^```", PAGE.read_text("utf-8"), re.M | re.S)
    assert found is not None
    return found[1]


@pytest.fixture
def plainest(small: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Settings]:
    file = tmp_path / "plainest.py"
    file.write_text(example("How to add a family"), "utf-8")
    spec = importlib.util.spec_from_file_location("plainest_of_the_page", file)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, spec.name, module)
    spec.loader.exec_module(module)
    registry.register(module.FAMILY)
    yield updated(small, family="plainest", epochs=3)
    registry.unregister("plainest")


def train(trainer: Trainer, until: int = 10**6) -> Trainer:
    loop.train(trainer, go_on=lambda: min(1, max(0, until - trainer.step_count)), after_block=lambda: None)
    return trainer


def test_its_family_trains_and_is_saved_and_resumed(
    plainest: Settings, digits: ImageDataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(restore, "load_source", lambda *_: digits)
    whole = Trainer(digits, plainest)
    before = whole.evaluate()
    train(whole)
    assert before is not None
    assert whole.held_out is not None
    assert whole.held_out.values["error"] < 0.9 * before.values["error"]
    save(train(Trainer(digits, plainest), until=17), tmp_path / "run")
    resumed = train(restore.open_run(tmp_path / "run"))
    assert resumed.held_out == whole.held_out
    assert same_arrays(resumed.checkpoint().snapshot.weights, whole.checkpoint().snapshot.weights)
    assert same_arrays(resumed.checkpoint().training.tensors, whole.checkpoint().training.tensors)


@pytest.mark.qt_log_ignore("This plugin does not support", extend=True)
def test_its_family_and_its_panel_are_drawn(
    qtbot: QtBot,
    make_window: Callable[[Settings], MainWindow],
    plainest: Settings,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    class Norms(QWidget):
        shown = 0.0

        def show_weights(self, snapshot: Any) -> None:
            if snapshot is not None:
                self.shown = sum(float(np.square(weights).sum()) for weights in snapshot.weights.values())

    # Its last comma makes a tuple of the entry.
    entry = eval(example("How to add a panel"), {"Panel": Panel, "Explanation": Explanation, "Norms": Norms})
    monkeypatch.setattr(panels, "PANELS", (*panels.PANELS, entry))
    window = make_window(updated(plainest, epochs=100_000))
    norms = window.findChild(Norms)
    assert norms is not None

    def picture() -> QImage:
        image: QImage = window.decoded._image.shown_image()
        return image.copy()

    first, weights = picture(), norms.shown
    window.session.request(Action.TRAIN)
    qtbot.waitUntil(lambda: picture() != first and norms.shown not in (0.0, weights), timeout=20_000)
    window.session.request(Action.STOP)
