"""Pixel protocols."""

from __future__ import annotations

import torch

from vaeviewer.backend.data.pixels import pixels

LEVELS = torch.arange(256, dtype=torch.uint8)


def test_grey_levels_are_fractions() -> None:
    torch.testing.assert_close(pixels(LEVELS, "grey"), torch.linspace(0, 1, 256))


def test_thresholds_at_one_half() -> None:
    assert torch.equal(pixels(LEVELS, "threshold"), (LEVELS.float() / 255 > 0.5).float())


def test_dynamic_pixels_have_the_grey_levels_probability() -> None:
    draws = pixels(LEVELS.expand(4_000, 256), "dynamic", torch.Generator().manual_seed(0))
    assert set(draws.unique().tolist()) == {0.0, 1.0}
    torch.testing.assert_close(draws.mean(0), torch.linspace(0, 1, 256), rtol=0, atol=0.05)
    assert draws[:, 0].sum() == 0
    assert draws[:, 255].min() == 1


def test_dynamic_without_a_generator_draws_nothing() -> None:
    before = torch.get_rng_state()
    assert torch.equal(pixels(LEVELS, "dynamic"), pixels(LEVELS, "threshold"))
    assert torch.equal(before, torch.get_rng_state())
