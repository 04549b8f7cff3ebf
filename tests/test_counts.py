"""Counts and their nouns."""

from __future__ import annotations

import pytest

from vaeviewer.counts import counted


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
