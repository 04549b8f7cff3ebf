"""After Reset nothing of the old run is on screen: neither while the new model is made, nor afterwards."""

from __future__ import annotations

import re
from collections.abc import Callable

import numpy as np
from helpers_images import grabbed
from helpers_mouse import drag
from PySide6.QtCore import QPointF
from PySide6.QtWidgets import QLabel, QWidget
from pytestqt.qtbot import QtBot

from vaeviewer.backend.config import Settings
from vaeviewer.session.states import Action, State
from vaeviewer.ui.draw.draw_panel import DrawPanel
from vaeviewer.ui.images.image_strip import ImageStrip
from vaeviewer.ui.images.image_widget import ImageWidget
from vaeviewer.ui.window.main_window import MainWindow

MakeWindow = Callable[[Settings], MainWindow]
NUMBERS = ("stepStatus", "speedStatus", "leftStatus", "savedStatus")


def pictures(qtbot: QtBot, window: MainWindow) -> dict[str, np.ndarray]:
    """What each panel looks like once all that is decoded beside the window has come."""
    window.plane.setFocus()
    window.set_view(behind="images")
    qtbot.waitUntil(lambda: window.manifold.picture() is not None and window.plane.backdrop.image is not None)
    qtbot.wait(700)  # names, range and curves keep their own time
    panels = ("plane", "elbo_terms", "reconstructions", "decoded", "manifold")
    return {name: grabbed(getattr(window, name)) for name in panels}


def test_reset_leaves_nothing_of_the_old_run(qtbot: QtBot, make_window: MakeWindow, small: Settings) -> None:
    window = make_window(small)
    session, plane = window.session, window.plane
    before = pictures(qtbot, window)
    session.request(Action.TRAIN)
    qtbot.waitUntil(lambda: session.state is State.FINISHED)
    window.set_view(selected=5)
    trained = pictures(qtbot, window)
    assert all(
        before[name].shape != trained[name].shape or (before[name] != trained[name]).any() for name in before
    ), "each panel shows the run"

    window._frames.decoder.request("manifold", session.snapshot, np.zeros((100, 2), np.float32), "equal")
    assert session.request(Action.RESET)
    # At once, before the new model is there:
    assert plane._points.positions is None
    assert plane._marks_item._classes == ()
    assert plane._marks_item._selected is None
    assert plane._step_item.text == ""
    assert plane.backdrop.image is None
    assert window.manifold.picture() is None
    assert window.reconstructions._pairs._drawn == []
    assert not window.decoded._image.has_image()
    assert all(len(curves) == 0 for curves in window.elbo_terms._curves.values())
    assert [window.statusBar().findChild(object, name).text() for name in NUMBERS] == [""] * 4
    assert window.controls._epoch.text().strip() == "Epoch 0 / 2"

    qtbot.waitUntil(lambda: session.state is State.READY and session.snapshot is not None)
    assert window.view.selected is None
    after = pictures(qtbot, window)
    # The same seed: the same model as at first. The line above the selected image may lie elsewhere.
    assert window.findChild(QLabel, "selectionHint").isVisible()
    for name in after.keys() - {"reconstructions"}:
        np.testing.assert_array_equal(after[name], before[name], err_msg=name)


def test_reset_leaves_nothing_of_the_old_run_in_the_mathematics(
    qtbot: QtBot, make_window: MakeWindow, small: Settings
) -> None:
    window = make_window(small)
    session = window.session
    for dock in [dock for dock in window.docks if dock.property("onDemand")]:
        dock.toggleViewAction().trigger()
        session.request(Action.TRAIN)
        qtbot.waitUntil(lambda: session.state is State.FINISHED, timeout=30_000)
        window.set_view(selected=5, z=(0.5, 0.5), second=(1.0, 1.0))
        draw = window.findChild(DrawPanel)
        if draw is not None:
            drag(draw.canvas, [QPointF(60, y) for y in (30, 50, 70, 90)])
        panel = dock.widget()
        qtbot.waitUntil(lambda panel=panel: figures(panel) != [], timeout=30_000)

        session.request(Action.RESET)
        assert session.snapshot is None
        assert figures(panel) == [], dock.windowTitle()
        qtbot.waitUntil(lambda: session.state is State.READY and session.snapshot is not None, timeout=30_000)


def figures(panel: QWidget) -> list[str]:
    """All that a panel says or shows of a model: words with numbers in them, and pictures but the user's own."""
    found = [label.text() for label in panel.findChildren(QLabel) if label.isVisible()]
    found = [text for text in found if re.search(r"\d", re.sub(r"<[^>]*>", "", text))]
    images = [image for image in panel.findChildren(ImageWidget) if image.isVisible() and image.has_image()]
    found += [
        name for name in (image.accessibleName() for image in images) if name != "Image that the model sees"
    ]
    found += [strip.accessibleName() for strip in panel.findChildren(ImageStrip) if strip.images]
    return found
