"""The posterior lens against brute force: fine uniform grids, the encoder's own bound, and the chain."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from vaeviewer.analysis.gaps import ascent, gaussian
from vaeviewer.analysis.hmc import Chain
from vaeviewer.analysis.lens import SHADES, Asked, Lens, Search, lens, log_densities
from vaeviewer.backend.config import Settings, updated
from vaeviewer.backend.data.base import ImageDataset
from vaeviewer.backend.snapshot import Snapshot
from vaeviewer.backend.training.trainer import Trainer
from vaeviewer.errors import NoDensityError


@pytest.fixture(scope="module")
def snapshot(digits: ImageDataset) -> Snapshot:
    """A model after 150 small steps: its posteriors are neither the prior nor Gaussians."""
    settings = updated(
        Settings(), hidden=(64, 32), epochs=25, batch_size=100, threads=1, device="cpu", seed=3
    )
    trainer = Trainer(digits, settings)
    while trainer.step_count < 150:
        trainer.step()
    return trainer.snapshot()


def answers(snapshot: Snapshot, asked: Asked) -> list[Lens]:
    return [found for found in lens(snapshot, asked, Search()) if found is not None]


def on_a_fine_grid(snapshot: Snapshot, image: np.ndarray) -> tuple[float, np.ndarray, np.ndarray]:
    """log p(x), mean and covariance by the midpoint rule on one uniform grid of 240 × 240 codes."""
    side = 12.0 / 240
    axis = (np.arange(240) + 0.5) * side - 6.0
    codes = np.stack(np.meshgrid(axis, axis), axis=-1).reshape(-1, 2)
    logs = snapshot.log_joint(image[None], codes.astype(np.float32))[0].astype(np.float64)
    share = np.exp(np.maximum(logs - logs.max(), -80.0))
    log_px = logs.max() + np.log(share.sum() * side**2)
    share /= share.sum()
    mean = share @ codes
    return float(log_px), mean, (share[:, None] * (codes - mean)).T @ (codes - mean)


@pytest.mark.slow
def test_a_lens_measures_what_a_fine_grid_does(snapshot: Snapshot, digits: ImageDataset) -> None:
    for image in digits.held_out_images[:2]:
        *_, found = answers(snapshot, Asked(image))
        log_px, mean, covariance = on_a_fine_grid(snapshot, image)
        assert found.log_px == pytest.approx(log_px, abs=5e-3)
        assert found.mean is not None
        scale = np.sqrt(np.diag(covariance))
        np.testing.assert_allclose((found.mean - mean) / scale, 0.0, atol=0.02)
        np.testing.assert_allclose(
            found.covariance / np.outer(scale, scale), covariance / np.outer(scale, scale), atol=0.02
        )
        # The ELBO of the encoder's q by draws of it, which knows nothing of grids: log p(x) − ELBO = KL(q‖p).
        q = found.q
        assert q is not None
        draws = q.loc + q.scale * np.random.default_rng(0).standard_normal((4000, 2))
        log_q = -0.5 * (np.square((draws - q.loc) / q.scale) + np.log(2 * np.pi * q.scale**2)).sum(axis=1)
        log_p = snapshot.log_joint(image[None], draws.astype(np.float32))[0] - log_px
        kl = log_q - log_p
        assert found.log_px - q.elbo == pytest.approx(kl.mean(), abs=0.02 + 4.0 * kl.std() / 4000**0.5)


@pytest.mark.slow
def test_a_map_shows_the_density_where_it_says(snapshot: Snapshot, digits: ImageDataset) -> None:
    """At once a coarse one, whose shades are those of the decoder all over it; so are the refined one's."""
    image = digits.held_out_images[5]
    found = answers(snapshot, Asked(image))
    assert found[0].log_px is None
    assert found[-1].log_px is not None
    for one, exact in ((found[0], 0.06), (found[-1], 0.02)):
        x0, y0, width, height = one.rect
        xs = x0 + width * (np.arange(SHADES) + 0.5) / SHADES
        ys = y0 + height * (SHADES - np.arange(SHADES) - 0.5) / SHADES
        codes = np.stack(np.meshgrid(xs, ys), axis=-1).reshape(-1, 2).astype(np.float32)
        logs = snapshot.log_joint(image[None], codes)[0].reshape(SHADES, SHADES)
        np.testing.assert_allclose(one.shades, np.exp(logs - logs.max()), atol=exact)
    highest = np.unravel_index(found[-1].shades.argmax(), found[-1].shades.shape)
    apart = np.abs(found[-1].modes[0] - [xs[highest[1]], ys[highest[0]]])
    assert (apart < 2.0 * width / SHADES).all()


@pytest.mark.slow
def test_three_starts_agree_on_the_best_gaussian(snapshot: Snapshot, digits: ImageDataset) -> None:
    """From the encoder's q, the posterior's own moments and a wide one: the approximation gap is the image's."""
    for image in digits.held_out_images[:3]:
        asked = Asked(image)
        *_, found = answers(snapshot, asked)
        assert found.q is not None
        assert found.best is not None
        assert found.mean is not None
        assert found.covariance is not None
        logs, score = log_densities(snapshot, asked)
        moments = gaussian(logs, found.mean, np.sqrt(np.diag(found.covariance)))
        wide = gaussian(logs, found.q.loc, 4.0 * found.q.scale)
        ends = [list(ascent(logs, score, start))[-1].elbo for start in (found.q, moments, wide)]
        assert max(ends) - min(ends) < 0.02
        assert found.q.elbo <= found.best.elbo <= found.log_px
        assert found.best.elbo == pytest.approx(max(ends), abs=0.02)


@pytest.mark.slow
def test_a_chain_agrees_with_the_quadrature(snapshot: Snapshot, digits: ImageDataset) -> None:
    image = digits.held_out_images[2]
    *_, found = answers(snapshot, Asked(image))
    assert found.q is not None
    assert found.mean is not None
    assert found.covariance is not None
    scale = np.sqrt(np.diag(found.covariance))
    chain = Chain(*log_densities(snapshot, Asked(image)), found.q.loc, scale, seed=1)
    for _ in range(1000):
        chain.step()
    effective = chain.effective_samples
    assert effective > 200
    assert (np.abs(chain.samples.mean(axis=0) - found.mean) < 4.0 * scale / effective**0.5).all()
    relative = np.cov(chain.samples.T) / np.outer(scale, scale) - found.covariance / np.outer(scale, scale)
    assert (np.abs(relative) < 4.0 * 2.0 / effective**0.5).all()


@pytest.mark.slow
def test_a_second_mode_far_away_is_found_and_said(snapshot: Snapshot) -> None:
    """Of a model that draws the same at z and −z each image has two modes, of which the encoder knows one."""
    weights = dict(snapshot.weights)
    first = weights["decoder.0.weight"]
    rows = len(first) // 2
    # tanh-like symmetry by hand: half of the units see z, the other half −z, and all else treats them alike.
    weights["decoder.0.weight"] = np.concatenate([first[:rows], -first[:rows]])
    weights["decoder.0.bias"] = np.tile(snapshot.weights["decoder.0.bias"][:rows], 2)
    second = weights["decoder.1.weight"]
    weights["decoder.1.weight"] = np.concatenate([second[:, :rows], second[:, :rows]], axis=1)
    even = replace(snapshot, weights=weights)
    image = even.decode(np.array([[1.2, -0.8]], np.float32))[0]
    *_, found = answers(even, Asked(image, near=(1.2, -0.8)))
    assert len(found.modes) >= 2
    both = sorted(np.round(found.modes[:2], 1).tolist())
    assert both[0] == pytest.approx([-both[1][0], -both[1][1]], abs=0.15)
    x0, y0, width, height = found.rect
    inside = [x0 < a < x0 + width and y0 < b < y0 + height for a, b in found.modes[:2].tolist()]
    assert all(inside) or found.elsewhere == pytest.approx(0.5, abs=0.1)
    # As good a Gaussian is found from a q in the middle of both, which no ascent leads away from there.
    between = np.zeros(2, np.float32), np.full(2, 0.3, np.float32)
    *_, other = answers(even, Asked(image, q=between, near=(1.2, -0.8)))
    assert found.best is not None
    assert other.best is not None
    assert other.best.elbo == pytest.approx(found.best.elbo, abs=0.02)


def test_a_posterior_far_out_is_found_where_the_encoder_does_not_look(
    snapshot: Snapshot, digits: ImageDataset
) -> None:
    """Of a decoder that sees z less 7 all posteriors lie about 7 farther out, and so does the best Gaussian."""
    weights = dict(snapshot.weights)
    first, shift = weights["decoder.0.weight"], np.array([7.0, 0.0], np.float32)
    weights["decoder.0.bias"] = weights["decoder.0.bias"] - first @ shift
    far = replace(snapshot, weights=weights)
    *_, found = answers(far, Asked(digits.held_out_images[0]))
    assert found.mean is not None
    assert found.log_px is not None
    assert found.best is not None
    assert found.mean[0] > 4.5
    assert found.best.elbo < found.log_px, "no bound lies above what it bounds"


@pytest.mark.parametrize("factor", [1e4, 1e9, 1e15, np.inf])
@pytest.mark.parametrize("near", [None, (0.3, 0.2), (1e9, 1e20)])
def test_a_model_that_explodes_has_a_sentence_or_a_lens(
    factor: float, near: tuple[float, float] | None, digits: ImageDataset, small: Settings
) -> None:
    made = Trainer(digits, small).snapshot()
    asked = Asked(digits.train_images[0], near=near)
    with np.errstate(all="ignore"):
        weights = {name: array * np.float32(factor) for name, array in made.weights.items()}
        found, said = None, ""
        try:
            *_, found = lens(replace(made, weights=weights), asked, Search())
        except NoDensityError as error:
            said = str(error)
    assert "too large" in said or (found is not None and np.isfinite(found.log_px or np.nan))
