from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vaeviewer.analysis.manifold import (
    MOST_SHOWN,
    evenly_in_probability,
    grid,
    grid_points,
    manifold_picture,
    mosaic,
    thinned,
)
from vaeviewer.backend.models.families.vae import VaeConfig
from vaeviewer.backend.models.interface import DataSpec, ImageSpec
from vaeviewer.backend.models.latent_model import state_shapes
from vaeviewer.backend.snapshot import as_grey_levels, snapshot_of


def normal_cdf(z: float) -> float:
    return 0.5 * (1 + math.erf(z / math.sqrt(2)))


@given(st.integers(1, 40))
def test_gaussian_spacing_puts_equal_probability_between_neighbours(size: int) -> None:
    for axis in grid(size, "gaussian"):
        shares = [normal_cdf(z) for z in axis]
        assert shares == pytest.approx([(i + 0.5) / size for i in range(size)], abs=1e-9)


def test_codes_drawn_from_a_normal_prior_come_to_its_quantiles() -> None:
    draws = np.random.default_rng(0).standard_normal((400_000, 2))
    cells = evenly_in_probability(draws, 6)
    _, z2 = grid(6, "gaussian")
    np.testing.assert_allclose(cells[..., 1], np.broadcast_to(z2[::-1, None], (6, 6)), atol=0.05)
    np.testing.assert_allclose(
        [[normal_cdf(z) for z in row] for row in cells[..., 0].mean(axis=0)[None]],
        [(np.arange(6) + 0.5) / 6],
        atol=0.15,
    )


@given(st.integers(1, 7), st.integers(1, 5))
def test_each_cell_shows_one_of_the_codes_and_stands_for_as_many(size: int, rows: int) -> None:
    draws = np.random.default_rng(size).exponential(size=(size * rows * 9, 2)).astype(np.float32)
    cells = evenly_in_probability(draws, size, rows)
    assert cells.shape == (rows, size, 2)
    assert len({*map(tuple, cells.reshape(-1, 2).tolist())} & {*map(tuple, draws.tolist())}) == size * rows
    for column in range(size):
        assert (np.diff(cells[:, column, 1]) <= 0).all()
        if column:
            assert cells[:, column - 1, 0].max() <= cells[:, column, 0].min()


def test_equal_spacing_reaches_both_limits_in_equal_steps() -> None:
    z1, z2 = grid(13, "equal", limit=3.0)
    assert z1[0] == -3
    assert z1[-1] == 3
    assert np.diff(z1) == pytest.approx(0.5)
    assert (z1 == z2).all()


def test_a_single_point_lies_at_the_origin() -> None:
    assert grid(1, "equal")[0] == [0.0]
    assert grid(1, "gaussian")[0] == pytest.approx([0.0])


def test_a_grid_without_points_is_refused() -> None:
    with pytest.raises(ValueError, match="at least one"):
        grid(0, "equal")


def test_points_read_like_the_plane_top_row_first() -> None:
    points = grid_points(np.array([-1.0, 0.0, 1.0]), np.array([-2.0, 2.0]))
    assert points.dtype == np.float32
    assert points.tolist() == [[-1, 2], [0, 2], [1, 2], [-1, -2], [0, -2], [1, -2]]


def test_a_mosaic_places_images_in_reading_order() -> None:
    images = np.stack([np.full((2, 3), i + 1, dtype=np.uint8) for i in range(5)])
    picture = mosaic(images, columns=3, gap=1, background=9)
    assert picture.dtype == np.uint8
    assert picture.tolist() == [
        [1, 1, 1, 9, 2, 2, 2, 9, 3, 3, 3],
        [1, 1, 1, 9, 2, 2, 2, 9, 3, 3, 3],
        [9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9],
        [4, 4, 4, 9, 5, 5, 5, 9, 9, 9, 9],
        [4, 4, 4, 9, 5, 5, 5, 9, 9, 9, 9],
    ]


@given(st.integers(1, 12), st.integers(1, 6), st.integers(0, 3))
def test_every_image_is_found_whole_where_it_belongs(count: int, columns: int, gap: int) -> None:
    images = np.random.default_rng(0).integers(0, 256, (count, 4, 5), dtype=np.uint8)
    picture = mosaic(images, columns, gap)
    for i, image in enumerate(images):
        top, left = i // columns * (4 + gap), i % columns * (5 + gap)
        assert (picture[top : top + 4, left : left + 5] == image).all()


def test_an_empty_mosaic_is_refused() -> None:
    with pytest.raises(ValueError, match="needs images"):
        mosaic(np.zeros((0, 2, 2), dtype=np.uint8), 1)


@pytest.mark.parametrize("latent_dim", [1, 2, 5])
def test_a_picture_shows_what_the_decoder_draws(latent_dim: int) -> None:
    model, data = VaeConfig(hidden=(8,), latent_dim=latent_dim), DataSpec(ImageSpec(4, 6))
    draw = np.random.default_rng(0)
    weights = {
        name: draw.normal(size=size).astype(np.float32)
        for name, (_, size) in state_shapes(model, data)[0].items()
    }
    snapshot = snapshot_of(model, data, weights)
    picture = manifold_picture(snapshot, 3, "equal")
    assert picture.shape == (4 if latent_dim == 1 else 12, 18), "of one number a row"
    corner = np.array([[-3.0, 3.0, 0.0, 0.0, 0.0][:latent_dim]], np.float32)
    assert (picture[:4, :6] == as_grey_levels(snapshot.decode(corner))[0]).all()


@pytest.mark.parametrize("shape", [(28, 28), (28, 28, 3), (110, 110), (300, 200, 3), (2000, 3)])
@pytest.mark.parametrize(("count", "columns"), [(100, 10), (17, 17), (1, 1)])
def test_what_is_only_looked_at_is_no_larger_than_a_screen(
    shape: tuple[int, ...], count: int, columns: int
) -> None:
    ramp = np.add.outer(np.arange(shape[0]), np.arange(shape[1])) * 255 // (shape[0] + shape[1])
    image = (ramp if len(shape) == 2 else np.repeat(ramp[..., None], 3, 2)).astype(np.uint8)
    shown = thinned(np.repeat(image[None], count, 0), columns)
    rows = -(-count // columns)
    if max(columns * shape[1], rows * shape[0]) <= MOST_SHOWN:
        np.testing.assert_array_equal(shown[-1], image)
    height, width = mosaic(shown, columns).shape[:2]
    assert height - shown.shape[1] <= MOST_SHOWN
    assert width - shown.shape[2] <= MOST_SHOWN
    assert len(shown) == count
    # Nothing is moved: the mean place of its light is that of the whole image, within a pixel of those shown.
    for axis in (0, 1):
        step = shape[axis] / shown.shape[1 + axis]
        assert abs(_centre(shown[0], axis) * step - _centre(image, axis)) <= step


def _centre(image: np.ndarray, axis: int) -> float:
    light = image.astype(float).reshape(*image.shape[:2], -1).sum(2).sum(1 - axis)
    return float((light * (np.arange(len(light)) + 0.5)).sum() / max(light.sum(), 1e-9))
