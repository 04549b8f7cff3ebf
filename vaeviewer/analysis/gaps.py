"""What keeps the ELBO of one image below log p(x): no Gaussian is its posterior, and the encoder's is not the best one.

Cremer, Li & Duvenaud, "Inference Suboptimality in Variational Autoencoders" (2018): log p(x) minus the ELBO of the
encoder's q is the approximation gap, log p(x) minus the ELBO of the best q of its kind, and the amortization gap.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

from vaeviewer.analysis.hmc import LogDensity, Points, Score

MOST_STEPS = 200
"""An ascent takes no more."""

TOLERANCE = 2e-4
"""It ends where a step promises to gain no more nats."""

_NODES = 10  # along each of at most two axes
_DRAWS = 256  # in more dimensions, with their mirror images
_FARTHEST = 1.0  # of a step, in scales and in their logarithms: beyond, the slope says little


@dataclass(frozen=True, eq=False)
class Gaussian:
    """q(z) = N(loc, diag(scale²)) of one image, and its ELBO.

    Attributes:
        loc: Its mean, ``(d,)``.
        scale: Its standard deviations, ``(d,)``.
        elbo: E_q[log p(x, z) − log q(z)], nats.
    """

    loc: Points
    scale: Points
    elbo: float


@cache
def standard_nodes(latent_dim: int, along: int = _NODES) -> tuple[Points, NDArray[np.float64]]:
    """Points ``(m, d)`` and weights ``(m,)`` whose weighted sums are expectations under N(0, I), always the same ones.

    In one and two dimensions Gauss–Hermite quadrature, with so many nodes ``along`` each axis; in more, draws with
    their mirror images, which are exact for odd functions, scaled to variances of 1.
    """
    if latent_dim <= 2:
        nodes, weights = np.polynomial.hermite_e.hermegauss(along)
        weights = weights / weights.sum()
        if latent_dim == 1:
            return nodes[:, None], weights
        grid = np.stack(np.meshgrid(nodes, nodes), axis=-1).reshape(-1, 2)
        return grid, np.outer(weights, weights).reshape(-1)
    half = np.random.default_rng(2018).standard_normal((_DRAWS // 2, latent_dim))
    half /= np.sqrt(np.square(half).mean(axis=0))
    return np.concatenate([half, -half]), np.full(_DRAWS, 1.0 / _DRAWS)


def gaussian(log_joint: LogDensity, loc: NDArray[np.floating], scale: NDArray[np.floating]) -> Gaussian:
    """The Gaussian with its ELBO.

    Args:
        log_joint: log p(x|z) + log p(z) of the image at codes ``(m, d)``, nats ``(m,)``.
        loc: Its mean, ``(d,)``.
        scale: Its standard deviations, ``(d,)``.
    """
    place, spread = loc.astype(np.float64), scale.astype(np.float64)
    nodes, weights = standard_nodes(len(place))
    mean = float(weights @ np.asarray(log_joint(place + spread * nodes), np.float64))
    entropy = float(np.log(spread).sum()) + 0.5 * len(place) * math.log(2.0 * math.pi * math.e)
    return Gaussian(place, spread, mean + entropy)


def ascent(log_joint: LogDensity, score: Score, start: Gaussian) -> Iterator[Gaussian]:
    """The path of q as its ELBO is made as large as it can from a start, which comes first; each is better than before.

    Natural gradient steps (of a diagonal Gaussian: the mean's derivative times the variances, that of the log-scales
    halved), which would take a Gaussian posterior's variances to the optimum at once, shortened until the ELBO rises.

    Args:
        log_joint: As for :func:`gaussian`.
        score: Its derivative in z, ``(m, d)``.
        start: Where it begins.
    """
    yield start
    now, share = start, 1.0
    nodes, weights = standard_nodes(len(start.loc))
    for _ in range(MOST_STEPS):
        slopes = np.asarray(score(now.loc + now.scale * nodes), np.float64)
        of_loc = now.scale * (weights @ slopes)  # in units of the scale
        of_log_scale = now.scale * (weights @ (slopes * nodes)) + 1.0
        promise = float(of_loc @ of_loc + 0.5 * of_log_scale @ of_log_scale)
        if not promise > TOLERANCE:  # nor where it is not a number
            return
        better = None
        share = min(1.0, 2.0 * share)
        while share > 1e-4 and better is None:
            shift = np.clip(share * of_loc, -_FARTHEST, _FARTHEST)
            growth = np.clip(0.5 * share * of_log_scale, -_FARTHEST, _FARTHEST)
            tried = gaussian(log_joint, now.loc + now.scale * shift, now.scale * np.exp(growth))
            if tried.elbo > now.elbo:
                better = tried
            else:
                share *= 0.5
        if better is None:
            return
        now = better
        yield now
