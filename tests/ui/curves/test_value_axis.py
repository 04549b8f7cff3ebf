"""Axes: round numbers, true minus signs, and no label that an edge cuts."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PySide6.QtGui import QFontMetrics, QImage, QPainter
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from vaeviewer.ui.curves.value_axis import LONGEST_NUMBERS, ValueAxis, decade_ticks, number_label, round_ticks
from vaeviewer.ui.plane.latent_canvas import LatentCanvas
from vaeviewer.ui.plane.latent_geometry import Box


def test_ticks_are_round() -> None:
    assert round_ticks(-217.0, -138.0, 4) == [-200.0, -180.0, -160.0, -140.0]
    assert decade_ticks(0.05, 30.0, 6) == [0.1, 1.0, 10.0]
    assert number_label(-1234.5, 2) == "−1,234.50"
    assert number_label(-0.001, 2) == "0.00"


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (-12_345.678, "−12,345.68"),
        (-123_456.789, "−123,456.8"),
        (9_999_999.4, "9,999,999"),
        (9_999_999.6, "1.0 × 10⁷"),
        (-8_112_003_275_684_839_424.0, "−8.1 × 10¹⁸"),
        (float("-inf"), "−∞"),
        (float("nan"), "–"),
    ],
)
def test_a_large_number_is_short(value: float, text: str) -> None:
    assert number_label(value, 2) == text


@given(st.floats(width=32))
def test_no_number_is_wider_than_its_column(qapp: QApplication, value: float) -> None:
    metrics = QFontMetrics(QApplication.font())
    widest = max(map(metrics.horizontalAdvance, LONGEST_NUMBERS))
    assert metrics.horizontalAdvance(number_label(value, 2)) <= widest


def test_what_is_counted_has_whole_ticks() -> None:
    assert round_ticks(0.0, 1.012, 3, 1.0) == [0.0, 1.0]
    assert round_ticks(0.0, 3.0, 9, 1.0) == [0.0, 1.0, 2.0, 3.0]
    assert round_ticks(0.0, 3.0, 9) == [0.0, 0.5, 1.0, 1.5, 2.0, 2.5, 3.0]


@pytest.mark.parametrize("most", [1, 2, 3])
def test_a_curve_of_any_length_has_two_numbers_below_it(most: int) -> None:
    for steps in range(2, 5000):
        assert len(round_ticks(0.0, 1.012 * steps, most)) >= 2


def test_ticks_of_a_tiny_range_differ() -> None:
    low, high = -1.3645131169932094e38, -1.364513116990694e38  # where zooming in far out ends
    far = round_ticks(low, high, 6)
    assert len(set(far)) == len(far) >= 2
    assert all(low <= tick <= high for tick in far)
    assert round_ticks(1e-30, 3.5e-30, 3) == [1e-30, 2e-30, 3e-30]
    assert min(decade_ticks(1e-300, 2e-300, 4)) >= 1e-300


@pytest.mark.parametrize("log", [False, True])
def test_an_axis_of_any_range_has_few_and_short_labels(qapp: QApplication, log: bool) -> None:
    axis = ValueAxis("left", 26)
    axis.set_log(log)
    for exponent in range(-6, 309, 3):
        low, high = (-(10.0**exponent), 2 * 10.0**exponent)
        ((spacing, ticks),) = axis.tickValues(low, high, 100)
        assert 1 <= len(ticks) <= 5
        assert max(map(len, axis.tickStrings(ticks, 1.0, spacing))) <= len("−5 × 10⁻³⁰⁰")
    assert axis.tickStrings([-4e10, -1.5e10, 0.0], 1.0, 1.0)[:2] == ["−4 × 10¹⁰", "−1.5 × 10¹⁰"] or log


@given(st.floats(-1e6, 1e6), st.floats(0.001, 1e6), st.integers(0, 20))
def test_there_are_some_ticks_and_not_too_many(low: float, width: float, most: int) -> None:
    ticks = round_ticks(low, low + width, most)
    assert 1 <= len(ticks) <= max(3, most + 1)
    slack = 1e-6 * (abs(low) + width)
    assert all(low - slack <= tick <= low + width + slack for tick in ticks)
    assert round_ticks(1.0, 460.0, 1) == [200.0, 400.0]


def labels(axis: ValueAxis) -> list[str]:
    """What is written beside the axis; each label is found to lie within the plot."""
    image = QImage(8, 8, QImage.Format.Format_RGB32)
    painter = QPainter(image)
    specs = axis.generateDrawSpecs(painter)
    painter.end()
    assert specs is not None
    plot = axis.getViewWidget()
    for place, _, _ in specs[2]:
        seen = plot.mapFromScene(axis.mapRectToScene(place)).boundingRect()
        assert plot.viewport().rect().contains(seen)
    return [text for _, _, text in specs[2]]


@pytest.mark.parametrize("size", [(700, 500), (703, 511), (400, 800)])
def test_labels_are_whole_or_left_out(qtbot: QtBot, size: tuple[int, int]) -> None:
    canvas = LatentCanvas()
    qtbot.addWidget(canvas)
    canvas.resize(*size)
    canvas.show()
    down, across = canvas.getAxis("left"), canvas.getAxis("bottom")
    for half in (60.0, 4.0, 0.05, 5000.0):
        for shift in range(10):  # so that ticks come close to each edge
            middle = 0.02 * shift * half
            canvas.show_box(Box(middle - half, middle + half, middle - half, middle + half))
            for axis in (down, across):
                (low, high), written = axis.range, labels(axis)
                ticks = axis.tickValues(
                    low, high, axis.size().height() if axis is down else axis.size().width()
                )
                assert len(ticks[0][1]) - 2 <= len(written) <= len(ticks[0][1])
    assert "−4,000" in labels(down)
