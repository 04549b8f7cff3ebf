from __future__ import annotations

import numpy as np
import pytest
from PySide6.QtCore import QPointF
from PySide6.QtGui import QColor
from pytestqt.qtbot import QtBot

from vaeviewer.session.view_state import ViewState
from vaeviewer.ui.plane.heat_map import HeatMap
from vaeviewer.ui.plane.latent_view import LatentView
from vaeviewer.ui.widgets.theme import DARK, LIGHT, Theme, build_palette


@pytest.fixture
def view(qtbot: QtBot) -> LatentView:
    latent_view = LatentView()
    qtbot.addWidget(latent_view)
    latent_view.resize(640, 560)
    with qtbot.waitExposed(latent_view):
        latent_view.show()
    return latent_view


def contrast(view: LatentView, at: tuple[float, float], theme: Theme) -> int:
    """How far the colour of a place is from the ground's."""
    image = view.grab().toImage()
    place: QPointF = view.viewport_position(*at) + QPointF(view.viewport().mapTo(view, view.viewport().pos()))
    color, ground = image.pixelColor(place.toPoint()), QColor(theme.canvas)
    return sum(abs(a - b) for a, b in zip(color.getRgb(), ground.getRgb(), strict=True))


@pytest.mark.parametrize("theme", [LIGHT, DARK])
def test_high_shades_stand_out_where_they_belong_and_only_while_wanted(
    view: LatentView, theme: Theme
) -> None:
    view.setPalette(build_palette(theme))
    shades = np.array([[0.3, 1.0], [0.0, np.nan]], np.float32)  # high z2 first
    view.backdrop.set_map("height", HeatMap(shades, (0.0, 0.0, 2.0, 2.0), "height", ("1", "9")))
    middles = {"some": (0.4, 1.6), "most": (1.6, 1.6), "least": (0.4, 0.4), "none": (1.6, 0.4)}
    assert all(contrast(view, at, theme) == 0 for at in middles.values())
    view.update_frame(None, ViewState(behind="height"))
    found = {name: contrast(view, at, theme) for name, at in middles.items()}
    assert found["none"] == 0
    assert found["least"] < 12 < 40 < found["some"] < found["most"]
    assert view.backdrop.scale.isVisible()
    assert view.backdrop.scale.title == "height"


def test_a_map_and_the_images_take_turns(view: LatentView) -> None:
    white = np.zeros((4, 4), np.uint8)  # the light scheme shows the negative
    view.backdrop.set_images(white, (0.0, 0.0, 2.0, 2.0))
    full = HeatMap(np.ones((2, 2), np.float32), (0.0, 0.0, 2.0, 2.0), "height", ("1", "9"))
    view.backdrop.set_map("height", full)
    view.update_frame(None, ViewState(behind="height"))
    assert contrast(view, (1.0, 1.0), LIGHT) > 0
    view.update_frame(None, ViewState(behind="images"))
    assert contrast(view, (1.0, 1.0), LIGHT) == 0
    assert not view.backdrop.scale.isVisible()
    view.update_frame(None, ViewState(behind="height"))
    view.backdrop.set_map("height", None)  # of another model
    assert contrast(view, (1.0, 1.0), LIGHT) == 0
    assert not view.backdrop.scale.isVisible()
