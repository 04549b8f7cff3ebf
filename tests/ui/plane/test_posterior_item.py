"""The plane draws the selected image's posterior as it is, where that is no Gaussian."""

from __future__ import annotations

import pytest
from PySide6.QtGui import QImage
from pytestqt.qtbot import QtBot

from vaeviewer.backend.config import Settings, updated
from vaeviewer.backend.data.base import ImageDataset
from vaeviewer.backend.training.trainer import Trainer
from vaeviewer.session.grid_decoder import GridDecoder
from vaeviewer.session.view_state import ViewState
from vaeviewer.ui.plane.latent_view import LatentView


def picture(view: LatentView) -> QImage:
    return view.grab().toImage()


@pytest.mark.parametrize("family", ["flow", "vae"])
def test_a_bent_posterior_takes_the_place_of_ellipses(
    qtbot: QtBot, digits: ImageDataset, small: Settings, family: str
) -> None:
    decoder = GridDecoder()
    view = LatentView(decoder=decoder)
    qtbot.addWidget(view)
    view.resize(500, 400)
    view.show()
    view.set_dataset(digits)
    snapshot = Trainer(digits, updated(small, family=family)).snapshot()
    try:
        view.update_frame(snapshot, ViewState())
        item, marks = view._posterior_item, view._marks_item
        assert item.shape_shown is None
        view.update_frame(snapshot, ViewState(selected=5))
        if family == "vae":
            assert marks._selected is not None
            assert marks._selected.scale is not None
            qtbot.wait(100)
            assert item.shape_shown is None
            return
        qtbot.waitUntil(lambda: item.shape_shown is not None, timeout=20_000)
        assert marks._selected is not None
        assert marks._selected.scale is None, "no ellipse"
        drawn, first = picture(view), item.shape_shown
        view.update_frame(snapshot, ViewState(selected=5, z=(0.5, 0.5)))
        assert item.shape_shown is first, "a drag asks for nothing"
        view.update_frame(snapshot, ViewState(selected=6))
        assert item.shape_shown is None, "not of another image"
        qtbot.waitUntil(lambda: item.shape_shown is not None, timeout=20_000)
        view.update_frame(snapshot, ViewState())
        assert item.shape_shown is None
        assert picture(view) != drawn
    finally:
        decoder.close()
