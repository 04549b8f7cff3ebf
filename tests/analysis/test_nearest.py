from __future__ import annotations

import numpy as np
import pytest

from vaeviewer.analysis import nearest
from vaeviewer.analysis.nearest import PixelSearch, Reach, Spacing, deviations_to, nearest_codes, spacing_of
from vaeviewer.backend.snapshot import PosteriorTable


def last(answers):  # type: ignore[no-untyped-def]
    return [answer for answer in answers if answer is not None][-1]


@pytest.mark.parametrize("d", [1, 2, 20])
def test_codes_are_found_in_the_order_of_their_distance(d: int) -> None:
    rng = np.random.default_rng(d)
    codes, z = rng.standard_normal((300, d)).astype(np.float32), rng.standard_normal(d).astype(np.float32)
    codes[7] = np.nan
    distances = np.linalg.norm(codes.astype(np.float64) - z, axis=1)
    expected = np.argsort(distances)[:9]  # NaN last
    found = nearest_codes(codes, z, 9)
    np.testing.assert_array_equal(found.rows, expected)
    np.testing.assert_allclose(found.distances, distances[expected], rtol=1e-5)
    even = np.arange(300) % 2 == 0
    assert (nearest_codes(codes, z, 9, even).rows % 2 == 0).all()
    assert len(nearest_codes(codes, z, 9, np.zeros(300, bool)).rows) == 0


@pytest.mark.parametrize(("shape", "every"), [((28, 28), 1), ((5, 7, 3), 1), ((28, 28), 3)])
def test_images_are_found_by_their_pixels(
    shape: tuple[int, ...], every: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (1500, *shape), dtype=np.uint8)
    monkeypatch.setattr(nearest, "MOST_PIXELS", images.nbytes // every + every)
    search = PixelSearch(images)
    assert search.every == every
    for row in (every * 100, every * 200):
        picture = np.clip(images[row] / 255 + rng.normal(0, 0.05, shape), 0, 1).astype(np.float32)
        distances = np.sqrt(((images / 255.0 - picture) ** 2).reshape(1500, -1).sum(1))[::every]
        found = last(search.search(picture, 5))
        np.testing.assert_array_equal(found.rows, every * np.argsort(distances)[:5])
        assert found.rows[0] == row
        np.testing.assert_allclose(found.distances, np.sort(distances)[:5], rtol=1e-3)
    exact = last(search.search(images[0].astype(np.float32) / 255, 1))
    assert exact.rows[0] == 0
    assert exact.distances[0] < 0.02, "nothing is left of what cancels"


def test_the_spacing_of_a_grid_is_that_of_the_grid() -> None:
    xs = np.arange(40, dtype=np.float32) * 0.25
    grid = np.stack(np.meshgrid(xs, xs), -1).reshape(-1, 2)
    spacing = last(spacing_of(grid))
    assert spacing == Spacing(pytest.approx(0.25), pytest.approx(0.25))
    assert last(spacing_of(grid[:1])) == Spacing(0.0, 0.0)


@pytest.mark.slow
@pytest.mark.parametrize("d", [1, 2, 5, 30])
def test_draws_of_a_posterior_extrapolate_once_in_a_hundred(d: int) -> None:
    rng = np.random.default_rng(d)
    loc, scale = rng.normal(0, 1, (1, d)).astype(np.float32), rng.uniform(0.01, 2, (1, d)).astype(np.float32)
    table = PosteriorTable(loc, 2 * np.log(scale), np.zeros(1, np.int32))
    draws = (loc + scale * rng.standard_normal((4000, d))).astype(np.float32)
    found = [Reach(1.0, Spacing(1.0, 1.0), deviations_to(table, z), d).extrapolates for z in draws]
    assert 0.004 < np.mean(found) < 0.02


def test_the_posterior_that_reaches_farthest_counts_and_points_have_none() -> None:
    loc = np.array([[0.0, 0.0], [3.0, 0.0]], np.float32)
    wide = PosteriorTable(loc, np.array([[-9.0, -9.0], [2.0, 2.0]], np.float32), np.zeros(2, np.int32))
    z = np.array([0.5, 0.0], np.float32)
    assert deviations_to(wide, z) == pytest.approx(2.5 / np.e)
    points = PosteriorTable(loc, None, np.zeros(2, np.int32))
    assert deviations_to(points, z) is None
    assert Reach(0.5, Spacing(0.1, 0.4), None, 2).extrapolates
    assert not Reach(0.3, Spacing(0.1, 0.4), None, 2).extrapolates
