"""Which epoch was best, and whether held-out figures have been getting worse, from figures alone."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from vaeviewer.backend.models.interface import Metric
from vaeviewer.backend.training.overfitting import Figures, best_row, overfitting

ERROR = Metric("error", "Error", "", better="lower")
SEEN = Figures(np.arange(1, 401) / 10, np.linspace(200.0, 100.0, 400))


def held_out(*values: float) -> Figures:
    return Figures(np.arange(1.0, len(values) + 1), np.array(values, np.float32))


def test_it_says_when_the_best_was_and_what_has_become_of_it() -> None:
    found = overfitting(ERROR, SEEN, held_out(200, 150, 120, 125, 130, 136, 141))
    assert found is not None
    assert (found.best, found.epoch, found.epochs, found.then, found.now) == (2, 3, 4, 120.0, 141.0)
    between = SEEN.values[20:30].mean() - SEEN.values[390:].mean()
    assert found.learned == pytest.approx(between, rel=1e-6)


@pytest.mark.parametrize(
    "values",
    [
        (200, 150, 120, 125, 130, 136),  # too few to tell
        (200, 150, 120, 120.4, 120.8, 121.2, 121.5),  # hardly worse, beside what was won
        (200, 150, 120, 136, 130, 125, 121),  # getting better again
        (200, 150, 140, 130, 125, 122, 120),  # the newest is best
        (200, 150, 120, 127, 121, 129, 122, 128, 123, 129),  # noise
        (float("nan"),) * 9,
    ],
)
def test_it_is_silent_about_all_else(values: tuple[float, ...]) -> None:
    assert overfitting(ERROR, SEEN, held_out(*values)) is None


def test_images_trained_on_that_get_worse_too_are_another_matter() -> None:
    worse = replace(SEEN, values=SEEN.values[::-1])
    assert overfitting(ERROR, worse, held_out(200, 150, 120, 125, 130, 136, 141)) is None


def test_noise_about_a_plateau_is_never_taken_for_it() -> None:
    rng = np.random.default_rng(0)
    for _ in range(100):
        values = 100 + 100 * np.exp(-np.arange(40) / 3) + rng.normal(0, rng.choice([0.1, 1, 5]), 40)
        for epochs in range(1, 41):
            assert overfitting(ERROR, SEEN, held_out(*values[:epochs])) is None


def test_the_first_of_equal_ones_is_best() -> None:
    assert best_row(np.array([3.0, 1.0, np.nan, 1.0]), ERROR) == 1
    assert best_row(np.array([3.0, 1.0]), replace(ERROR, better="neither")) is None
    assert best_row(np.empty(0), ERROR) is None
