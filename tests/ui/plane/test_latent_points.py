from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from vaeviewer.backend.data.base import DataSource, ImageDataset
from vaeviewer.backend.models.families.vae import VaeConfig
from vaeviewer.backend.models.interface import DataSpec, ImageSpec
from vaeviewer.backend.snapshot import PosteriorTable, Snapshot, snapshot_of
from vaeviewer.session.view_state import ViewState, posterior_noise
from vaeviewer.ui.plane.latent_geometry import PRIOR_BOX, PlaneMap
from vaeviewer.ui.plane.latent_points import PlanePoints

LABELS = np.array([0, 0, 0, 1, 1, 2], np.int64)
LOC = np.array([[-2, 1], [-1, 1], [-1, 3], [2, 0], [np.nan, 0], [np.inf, 1]], np.float32)
PLANE = PlaneMap((-4.0, 4.0), (-4.0, 4.0), 800.0, 800.0)  # 100 pixels per unit


def table(loc: np.ndarray = LOC) -> PosteriorTable:
    log_variance = np.full_like(loc, 2 * np.log(0.5))
    return PosteriorTable(loc.copy(), log_variance, np.zeros(len(loc), np.int32))


def snapshot(posterior: PosteriorTable | None) -> Snapshot:
    return snapshot_of(VaeConfig(), DataSpec(ImageSpec(2, 2)), {}, posterior=posterior)


@pytest.fixture
def points() -> PlanePoints:
    images = np.zeros((len(LABELS), 2, 2), np.uint8)
    source = DataSource(key="folder", path="/nowhere", checksum="0" * 64)
    found = PlanePoints()
    found.set_dataset(ImageDataset("some", source, images, LABELS, images, LABELS, ("a", "b", "c")))
    return found


def test_a_table_must_fit_the_data(points: PlanePoints) -> None:
    fitting = table()
    assert points.usable(snapshot(fitting)) is fitting
    assert points.usable(snapshot(table(LOC[:5]))) is None
    line = table(LOC[:, :1])
    assert points.usable(snapshot(line)) is line
    assert points.usable(snapshot(None)) is None
    assert points.usable(None) is None
    assert PlanePoints().usable(snapshot(fitting)) is None


def test_means_and_samples(points: PlanePoints) -> None:
    points.show(table(), ViewState())
    np.testing.assert_array_equal(points.positions, LOC)
    points.show(table(), ViewState(points="sample"))
    expected = LOC + np.float32(0.5) * posterior_noise(*LOC.shape)
    np.testing.assert_allclose(points.positions, expected, rtol=1e-5, atol=1e-6)
    bent = replace(table(), drawn=LOC[:, ::-1].copy())
    points.show(bent, ViewState(points="sample"))
    np.testing.assert_array_equal(points.positions, LOC[:, ::-1])
    points.show(bent, ViewState())
    np.testing.assert_array_equal(points.positions, LOC)
    points.show(None, ViewState())
    assert points.positions is None
    assert points.box() is None


def test_classes_are_named_at_the_median_of_their_finite_points(points: PlanePoints) -> None:
    assert points.class_marks() == ()
    points.show(table(), ViewState())
    assert [(mark.name, mark.z) for mark in points.class_marks()] == [("a", (-1.0, 1.0)), ("b", (2.0, 0.0))]
    points.hide({0, 7, -1})
    assert [mark.name for mark in points.class_marks()] == ["b"]
    points.hide(set())
    assert len(points.class_marks()) == 2


def test_the_nearest_visible_point(points: PlanePoints) -> None:
    assert points.nearest(PLANE, (200.0, 300.0), 12.0) is None
    points.show(table(), ViewState())
    assert points.nearest(PLANE, (204.0, 303.0), 12.0) == 0  # z = (-2, 1) lies at (200, 300)
    assert points.nearest(PLANE, (220.0, 300.0), 12.0) is None
    assert points.nearest(PLANE, (270.0, 300.0), 60.0) == 1
    points.hide({0})
    assert points.nearest(PLANE, (204.0, 303.0), 12.0) is None


def test_the_posterior_of_an_image(points: PlanePoints) -> None:
    assert points.posterior_mark(3) is None
    points.show(table(), ViewState())
    mark = points.posterior_mark(3)
    assert mark is not None
    assert (mark.loc, mark.point) == ((2.0, 0.0), (2.0, 0.0))
    assert mark.scale == pytest.approx((0.5, 0.5))
    for row in (None, -1, 4, 6):  # image 4 has no finite mean
        assert points.posterior_mark(row) is None


def test_the_box_holds_the_prior_and_ignores_what_is_not_finite(points: PlanePoints) -> None:
    points.show(table(), ViewState())
    box = points.box()
    assert box is not None
    assert (box.x0, box.x1, box.y0) == (PRIOR_BOX.x0, PRIOR_BOX.x1, PRIOR_BOX.y0)
    assert box.y1 >= PRIOR_BOX.y1


def test_names_stand_where_numpy_finds_the_medians() -> None:
    rng = np.random.default_rng(3)
    labels = rng.choice(4, 500, p=[0.6, 0.3, 0.09, 0.01]).astype(np.int64)
    loc = rng.normal(labels[:, None], 1.0, (500, 2)).astype(np.float32)
    loc[rng.choice(500, 40)] = np.nan
    images = np.zeros((500, 2, 2), np.uint8)
    source = DataSource(key="folder", path="/nowhere", checksum="0" * 64)
    found = PlanePoints()
    found.set_dataset(ImageDataset("some", source, images, labels, images, labels, ("a", "b", "c", "d", "e")))
    found.show(table(loc), ViewState())
    for number, mark in enumerate(found.class_marks()):  # nobody is of class e
        assert mark.name == "abcd"[number]
        np.testing.assert_allclose(mark.z, np.nanmedian(loc[labels == number], axis=0), rtol=1e-6)
