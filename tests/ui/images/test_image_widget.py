from __future__ import annotations

import gc

import numpy as np
import pytest
from helpers_images import grabbed, pixels_of
from PySide6.QtGui import QColor, QPaintEvent
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from vaeviewer.ui.images.image_widget import ImageWidget
from vaeviewer.ui.widgets.pictures import to_qimage
from vaeviewer.ui.widgets.theme import DARK, LIGHT, build_palette

GREY = np.random.default_rng(0).integers(0, 256, (5, 7), dtype=np.uint8)


class CountingWidget(ImageWidget):
    paints = 0

    def paintEvent(self, event: QPaintEvent) -> None:
        self.paints += 1
        super().paintEvent(event)


def shown(qtbot: QtBot, width: int, height: int, **options: bool) -> CountingWidget:
    widget = CountingWidget(**options)
    qtbot.addWidget(widget)
    widget.setPalette(build_palette(LIGHT))
    widget.resize(width, height)
    widget.show()
    qtbot.waitUntil(lambda: widget.paints > 0)
    return widget


def test_enlarged_pixels_are_exact_squares_centred_in_a_border(qtbot: QtBot) -> None:
    widget = shown(qtbot, 41, 30)
    widget.set_image(GREY)
    picture = grabbed(widget)
    # 41 - 2 border pixels give 5 times 7 columns, 30 - 2 give 5 times 5 rows.
    rect = widget.image_rect().toRect()
    assert (rect.width(), rect.height()) == (35, 25)
    assert (rect.x(), rect.y()) == (3, 2)
    enlarged = np.repeat(np.repeat(GREY, 5, 0), 5, 1)
    assert (picture[2:27, 3:38] == enlarged[..., None]).all()
    border = QColor(LIGHT.border).getRgb()[:3]
    assert (picture[1, 2:39] == border).all()
    assert (picture[27, 2:39] == border).all()
    assert (picture[1:28, 2] == border).all()
    assert (picture[1:28, 38] == border).all()
    assert (picture[0] == QColor(LIGHT.window).getRgb()[:3]).all()


def test_colours_are_kept(qtbot: QtBot) -> None:
    rgb = np.random.default_rng(1).integers(
        0, 256, (3, 5, 3), dtype=np.uint8
    )  # rows of 15 bytes: padded by Qt
    widget = shown(qtbot, 12, 8)
    widget.set_image(rgb)
    rect = widget.image_rect().toRect()
    drawn = grabbed(widget)[rect.top() : rect.bottom() + 1, rect.left() : rect.right() + 1]
    assert (drawn == np.repeat(np.repeat(rgb, 2, 0), 2, 1)).all()


def test_the_screens_own_pixels_are_counted(qtbot: QtBot, monkeypatch: pytest.MonkeyPatch) -> None:
    widget = shown(qtbot, 41, 30)
    widget.set_image(GREY)
    monkeypatch.setattr(widget, "devicePixelRatioF", lambda: 1.5)
    rect = widget.image_rect()  # 61 x 45 device pixels, 2 of border: 8 times
    assert (rect.width() * 1.5, rect.height() * 1.5) == (56, 40)
    assert (rect.x() * 1.5).is_integer()
    assert widget.shown_image().width() == 56


def test_large_images_are_reduced_smoothly(qtbot: QtBot) -> None:
    stripes = np.zeros((400, 400), dtype=np.uint8)
    stripes[:, ::2] = 255
    widget = shown(qtbot, 122, 102)
    widget.set_image(stripes)
    rect = widget.image_rect().toRect()
    assert (rect.width(), rect.height()) == (100, 100)
    inner = grabbed(widget)[rect.top() + 2 : rect.bottom() - 2, rect.left() + 2 : rect.right() - 2]
    assert (
        abs(inner.astype(int) - 127.5) < 2
    ).all()  # averages of four, where picking pixels would give 0 or 255


def test_images_of_many_pixels_fill_the_widget(qtbot: QtBot) -> None:
    widget = shown(qtbot, 402, 442)
    for side, drawn in ((28, 392), (64, 384), (128, 400), (256, 400)):
        widget.set_image(np.full((side, side), 200, dtype=np.uint8))
        rect = widget.image_rect().toRect()
        assert (rect.width(), rect.height()) == (drawn, drawn)
        assert (grabbed(widget)[rect.top() : rect.bottom() + 1, rect.left() : rect.right() + 1] == 200).all()


def test_filling_uses_the_whole_widget(qtbot: QtBot) -> None:
    widget = shown(qtbot, 102, 77, fill=True)
    widget.set_image(np.full((28, 28), 200, dtype=np.uint8))
    assert widget.image_rect().height() == 75
    rect = widget.image_rect().toRect()
    assert (grabbed(widget)[rect.top() : rect.bottom() + 1, rect.left() : rect.right() + 1] == 200).all()


def test_the_image_is_a_copy(qtbot: QtBot) -> None:
    widget = shown(qtbot, 9, 7)
    pixels = GREY.copy()
    widget.set_image(pixels)
    pixels[:] = 0
    del pixels
    gc.collect()
    assert (grabbed(widget)[1:6, 1:8] == GREY[..., None]).all()


def test_it_repaints_only_when_something_changed(qtbot: QtBot) -> None:
    widget = shown(qtbot, 40, 40)
    widget.set_image(GREY)
    widget.set_placeholder("later")
    QApplication.processEvents()
    before = widget.paints
    widget.set_image(GREY.copy())
    widget.set_placeholder("later")
    QApplication.processEvents()
    assert widget.paints == before
    widget.set_image(255 - GREY)
    qtbot.waitUntil(lambda: widget.paints == before + 1)


def test_a_placeholder_in_the_muted_ink_stands_in_for_no_image(qtbot: QtBot) -> None:
    widget = shown(qtbot, 200, 60)
    blank = grabbed(widget)
    widget.set_placeholder("Waiting for the model…")
    assert (grabbed(widget) != blank).any()
    widget.set_image(GREY)
    assert widget.has_image()
    widget.set_image(None)
    assert not widget.has_image()
    assert widget.image_rect().isEmpty()
    assert widget.shown_image() is None
    assert (grabbed(widget) != blank).any()


def test_the_border_follows_the_palette(qtbot: QtBot) -> None:
    widget = shown(qtbot, 9, 7)
    widget.set_image(GREY)
    widget.setPalette(build_palette(DARK))
    assert (grabbed(widget)[0] == QColor(DARK.border).getRgb()[:3]).all()


def test_a_widget_too_small_for_anything_still_paints(qtbot: QtBot) -> None:
    widget = shown(qtbot, 30, 30)
    widget.set_image(np.zeros((28, 28), dtype=np.uint8))
    widget.resize(1, 1)
    assert not widget.grab().isNull()


def test_what_is_shown_can_be_taken(qtbot: QtBot) -> None:
    widget = shown(qtbot, 23, 17)
    widget.set_image(GREY)
    assert (pixels_of(widget.shown_image())[..., 0] == np.repeat(np.repeat(GREY, 3, 0), 3, 1)).all()


@pytest.mark.parametrize(
    "pixels",
    [np.zeros((2, 2)), np.zeros((2, 2, 4), np.uint8), np.zeros((0, 3), np.uint8), np.zeros(4, np.uint8)],
)
def test_arrays_that_are_no_image_are_refused(pixels: np.ndarray) -> None:
    with pytest.raises(ValueError, match="not a grey or RGB image"):
        to_qimage(pixels)
