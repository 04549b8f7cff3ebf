"""log p(x) of any number of latent dimensions by annealed importance sampling, which needs no q(z|x).

Neal, "Annealed Importance Sampling" (2001); for decoders Wu, Burda, Salakhutdinov & Grosse, "On the Quantitative
Analysis of Decoder-Based Models" (2017): from the prior along p(z) p(x|z)^β to the posterior, with Hamiltonian Monte
Carlo at each β. On average it is a lower bound, which more distributions between make tight.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from vaeviewer.analysis.prior import prior_codes
from vaeviewer.backend.asked import Array, Classes
from vaeviewer.backend.chunks import parts
from vaeviewer.backend.densities import Densities
from vaeviewer.backend.snapshot import Snapshot

Logs = NDArray[np.float64]

CHAINS = 16
"""Of each image."""

DISTRIBUTIONS = 300
"""Between prior and posterior."""

LEAPS = 10
"""Leapfrog steps of a transition."""

STEEPNESS = 4.0
"""β follows a logistic function from −this to this, so that it changes slowly at either end: as Wu et al. have it."""

FIRST_STEP = 0.1
"""Size of a leapfrog step at first, in units of z …"""

ACCEPTED = 0.65
"""… which grows while more proposals than this are accepted, and shrinks while fewer are …"""

CHANGE = 1.05
"""… by this factor, in chains sent ahead …"""

PILOTS = 4
"""… so many for each image: those that count take the steps that these came to."""

MOST_ROWS = 2_048
"""Chains at a time."""

SEED = 1611_04273


def annealed_in_steps(
    snapshot: Snapshot,
    images: NDArray[np.uint8] | Array,
    y: Classes | None = None,
    *,
    chains: int = CHAINS,
    distributions: int = DISTRIBUTIONS,
) -> Iterator[float | Logs]:
    """Log p(x) of each image, in small steps.

    Args:
        snapshot: The model.
        images: ``(n, *image_shape)``, as the model is to see them.
        y: Their classes, for a model that sees them: then it is log p(x|y).
        chains: Of each image.
        distributions: Between prior and posterior.

    Yields:
        The share done, 0 … 1; at last the estimates, ``(n,)``, nats.

    Raises:
        NoDensityError: The model has no density or no prior.
    """
    n = len(images)
    found = np.empty(n)
    for part in parts(n, max(1, MOST_ROWS // chains)):
        some = images[part]
        steps: Array | None = None
        for count, begun in ((PILOTS, 0.0), (chains, 0.5)):
            rows = some[np.repeat(np.arange(len(some)), count)]
            classes = None if y is None else np.repeat(y[part], count)
            for step in _anneal(snapshot, rows, classes, count, distributions, steps, part.start):
                if isinstance(step, float):
                    yield (part.start + (begun + 0.5 * step) * len(some)) / n
                else:
                    weights, steps = step
        found[part] = np.logaddexp.reduce(weights.reshape(-1, chains), axis=1) - math.log(chains)
    yield found


def _anneal(
    snapshot: Snapshot,
    x: NDArray[np.uint8] | Array,
    y: Classes | None,
    chains: int,
    distributions: int,
    steps: Array | None,
    seed: int,
) -> Iterator[float | tuple[Logs, Array]]:
    """A chain for each row, ``chains`` of an image after the other.

    Args:
        snapshot: The model.
        x: An image for each chain.
        y: Its class.
        chains: Of each image.
        distributions: Between prior and posterior.
        steps: Sizes of leapfrog steps at each distribution and for each image; ``None``: they are adapted, and the
            weights are worth nothing, as each step then depends on where the chain went before.
        seed: Of the draws.

    Yields:
        The share done; at last the logarithms of the weights, ``(m,)``, and the steps.
    """
    rng = np.random.default_rng((SEED, seed, chains))
    z = prior_codes(snapshot, len(x))[rng.permutation(len(x))]
    here = snapshot.densities(x, z, y)
    weights, betas = np.zeros(len(x)), _schedule(distributions)
    size, used = np.full(len(x) // chains, FIRST_STEP, np.float32), []
    for t in range(1, len(betas)):
        weights += (betas[t] - betas[t - 1]) * here.log_likelihood
        if t == len(betas) - 1:
            break
        if steps is not None:
            size = steps[t - 1]
        used.append(size)
        of_rows = np.repeat(size, chains)[:, None]
        z, here, accepted = _transition(snapshot, x, y, z, here, float(betas[t]), of_rows, rng)
        if steps is None:
            often = accepted.reshape(-1, chains).mean(1) > ACCEPTED
            size = size * np.where(often, CHANGE, 1.0 / CHANGE).astype(np.float32)
        yield t / len(betas)
    yield weights, np.stack(used)


def _schedule(distributions: int) -> Logs:
    """β from 0 to 1."""
    logistic = 1.0 / (1.0 + np.exp(-STEEPNESS * np.linspace(-1.0, 1.0, distributions + 1)))
    betas: Logs = (logistic - logistic[0]) / (logistic[-1] - logistic[0])
    return betas


def _transition(
    snapshot: Snapshot,
    x: NDArray[np.uint8] | Array,
    y: Classes | None,
    z: Array,
    here: Densities,
    beta: float,
    steps: Array,
    rng: np.random.Generator,
) -> tuple[Array, Densities, Array]:
    """One of Hamiltonian Monte Carlo on p(z) p(x|z)^β, of each row: Neal 2011, section 5.2.

    Returns:
        The codes, what is known there, and the probability with which each proposal was to be accepted, ``(m,)``.
    """
    momentum = rng.standard_normal(z.shape, dtype=np.float32)
    there, moved, p = here, z, momentum + 0.5 * steps * _slope(here, beta)
    for leap in range(LEAPS):
        moved = moved + steps * p
        there = snapshot.densities(x, moved, y)
        p = p + (1.0 if leap < LEAPS - 1 else 0.5) * steps * _slope(there, beta)
    gain = _height(there, beta) - _height(here, beta)
    gain += 0.5 * (np.square(momentum).sum(1) - np.square(p).sum(1))
    chance = np.exp(np.minimum(np.nan_to_num(gain, nan=-np.inf), 0.0))
    taken = rng.random(len(z)) < chance
    kept = Densities(
        *(
            np.where(taken.reshape(-1, *[1] * (new.ndim - 1)), new, old)
            for new, old in (
                (there.log_prior, here.log_prior),
                (there.prior_score, here.prior_score),
                (there.log_likelihood, here.log_likelihood),
                (there.likelihood_score, here.likelihood_score),
            )
        )
    )
    return np.where(taken[:, None], moved, z), kept, chance.astype(np.float32)


def _height(at: Densities, beta: float) -> Logs:
    logs: Logs = at.log_prior.astype(np.float64) + beta * at.log_likelihood
    return logs


def _slope(at: Densities, beta: float) -> Array:
    return at.prior_score + np.float32(beta) * at.likelihood_score
