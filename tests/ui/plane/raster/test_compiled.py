"""Machine code paints the same pixels as NumPy, and is asked for in time."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from vaeviewer.native.object_code import available
from vaeviewer.ui.plane.raster import compiled
from vaeviewer.ui.plane.raster.compiled import CompiledPainter
from vaeviewer.ui.plane.raster.passes import NumpyPainter
from vaeviewer.ui.plane.raster.point_raster import PointRaster
from vaeviewer.ui.plane.raster.scene import Scene, color_table, disc_opacity, disc_radius

pytestmark = pytest.mark.skipif(not available(), reason="no compiler is installed")

COORDINATE = st.one_of(
    st.floats(-3, 3, width=32), st.sampled_from([np.nan, np.inf, -np.inf, 1e38, -2.0, 2.0])
)


@pytest.fixture(autouse=True)
def code() -> None:
    kernels = compiled.raster_code()
    kernels.prepare()
    kernels.wait(100)
    assert kernels.addresses is not None


def scene(
    positions: NDArray[np.float32], *, size: tuple[int, int] = (50, 40), ratio: float = 1.0, classes: int = 4
) -> Scene:
    """The square from −2 to 2."""
    n, rng = len(positions), np.random.default_rng(0)
    colors = rng.integers(0, 256, (classes, 3)).astype(np.uint8)
    table, levels = color_table(colors, disc_opacity(n))
    kind = np.uint16 if classes <= 256 else np.uint32
    keys = rng.integers(1, 256, n).astype(kind) << kind(8 * kind().itemsize // 2)
    keys |= rng.integers(0, classes, n).astype(kind)
    width, height = size
    return Scene(
        positions,
        keys,
        corner=(np.float32(-2), np.float32(2)),
        scale=(np.float32(width / 4), np.float32(height / 4)),
        width=width,
        height=height,
        radius=disc_radius(n) * ratio,
        table=table,
        levels=levels,
    )


def painted(painter: CompiledPainter | NumpyPainter, what: Scene) -> NDArray[np.uint32]:
    image = np.full((what.height, what.width), 0x12345678, np.uint32)
    painter.paint(what, image)
    return image


def assert_same(what: Scene) -> None:
    assert CompiledPainter().can_paint(what)
    np.testing.assert_array_equal(painted(CompiledPainter(), what), painted(NumpyPainter(), what))


@pytest.mark.slow
@settings(deadline=None)  # a busy machine takes its time
@given(
    st.lists(st.tuples(COORDINATE, COORDINATE), max_size=60),
    st.sampled_from([(50, 40), (1, 1), (33, 140), (3, 200)]),
    st.sampled_from([1.0, 1.5, 2.0]),
)
def test_pixels_are_those_of_numpy(
    points: list[tuple[float, float]], size: tuple[int, int], ratio: float
) -> None:
    assert_same(scene(np.array(points, np.float32).reshape(-1, 2), size=size, ratio=ratio))


@pytest.mark.slow
@pytest.mark.parametrize("count", [5_000, 70_000])
@pytest.mark.parametrize("spread", [0.0, 0.002, 1.0])
def test_also_where_more_points_meet_than_a_sum_can_count(count: int, spread: float) -> None:
    positions = np.random.default_rng(1).normal(0, spread, (count, 2)).astype(np.float32)
    assert_same(scene(positions, size=(120, 90)))


@pytest.mark.slow
def test_memory_of_another_scene_leaves_no_trace() -> None:
    rng, painter = np.random.default_rng(2), CompiledPainter()
    scenes = [
        scene(rng.normal(0, 1, (count, 2)).astype(np.float32), size=size)
        for count, size in [(900, (70, 30)), (0, (70, 30)), (20, (31, 67)), (900, (70, 30))]
    ]
    for what in scenes:
        np.testing.assert_array_equal(painted(painter, what), painted(NumpyPainter(), what))


def test_the_first_two_of_many_latent_variables_are_read_where_they_are() -> None:
    positions = np.random.default_rng(3).normal(0, 1, (300, 32)).astype(np.float32)[:, :2]
    assert_same(scene(positions))


@pytest.mark.parametrize(
    "positions",
    [
        np.zeros((3, 2), np.float64),
        np.zeros((2, 3), np.float32).T,
        np.zeros((3, 2), np.float32)[::-1],
        np.broadcast_to(np.zeros((1, 2), np.float32), (3, 2)),
    ],
)
def test_other_positions_are_left_to_numpy(positions: NDArray[np.float32]) -> None:
    assert not CompiledPainter().can_paint(scene(positions))


def test_more_classes_than_a_byte_counts_are_left_to_numpy() -> None:
    positions = np.zeros((3, 2), np.float32)
    assert CompiledPainter().can_paint(scene(positions, classes=256))
    assert not CompiledPainter().can_paint(scene(positions, classes=257))


@pytest.fixture
def raster() -> PointRaster:
    made = PointRaster()
    labels = np.arange(500) % 10
    made.set_classes(labels, np.random.default_rng(4).integers(0, 256, (10, 3)).astype(np.uint8))
    return made


def test_a_raster_paints_with_machine_code_once_it_is_there(
    raster: PointRaster, monkeypatch: pytest.MonkeyPatch
) -> None:
    positions = np.random.default_rng(5).normal(0, 1, (500, 2)).astype(np.float32)
    code = compiled.raster_code()
    addresses, painters = code.addresses, []
    for kind in (CompiledPainter, NumpyPainter):
        paint = kind.paint

        def noted(self, scene, image, kind=kind, paint=paint) -> None:
            painters.append(kind)
            paint(self, scene, image)

        monkeypatch.setattr(kind, "paint", noted)
    images = []
    for found in (None, addresses):
        monkeypatch.setattr(code, "addresses", found)
        images.append(raster.render(positions, (-3, 3), (-3, 3), (80, 60)).copy())
    assert painters == [NumpyPainter, CompiledPainter]
    np.testing.assert_array_equal(*images)


def test_it_is_prepared_once_on_a_thread_of_its_own() -> None:
    thread = compiled.prepare_soon()
    assert thread is compiled.prepare_soon()
    thread.join()
    assert compiled.raster_code().addresses is not None
