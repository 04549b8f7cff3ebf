"""The style on both grounds: outlines that can be seen, and nothing that keeps the colours of the scheme before."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from PySide6.QtCore import QPoint, Qt
from PySide6.QtGui import QColor, QImage, QPalette
from PySide6.QtWidgets import (
    QAbstractButton,
    QApplication,
    QCheckBox,
    QComboBox,
    QDockWidget,
    QLineEdit,
    QMainWindow,
    QSpinBox,
    QToolBar,
    QVBoxLayout,
    QWidget,
)
from pytestqt.qtbot import QtBot

from vaeviewer.ui.widgets.style import CrispFusion
from vaeviewer.ui.widgets.theme import DARK, LIGHT, Theme, build_palette
from vaeviewer.ui.window.message_bar import MessageBar


@pytest.fixture
def styled(qapp: QApplication) -> Iterator[QApplication]:
    """The application in the program's style; palette and style are put back."""
    before, palette = qapp.style().objectName(), QPalette(qapp.palette())
    qapp.setStyle(CrispFusion())
    yield qapp
    qapp.setStyle(before or "Fusion")
    qapp.setPalette(palette)


def contrast(a: QColor, b: QColor) -> float:
    """Contrast ratio of two colours by WCAG 2, 1 to 21."""

    def luminance(color: QColor) -> float:
        parts = (color.redF(), color.greenF(), color.blueF())
        linear = [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    high, low = sorted((luminance(a), luminance(b)), reverse=True)
    return (high + 0.05) / (low + 0.05)


def strongest(widget: QWidget, ground: QColor) -> float:
    """The contrast with ``ground`` of what stands out most along the widget's middle row."""
    image = widget.grab().toImage()
    row = image.height() // 2
    return max(contrast(image.pixelColor(x, row), ground) for x in range(min(24, image.width())))


@pytest.mark.parametrize("theme", [LIGHT, DARK], ids=["light", "dark"])
@pytest.mark.parametrize("kind", [QCheckBox, QLineEdit, QSpinBox])
def test_empty_fields_have_an_outline(
    qtbot: QtBot, styled: QApplication, theme: Theme, kind: type[QWidget]
) -> None:
    styled.setPalette(build_palette(theme))
    page = QWidget()
    layout = QVBoxLayout(page)
    widget = kind()
    layout.addWidget(QLineEdit())  # takes the focus, whose frame would be seen anyway
    layout.addWidget(widget)
    if isinstance(widget, QSpinBox):
        widget.clear()
    qtbot.addWidget(page)
    page.show()
    assert strongest(widget, QColor(theme.window)) > (3.0 if kind is QCheckBox else 1.4)


def test_a_checked_box_differs_from_an_empty_one(qtbot: QtBot, styled: QApplication) -> None:
    styled.setPalette(build_palette(DARK))
    box = QCheckBox()
    qtbot.addWidget(box)
    empty = box.grab().toImage()
    box.setChecked(True)
    assert box.grab().toImage() != empty
    box.setEnabled(False)
    disabled = box.grab().toImage()
    box.setEnabled(True)
    assert box.grab().toImage() != disabled


def test_a_message_on_screen_follows_the_scheme(qtbot: QtBot, styled: QApplication) -> None:
    styled.setPalette(build_palette(LIGHT))
    bar = MessageBar()
    qtbot.addWidget(bar)
    bar.show_message("Something to read.", details="and more")
    bar.resize(600, 60)
    spot = QPoint(8, 30)
    assert bar.grab().toImage().pixelColor(spot) == QColor(LIGHT.base)
    styled.setPalette(build_palette(DARK))
    qtbot.waitUntil(lambda: bar.grab().toImage().pixelColor(spot) == QColor(DARK.base))


@pytest.mark.parametrize("theme", [LIGHT, DARK], ids=["light", "dark"])
def test_the_buttons_of_docks_can_be_seen(qtbot: QtBot, styled: QApplication, theme: Theme) -> None:
    styled.setPalette(build_palette(theme))
    window = QMainWindow()
    dock = QDockWidget("A dock", window)
    window.addDockWidget(Qt.DockWidgetArea.LeftDockWidgetArea, dock)
    qtbot.addWidget(window)
    window.show()
    buttons = [b for b in dock.findChildren(QAbstractButton) if b.isVisible()]
    assert len(buttons) == 2
    for button in buttons:
        image = button.grab().toImage()
        spots = [image.pixelColor(x, y) for x in range(image.width()) for y in range(image.height())]
        assert max(contrast(spot, QColor(theme.window)) for spot in spots) > 4.0, button.objectName()


def test_a_dark_toolbar_has_no_bright_edge(qtbot: QtBot, styled: QApplication) -> None:
    styled.setPalette(build_palette(DARK))
    window = QMainWindow()
    bar = QToolBar()
    bar.setFixedHeight(40)
    window.addToolBar(bar)
    qtbot.addWidget(window)
    window.show()
    image = window.grab().toImage()
    window_color = QColor(DARK.window)
    assert all(
        contrast(image.pixelColor(image.width() // 2, y), window_color) < 1.7 for y in range(image.height())
    )


def test_a_choice_with_too_little_room_ends_in_an_ellipsis(qtbot: QtBot, styled: QApplication) -> None:
    text = "Equal spacing, −3 to 3"

    def picture(text: str, width: int) -> QImage:
        box = QComboBox()
        box.addItem(text)
        qtbot.addWidget(box)
        box.resize(width, 28)
        return box.grab().toImage()

    narrow = picture(text, 130)
    fitting = [f"{text[:kept]}…" for kept in range(5, 15)]
    assert narrow in [picture(other, 130) for other in fitting], "whole letters, then the ellipsis"
    assert picture(text, 400) not in [picture(other, 400) for other in fitting]
