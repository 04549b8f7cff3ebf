from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.typing import NDArray

from vaeviewer.ui.plane.raster.point_raster import PointRaster
from vaeviewer.ui.plane.raster.scene import WEIGHT_ONE, disc_opacity, disc_radius, disc_stencil, round_radius

COLORS = np.array([[200, 10, 10], [10, 200, 10], [10, 10, 200], [0, 0, 0]], np.uint8)
COORDINATE = st.one_of(st.floats(-3, 3, width=32), st.sampled_from([np.nan, np.inf, -np.inf, 1e38]))


@st.composite
def clouds(draw: st.DrawFn) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    count = draw(st.integers(0, 40))
    points = draw(hnp.arrays(np.float32, (count, 2), elements=COORDINATE))
    return points, draw(hnp.arrays(np.int64, count, elements=st.integers(0, len(COLORS) - 1)))


def render(
    points: NDArray[np.float32],
    labels: NDArray[np.int64],
    hidden: frozenset[int] = frozenset(),
    size: tuple[int, int] = (50, 40),
    ratio: float = 1.0,
) -> NDArray[np.uint8]:
    raster = PointRaster()
    raster.set_classes(labels, COLORS)
    raster.set_hidden(hidden)
    return straight(raster.render(points, (-2, 2), (-2, 2), size, ratio))


def straight(image: NDArray[np.uint32]) -> NDArray[np.uint8]:
    """RGBA with the class's own colour: premultiplied ones are rounded, so the nearest is taken."""
    assert image.dtype == np.uint32
    alpha = image >> 24
    rgb = np.stack([image >> 16 & 255, image >> 8 & 255, image & 255], axis=-1).astype(float)
    premultiplied = COLORS * (alpha / 255)[..., None, None]  # (height, width, classes, 3)
    distance = np.abs(rgb[..., None, :] - premultiplied).max(axis=-1)
    assert (distance.min(axis=-1) <= 1).all(), "a colour of no class"
    nearest = COLORS[distance.argmin(axis=-1)] * (alpha > 0)[..., None].astype(np.uint8)
    return np.concatenate([nearest, alpha[..., None].astype(np.uint8)], axis=-1)


def pixel_of(point: NDArray[np.float32], size: tuple[int, int]) -> tuple[int, int] | None:
    """Row and column, as render computes them; None outside."""
    width, height = size
    with np.errstate(invalid="ignore", over="ignore"):
        x, y = (
            (point[0] + np.float32(2)) * np.float32(width / 4),
            (np.float32(2) - point[1]) * np.float32(height / 4),
        )
    return (int(y), int(x)) if 0 <= x < width and 0 <= y < height else None


@pytest.mark.slow
@given(clouds(), st.frozensets(st.integers(-1, 5)), st.sampled_from([1.0, 2.0]))
def test_exactly_the_visible_points_are_painted(cloud, hidden, ratio) -> None:
    points, labels = cloud
    size = (50, 140)  # higher than one band
    image = render(points, labels, hidden, size, ratio)
    assert image.shape == (140, 50, 4)
    assert image.dtype == np.uint8
    reach = len(disc_stencil(round_radius(disc_radius(len(points)) * ratio))) // 2
    near = np.zeros((140, 50), bool)
    for point, label in zip(points, labels, strict=True):
        pixel = pixel_of(point, size)
        if pixel is not None and label not in hidden:
            assert image[pixel][3] > 0
            row, column = pixel
            near[max(0, row - reach) : row + reach + 1, max(0, column - reach) : column + reach + 1] = True
    assert not image[..., 3][~near].any()


@pytest.mark.slow
@given(clouds(), st.frozensets(st.integers(0, 3)))
def test_colours_are_those_of_the_visible_classes(cloud, hidden) -> None:
    points, labels = cloud
    image = render(points, labels, hidden)
    painted = {tuple(rgb) for rgb in image[image[..., 3] > 0][:, :3].tolist()}
    assert painted <= {tuple(COLORS[c].tolist()) for c in set(labels.tolist()) - hidden}


def test_larger_z2_is_nearer_the_top_row_and_larger_z1_further_right() -> None:
    low_left, high_right = [-1.0, -1.0], [1.0, 1.5]
    image = render(np.array([low_left, high_right], np.float32), np.array([0, 1]))
    (low_row, low_column), (high_row, high_column) = (
        np.argwhere((image[..., :3] == COLORS[label]).all(axis=2) & (image[..., 3] > 0)).mean(axis=0)
        for label in (0, 1)
    )
    assert high_row < low_row
    assert high_column > low_column


def test_a_disc_is_round_with_a_soft_edge() -> None:
    stencil = disc_stencil(2.5)
    assert stencil.max() == WEIGHT_ONE
    assert len(np.unique(stencil)) > 2
    np.testing.assert_array_equal(stencil, stencil.T)
    np.testing.assert_array_equal(stencil, stencil[::-1])
    assert stencil[0, 0] == 0


@pytest.mark.parametrize(("count", "radius"), [(10_000, 2.5), (1_000_000, 1.0)])
def test_more_points_are_smaller_and_more_transparent(count: int, radius: float) -> None:
    assert disc_radius(count) == pytest.approx(radius)
    assert disc_radius(count // 10) > radius
    assert disc_opacity(count // 10) > disc_opacity(count)


def test_alpha_grows_with_density_and_never_wraps_around() -> None:
    count = 70_000  # more in one pixel than uint16 holds
    line = np.stack([np.linspace(-1.9, 1.9, count), np.ones(count)], axis=1).astype(np.float32)
    labels = np.zeros(count, np.int64)
    assert 0 < render(line[::10_000], labels[::10_000])[..., 3].max() < 255
    assert render(np.zeros_like(line), labels)[..., 3].max() == 255


@pytest.mark.parametrize(
    "labels", [np.repeat([0, 1], 20_000), np.repeat([1, 0], 20_000), np.arange(40_000) % 2]
)
def test_neither_the_order_of_classes_nor_of_images_decides_who_is_on_top(labels: NDArray[np.int64]) -> None:
    points = np.random.default_rng(1).uniform(-2, 2, (40_000, 2)).astype(np.float32)
    image = render(points, labels, size=(100, 100))
    share = (image[..., :3] == COLORS[0]).all(axis=2).mean()
    assert 0.42 < share < 0.58


def test_buffers_follow_a_change_of_size_and_the_same_call_gives_the_same_image() -> None:
    rng = np.random.default_rng(2)
    points, labels = rng.normal(size=(500, 2)).astype(np.float32), rng.integers(0, 3, 500)
    raster = PointRaster()
    raster.set_classes(labels, COLORS)
    first = raster.render(points, (-2, 2), (-2, 2), (60, 50)).copy()
    assert raster.render(points, (-2, 2), (-2, 2), (31, 70)).shape == (70, 31)
    raster.set_hidden({0, 1})
    raster.render(points, (-2, 2), (-2, 2), (60, 50))
    raster.set_hidden(frozenset())
    np.testing.assert_array_equal(raster.render(points, (-2, 2), (-2, 2), (60, 50)), first)


def test_as_many_classes_as_one_likes() -> None:
    rng = np.random.default_rng(3)
    colors = rng.integers(0, 256, (700, 3)).astype(np.uint8)
    raster = PointRaster()
    raster.set_classes(np.array([699]), colors)
    image = raster.render(np.zeros((1, 2), np.float32), (-1, 1), (-1, 1), (21, 21))
    middle = int(image[10, 10])
    alpha = (middle >> 24) / 255
    found = [middle >> 16 & 255, middle >> 8 & 255, middle & 255]
    np.testing.assert_allclose(found, alpha * colors[699], atol=1)


def test_sums_and_maxima_are_those_of_the_disc() -> None:
    """Against one point at a time, drawn by hand."""
    rng = np.random.default_rng(4)
    points = rng.uniform(-2, 2, (30, 2)).astype(np.float32)
    size, labels = (70, 90), np.zeros(30, np.int64)
    stencil = disc_stencil(round_radius(disc_radius(30)))
    reach = len(stencil) // 2
    coverage = np.zeros((90 + 2 * reach, 70 + 2 * reach))
    for point in points:
        row, column = pixel_of(point, size)
        coverage[row : row + len(stencil), column : column + len(stencil)] += stencil
    expected = 1 - (1 - disc_opacity(30)) ** (coverage[reach:-reach, reach:-reach] / WEIGHT_ONE)
    np.testing.assert_allclose(render(points, labels, size=size)[..., 3] / 255, expected, atol=1 / 255)


def test_a_wrong_number_of_positions_is_refused() -> None:
    with pytest.raises(ValueError, match="2 positions for 3 labels"):
        render(np.zeros((2, 2), np.float32), np.zeros(3, np.int64))


@pytest.mark.parametrize("classes", [4, 200])
def test_late_points_are_fainter_in_their_own_colour_and_below_all_others(classes: int) -> None:
    colors = np.random.default_rng(5).integers(40, 256, (classes, 3)).astype(np.uint8)
    raster = PointRaster()
    points = np.array([[-1, 0], [1, 0]] + [[0, 1.5]] * 41, np.float32)
    labels = np.array([classes - 1] * 2 + [0] * 40 + [1])
    raster.set_classes(labels, colors)
    late = np.array([True, False] + [True] * 40 + [False])
    plain = raster.render(points, (-2, 2), (-2, 2), (40, 40)).copy()
    image = raster.render(points, (-2, 2), (-2, 2), (40, 40), 1.0, late)

    def parts(pixel: np.uint32) -> tuple[int, list[float]]:
        alpha = int(pixel >> 24)
        return alpha, [int(pixel >> shift & 255) / (alpha / 255) for shift in (16, 8, 0)]

    (faint, faint_color), (full, full_color) = parts(image[20, 10]), parts(image[20, 30])
    assert 0 < faint < 0.4 * full
    np.testing.assert_allclose(faint_color, full_color, atol=4)
    np.testing.assert_allclose(parts(image[5, 20])[1], colors[1], atol=2)  # the one among forty late ones
    np.testing.assert_array_equal(raster.render(points, (-2, 2), (-2, 2), (40, 40)), plain)


@pytest.mark.parametrize("count", [600, 9_000, 10_000, 50_000])
@pytest.mark.parametrize("ratio", [1.0, 1.25, 1.5, 1.75, 2.0, 2.5])
def test_points_are_round_at_every_scale_of_the_screen(count: int, ratio: float) -> None:
    raster = PointRaster()
    raster.set_classes(np.zeros(count, np.int64), COLORS)
    positions = np.full((count, 2), np.nan, np.float32)
    positions[0] = 0
    image = raster.render(positions, (-2, 2), (-2, 2), (41, 41), ratio)
    y, x = np.argwhere(image).T.astype(float) - 20
    if len(x) < 16:
        pytest.skip("too few pixels to be round or not")
    assert len(x) == pytest.approx(np.pi * (disc_radius(count) * ratio + 0.2) ** 2, rel=0.25)
    # A square's farthest pixel lies 1.4 times as far out as its sides do.
    farthest, sides = np.hypot(x, y).max(), np.abs(x).max()
    assert 0.99 < farthest / sides < 1.15
