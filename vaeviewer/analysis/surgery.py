"""ELBO surgery: the mean KL of a data set is what codes say of their images, and how far all codes are from the prior.

    1/N Σ KL(q(z|xₙ) ‖ p(z)) = I(x; z) + KL(q(z) ‖ p(z)),    q(z) = 1/N Σ q(z|xₙ)

Hoffman & Johnson, "ELBO surgery: yet another way to carve up the variational evidence lower bound" (2016), equation 8.
The three terms are computed each in its own way, so that their difference says how exact they are.
"""

from __future__ import annotations

import math
import time
from collections.abc import Generator, Iterator
from dataclasses import dataclass

import numpy as np

from vaeviewer.analysis.aggregate import Aggregate, Rows, Vector
from vaeviewer.analysis.prior import prior_codes
from vaeviewer.backend.chunks import parts
from vaeviewer.backend.models.likelihood_table import LEAST_EXPONENT
from vaeviewer.backend.snapshot import Snapshot
from vaeviewer.errors import NoDensityError

HOLE = 0.1
"""Where q(z) is below this share of p(z) there is a hole: what codes there decode to was hardly ever trained."""

DRAWS = 16_384
"""Draws from the posteriors that tell I(x; z)."""

_FEW_DRAWS = 1_024  # with more dimensions, where each is compared with all posteriors
_PRIOR_CODES = 4_096  # that tell where a prior lies that is not N(0, I)
_ROWS = 1_024  # codes whose prior density is asked for at a time
_PAUSE_S = 0.004  # of work between two pauses
_TOO_NARROW = 0.001  # share of posteriors that quadrature may take to be wider than they are
_PAIRS = 500_000  # of draws and posteriors at once


@dataclass(frozen=True)
class Surgery:
    """The terms, in nats per image.

    Attributes:
        images: How many posteriors, N.
        kl: Mean KL(q(z|x) ‖ p(z)).
        information: I(x; z), between an image's number and its code; at most :attr:`ceiling`.
        error: Standard error of that.
        marginal: KL(q(z) ‖ p(z)).
        holes: Share of the prior's mass where q(z) < HOLE · p(z); ``None`` where not known.
        exact: Whether ``marginal`` is from quadrature; else it is the difference of the others.
        largest: What the image with the largest KL adds to ``kl`` by itself; 0 where that is not known.
    """

    images: int
    kl: float
    information: float
    error: float
    marginal: float
    holes: float | None
    exact: bool
    largest: float = 0.0

    @property
    def ceiling(self) -> float:
        """The logarithm of N, which I(x; z) cannot exceed: then each code says which image it is of."""
        return math.log(self.images)

    @property
    def difference(self) -> float:
        """By how much the two sides differ, computed independently, nats."""
        return self.kl - self.information - self.marginal


def why_not(snapshot: Snapshot) -> str:
    """Why a model has no such terms, one sentence; else an empty text."""
    can = snapshot.family.capabilities
    if not can.encodes:
        return "The model has no encoder, so there is no q(z|x)."
    if not can.gaussian_posterior:
        return "Its q(z|x) is no Gaussian: the terms of the KL are computed for Gaussian posteriors only."
    if snapshot.posterior is None:
        return "There are no posteriors of the training images yet."
    if snapshot.posterior.log_variance is None:
        return "Each image has a single code: q(z|x) is a point without a density, so there is no KL to take apart."
    return ""


def surgery(snapshot: Snapshot) -> Generator[None, None, Surgery]:
    """The terms of a model's training images, in steps of a few milliseconds.

    Up to two dimensions KL(q(z) ‖ p(z)) is a quadrature. I(x; z) = E log q(z|x) / q(z) is the mean over draws, which
    lie evenly over images and posteriors. Where p(z) is N(0, I) the mean of KL(q(z|x) ‖ p(z)) is known in closed form;
    of another prior E log p(z) is the mean over these draws, in both, and holes are told by codes drawn from it.

    Raises:
        NoDensityError: There are none; the text says why.
    """
    reason = why_not(snapshot)
    mixture = None if snapshot.posterior is None else Aggregate.of(snapshot.posterior)
    if reason or mixture is None:
        raise NoDensityError(reason or "No posterior is finite.")
    yield None
    flat, normal = mixture.latent_dim <= 2, snapshot.family.capabilities.normal_prior
    rows, noise = _spread(mixture, DRAWS if flat else _FEW_DRAWS)
    z = mixture.loc[rows] + mixture.scale[rows] * noise
    codes = _where_the_prior_is(snapshot, mixture.latent_dim)
    points = np.concatenate([z, codes]) if flat else z
    log_q = np.full(len(points), -np.inf)
    yield None
    integrals = _Integrals()
    if flat:
        yield from _integrate(snapshot, mixture, codes, points, log_q, integrals)
    else:
        yield from _compared_with_all(mixture, points, log_q)
    holes, largest = None, 0.0
    if normal:
        each, cross = _kl_from_normal(mixture), integrals.cross
        kl, largest = float(each.mean()), float(each.max()) / len(mixture)
        if flat:
            holes = max(0.0, 1.0 - integrals.filled)
    else:
        log_p = np.zeros(len(points))
        for part in parts(len(points), _ROWS):
            log_p[part] = snapshot.log_prior(points[part].astype(np.float32))
            yield None
        cross = float(log_p[: len(z)].mean())
        kl = -mixture.entropy - cross
        if flat:
            holes = float(np.mean(log_q[len(z) :] < log_p[len(z) :] + math.log(HOLE)))
    information, error = _information(mixture, rows, noise, log_q[: len(z)])
    exact = flat and mixture.too_narrow <= _TOO_NARROW
    marginal = integrals.own - cross if exact else kl - information
    return Surgery(len(mixture), kl, information, error, marginal, holes, exact, largest)


@dataclass
class _Integrals:
    """What tiles add up to: ∫ q log q, ∫ q log p, and the prior's mass outside holes, for p = N(0, I)."""

    own: float = 0.0
    cross: float = 0.0
    filled: float = 0.0


def _integrate(
    snapshot: Snapshot,
    mixture: Aggregate,
    codes: Vector,
    points: Vector,
    log_q: Vector,
    found: _Integrals,
) -> Iterator[None]:
    """Fills in the integrals, and log q(z) at points."""
    normal, before = snapshot.family.capabilities.normal_prior, time.perf_counter()
    for tile in mixture.tiles(codes, points):
        if time.perf_counter() - before > _PAUSE_S:
            yield None
            before = time.perf_counter()
        if tile is None:
            continue
        q, weights = tile.density.ravel(), tile.weights.ravel()
        some = q > 0
        found.own += float(np.dot(q[some] * np.log(q[some]), weights[some]))
        if normal:
            log_p = snapshot.log_prior(tile.nodes.astype(np.float32)).astype(np.float64)
            found.cross += float(np.dot(q * log_p, weights))
            p = np.exp(np.maximum(log_p, LEAST_EXPONENT))
            found.filled += float(np.dot(p * (q >= HOLE * p), weights))
        for part in parts(len(tile.draws), max(1, _PAIRS // max(1, len(tile.rows)))):
            here = tile.draws[part]
            with np.errstate(divide="ignore"):
                log_q[here] = np.log(mixture.sum_at(points[here], tile.rows) / len(mixture))
            if time.perf_counter() - before > _PAUSE_S:
                yield None
                before = time.perf_counter()


def _compared_with_all(mixture: Aggregate, z: Vector, log_q: Vector) -> Iterator[None]:
    """Fills in log q(z) at the draws, in any number of dimensions: a Gaussian's exponent is a matrix product."""
    precision = 1.0 / np.square(mixture.scale)
    centre = mixture.loc.mean(axis=0)
    loc, z = mixture.loc - centre, z - centre
    constant = -np.log(mixture.scale).sum(axis=1) - 0.5 * (np.square(loc) * precision).sum(axis=1)
    constant -= 0.5 * mixture.latent_dim * math.log(2.0 * math.pi) + math.log(len(mixture))
    linear = (loc * precision).T
    at_once = max(1, _PAIRS // len(mixture))
    for start in range(0, len(z), at_once):
        some = z[start : start + at_once]
        exponents = some @ linear - 0.5 * np.square(some) @ precision.T + constant
        highest = exponents.max(axis=1, keepdims=True)
        shares = np.exp(np.maximum(exponents - highest, LEAST_EXPONENT))
        log_q[start : start + at_once] = highest[:, 0] + np.log(shares.sum(axis=1))
        yield None


def _information(mixture: Aggregate, rows: Rows, noise: Vector, log_q: Vector) -> tuple[float, float]:
    """E log q(z|x) / q(z) over draws, and its standard error.

    The mean of ½|noise|² is known: what it is off in these draws is taken out, with the weight that serves best.
    """
    d = mixture.latent_dim
    own = -np.log(mixture.scale[rows]).sum(axis=1) - 0.5 * (
        d * math.log(2.0 * math.pi) + np.square(noise).sum(axis=1)
    )
    ratio, surplus = own - log_q, 0.5 * (np.square(noise).sum(axis=1) - d)
    known = np.isfinite(ratio)  # all but draws farther out than any tile
    ratio, surplus = ratio[known], surplus[known]
    away = surplus - surplus.mean()
    ratio = ratio - surplus * float(np.dot(away, ratio) / np.dot(away, away))
    return float(ratio.mean()), float(ratio.std() / math.sqrt(len(ratio)))


def _kl_from_normal(mixture: Aggregate) -> Vector:
    """KL(q(z|x) ‖ N(0, I)) of each image, ``(n,)``: Kingma & Welling 2013, appendix B."""
    terms = np.square(mixture.loc) + np.square(mixture.scale) - 1.0 - 2.0 * np.log(mixture.scale)
    found: Vector = 0.5 * terms.sum(axis=1)
    return found


def _where_the_prior_is(snapshot: Snapshot, latent_dim: int) -> Vector:
    """Codes that lie wherever the prior does, ``(m, latent_dim)``; drawn from it where it is not N(0, I)."""
    if not snapshot.family.capabilities.normal_prior:
        return prior_codes(snapshot, _PRIOR_CODES).astype(np.float64)
    if latent_dim > 2:
        return np.zeros((0, latent_dim))
    along = np.arange(-5.0, 5.1, 0.25)
    return np.stack(np.meshgrid(*[along] * latent_dim), axis=-1).reshape(-1, latent_dim)


def _spread(mixture: Aggregate, count: int) -> tuple[Rows, Vector]:
    """Rows of posteriors and noise for each, ``(count,)`` and ``(count, d)``: more even than chance, always the same.

    Rows come in an order in which neighbours lie close by, and noise from a sequence that fills the square evenly
    (Roberts 2018), so that each part of the plane has draws all over its posteriors.
    """
    n, d = mixture.loc.shape
    strips = max(1, round(math.sqrt(min(n, count))))
    rank = np.argsort(np.argsort(mixture.loc[:, 0], kind="stable"), kind="stable")
    order = np.lexsort((mixture.loc[:, min(1, d - 1)], rank * strips // n))
    rows = order[np.arange(count) * n // count]
    if d > 2:
        return rows, np.random.default_rng(0).standard_normal((count, d))
    plastic = 1.32471795724474602596
    u, v = ((0.5 + np.arange(1, count + 1) * plastic**-power) % 1.0 for power in (1, 2))
    radius, angle = np.sqrt(-2.0 * np.log1p(-u)), 2.0 * math.pi * v  # Box & Muller 1958
    return rows, np.stack([radius * np.cos(angle), radius * np.sin(angle)], axis=1)[:, :d]
