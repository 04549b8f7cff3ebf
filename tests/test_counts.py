"""Numbers in sentences."""

from __future__ import annotations

import pytest

from vaeviewer.counts import counted, number


@pytest.mark.parametrize(
    ("count", "nouns", "text"),
    [
        (0, ("image",), "0 images"),
        (1, ("image",), "1 image"),
        (1234, ("held-out image",), "1,234 held-out images"),
        (1, ("class", "classes"), "1 class"),
        (2, ("file was", "files were"), "2 files were"),
    ],
)
def test_a_count_agrees_with_its_noun(count: int, nouns: tuple[str, ...], text: str) -> None:
    assert counted(count, *nouns) == text


@pytest.mark.parametrize(
    ("value", "decimals", "text"),
    [
        (57.64, 1, "57.6"),
        (57.64, 0, "58"),
        (-1234.5, 1, "−1,234.5"),
        (1.9819718e21, 0, "2.0 × 10²¹"),
        (-8.1e18, 1, "−8.1 × 10¹⁸"),
    ],
)
def test_a_figure_is_never_longer_than_one_reads(value: float, decimals: int, text: str) -> None:
    assert number(value, decimals) == text
