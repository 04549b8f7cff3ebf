"""A window opens no larger than its screen."""

from __future__ import annotations

import pytest
from PySide6.QtCore import QSize

from vaeviewer.ui.window.first_size import first_size


@pytest.mark.parametrize(
    ("available", "expected"),
    [
        ((1920, 1040), (1280, 800)),
        ((1366, 728), (1280, 680)),
        ((1040, 2000), (1024, 800)),
        ((960, 540), (957, 600)),
        ((640, 480), (957, 600)),  # as small as it can be
    ],
)
def test_it_fits_where_it_can(available: tuple[int, int], expected: tuple[int, int]) -> None:
    assert first_size(QSize(1280, 800), QSize(957, 600), QSize(*available)) == QSize(*expected)
