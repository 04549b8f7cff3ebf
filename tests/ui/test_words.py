"""The words of the controls, in the window that students read them in."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from PySide6.QtCore import Qt
from PySide6.QtGui import QAction
from PySide6.QtWidgets import QCheckBox, QComboBox, QLabel, QPushButton
from pytestqt.qtbot import QtBot
from small_images import write_idx_folder

from vaeviewer.backend.config import Settings
from vaeviewer.session.states import Action, State
from vaeviewer.ui.window.main_window import MainWindow

MakeWindow = Callable[[Settings], MainWindow]


def test_the_loss_view_speaks_of_the_loss(qtbot: QtBot, make_window: MakeWindow, small: Settings) -> None:
    window = make_window(small)
    panel = window.elbo_terms
    dock = next(dock for dock in window.docks if dock.isAncestorOf(panel))
    kind, reconstruction = (
        panel.findChild(QComboBox, "yAxis"),
        panel.findChild(QCheckBox, "reconstruction"),
    )
    for key, title, name, curves in (
        (
            Qt.Key.Key_Down,
            "Loss terms",
            "Reconstruction error",
            "Loss (−ELBO) and reconstruction error by step",
        ),
        (Qt.Key.Key_Up, "ELBO terms", "Reconstruction", "ELBO and reconstruction by step"),
    ):
        qtbot.keyClick(kind, key)
        assert (dock.windowTitle(), panel.accessibleName()) == (title, title)
        assert reconstruction.text() == name
        assert curves in [label.text() for label in panel.findChildren(QLabel)]
        texts = [action.text() for action in window.findChildren(QAction)]
        entries = [text for text in texts if "terms" in text.replace("&", "")]
        assert [entry.replace("&", "") for entry in entries] == [title]
        assert entries[0].count("&") == 1


def test_images_of_another_size_are_said_to_need_a_new_model(
    qtbot: QtBot, make_window: MakeWindow, small: Settings, tmp_path: Path
) -> None:
    window = make_window(small)
    window.session.request(Action.STEP)
    qtbot.waitUntil(lambda: window.session.snapshot is not None and window.session.snapshot.step == 1)
    write_idx_folder(tmp_path / "wide", train=40, height=20, width=48)
    window.session.load_data("folder", tmp_path / "wide")
    qtbot.waitUntil(lambda: "another size" in window.message.text)
    assert window.message.text.endswith(
        "These images have another size (20×48 pixels, not 28×28 pixels), so they need a new model."
    )
    start, *keep = (
        b for b in window.message.findChildren(QPushButton) if "anew" in b.text() or "Keep" in b.text()
    )
    assert not keep
    qtbot.mouseClick(start, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: window.session.state is State.READY, timeout=30_000)
    assert window.session.snapshot is not None
    assert window.session.snapshot.image_shape == (20, 48)
