"""Strokes become images as those of MNIST are: real ones come out as they were."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from vaeviewer.analysis.handwriting import ink_is_dark, like_mnist
from vaeviewer.backend.data.base import ImageDataset


def test_a_real_digit_comes_out_as_it_went_in(digits: ImageDataset) -> None:
    """MNIST's own pre-processing made it: enlarged, moved and processed again it has to be nearly the same."""
    for image in digits.train_images[:40]:
        sheet = np.zeros((400, 400), np.uint8)
        sheet[20:300, 90:370] = image.repeat(10, axis=0).repeat(10, axis=1)
        found = like_mnist(sheet, 28, 28).astype(float)
        assert np.corrcoef(found.ravel(), image.ravel().astype(float))[0, 1] > 0.97


def test_the_centre_of_mass_is_in_the_middle_and_the_longer_side_is_twenty() -> None:
    rng = np.random.default_rng(0)
    for _ in range(20):
        sheet = np.zeros((280, 280), np.uint8)
        for _ in range(12):  # a random walk of blots
            y, x = rng.integers(60, 220, 2)
            sheet[y - 12 : y + 12, x - 12 : x + 12] = 255
        image = like_mnist(sheet, 28, 28).astype(float)
        rows, columns = np.flatnonzero(image.any(1)), np.flatnonzero(image.any(0))
        assert max(rows[-1] - rows[0], columns[-1] - columns[0]) + 1 == pytest.approx(20, abs=1)
        grid = np.arange(28) + 0.5
        centre = [(image.sum(1 - axis) * grid).sum() / image.sum() for axis in (0, 1)]
        assert centre == pytest.approx([14.5, 14.5], abs=0.6)


@given(
    st.integers(1, 60),
    st.integers(1, 60),
    st.integers(1, 40),
    st.integers(1, 40),
    st.binary(min_size=1, max_size=9),
)
def test_any_strokes_fit_any_image(h: int, w: int, height: int, width: int, ink: bytes) -> None:
    strokes: NDArray[np.uint8] = np.resize(np.frombuffer(ink, np.uint8), (h, w))
    found = like_mnist(strokes, height, width)
    assert (found.shape, found.dtype) == ((height, width), np.uint8)
    if strokes.max() <= 8:
        assert not found.any()


def test_dark_ink_is_told_by_the_edges(digits: ImageDataset) -> None:
    assert not ink_is_dark(digits.train_images)
    assert ink_is_dark(255 - digits.train_images)
    assert ink_is_dark(np.repeat(255 - digits.train_images[..., None], 3, axis=-1))
