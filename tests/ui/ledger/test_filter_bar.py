"""What one may type into the bounds."""

from __future__ import annotations

import pytest
from pytestqt.qtbot import QtBot

from vaeviewer.ui.ledger.filter_bar import FilterBar


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("−1,234.56", -1234.56),
        ("-120,5", -120.5),
        (" 3 ", 3.0),
        ("1,234", 1234.0),
        ("−12,345,678.5", -12345678.5),
        ("12,34", 12.34),
        ("0,125", 0.125),
        ("1,2345", 1.2345),
        ("1,23.4", None),
        ("1,2,3", None),
        ("abc", None),
        ("nan", None),
    ],
)
def test_a_number_may_be_copied_from_the_table(qtbot: QtBot, text: str, value: float | None) -> None:
    bar = FilterBar()
    qtbot.addWidget(bar)
    bar.low.setText(text)
    assert bar.wanted().low == value
    assert bool(bar.problem()) == (value is None)
