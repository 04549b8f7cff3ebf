from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from PySide6.QtCore import QSize

from vaeviewer.ui.images.pair_grid import pair_layout


@given(
    st.integers(1, 1500), st.integers(1, 1500), st.integers(1, 300), st.integers(1, 300), st.integers(1, 30)
)
def test_pairs_stay_within_their_room(
    width: int, height: int, image_w: int, image_h: int, count: int
) -> None:
    gap = 4
    layout = pair_layout(QSize(width, height), QSize(image_w, image_h), count, gap, 48)
    columns, rows = layout.columns, layout.rows
    if columns * rows == 0:
        return
    assert columns * (layout.width + gap) - gap <= width
    assert rows * (2 * layout.height + 3 * gap) - 2 * gap <= height
    if layout.width >= image_w and layout.height >= image_h:  # never enlarged by a broken factor
        assert layout.width % image_w == 0
        assert layout.width * image_h == layout.height * image_w


def test_a_small_room_shows_four_legible_pairs_a_large_one_all_ten() -> None:
    small = pair_layout(QSize(248, 120), QSize(28, 28), 10, 4, 48)
    assert (small.columns, small.rows, small.width) == (4, 1, 56)
    large = pair_layout(QSize(600, 400), QSize(28, 28), 10, 4, 48)
    assert large.columns * large.rows >= 10
    assert large.width == 84
