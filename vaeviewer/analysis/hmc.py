"""Hamiltonian Monte Carlo on any log-density and its derivative: Neal, "MCMC using Hamiltonian dynamics" (2011)."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Points = NDArray[np.float64]

LogDensity = Callable[[Points], NDArray[np.floating]]
"""Of points ``(m, d)``, up to a constant, nats ``(m,)``."""

Score = Callable[[Points], NDArray[np.floating]]
"""Its derivative at points ``(m, d)``, ``(m, d)``."""

WARM_UP = 100
"""Transitions in which the step size is found; they are no samples."""

TARGET = 0.8
"""The mean probability of acceptance that the step size is made for."""

LONGEST = 12
"""Most leapfrog steps of a transition."""

_FIRST_STEP = 0.5
_SHRINKAGE, _FORGOTTEN, _DECAY = 0.05, 10.0, 0.75  # γ, t₀ and κ of dual averaging


@dataclass(frozen=True, eq=False)
class Transition:
    """What one step of a chain did.

    Attributes:
        path: From where the chain was to what was proposed, a row for each leapfrog step, ``(k, d)``.
        z: Where the chain is now: the path's end, or where it was.
        accepted: Which of these.
        probability: With which the proposal was to be accepted.
        warming: Whether the step size was still being found.
    """

    path: Points
    z: Points
    accepted: bool
    probability: float
    warming: bool


class Chain:
    """One Markov chain; each :meth:`step` depends on the arguments and on the steps before alone.

    A transition draws a momentum and follows the leapfrog integrator for a random number of steps (section 3.2: one of
    a fixed length may come back to where it began), and the proposal is accepted with probability
    min(1, exp(H(start) − H(end))). The step size is found by dual averaging during the first transitions: Hoffman &
    Gelman, "The No-U-Turn Sampler" (2014), section 3.2.

    Args:
        log_density: Of what it samples.
        score: Its derivative.
        start: Where it begins, ``(d,)``.
        scale: About how wide the density is along each axis, ``(d,)``: a leapfrog step is measured in these.
        seed: Of its draws.
        warm_up: Transitions before samples count.

    Attributes:
        step_size: Of the leapfrog, in units of ``scale``.
    """

    def __init__(
        self,
        log_density: LogDensity,
        score: Score,
        start: NDArray[np.floating],
        scale: NDArray[np.floating],
        *,
        seed: int = 0,
        warm_up: int = WARM_UP,
    ) -> None:
        self._log_density, self._score = log_density, score
        self._z = np.asarray(start, np.float64)
        self._scale = np.asarray(scale, np.float64)
        self._draws = np.random.default_rng(seed)
        self._warm_up = warm_up
        self._taken = 0
        self._log = self._value(self._z)
        self._slope = self._derivative(self._z)
        self.step_size = _FIRST_STEP
        self._average, self._deficit = math.log(_FIRST_STEP), 0.0
        self._samples: list[Points] = []
        self._accepted = 0

    @property
    def samples(self) -> Points:
        """Where the chain was after each transition since the warm-up, ``(n, d)``."""
        return np.array(self._samples).reshape(-1, len(self._z))

    @property
    def acceptance(self) -> float:
        """Share of the proposals since then that were accepted; NaN before there are any."""
        return self._accepted / len(self._samples) if self._samples else math.nan

    @property
    def effective_samples(self) -> float:
        """As :func:`effective_samples`, of the coordinate that mixes worst; NaN before there are enough."""
        found = effective_samples(self.samples)
        return float(found.min()) if len(self._samples) >= _LEAST_SAMPLES else math.nan

    def step(self) -> Transition:
        """One transition."""
        warming = self._taken < self._warm_up
        momentum = self._draws.standard_normal(len(self._z))
        steps = int(self._draws.integers(1, LONGEST + 1))
        before = self._log - 0.5 * float(momentum @ momentum)
        path, slope = [self._z], self._slope
        with np.errstate(all="ignore"):  # what diverges is not accepted
            for _ in range(steps):
                momentum = momentum + 0.5 * self.step_size * slope
                path.append(path[-1] + self.step_size * self._scale * momentum)
                slope = self._derivative(path[-1])
                momentum = momentum + 0.5 * self.step_size * slope
            log = self._value(path[-1])
            gain = log - 0.5 * float(momentum @ momentum) - before
        probability = math.exp(min(0.0, gain)) if math.isfinite(gain) else 0.0
        accepted = bool(self._draws.random() < probability)
        if accepted:
            self._z, self._log, self._slope = path[-1], log, slope
        self._taken += 1
        if warming:
            self._adapt(probability)
        else:
            self._samples.append(self._z)
            self._accepted += accepted
        return Transition(np.array(path), self._z, accepted, probability, warming)

    def _value(self, z: Points) -> float:
        return float(self._log_density(z[None])[0])

    def _derivative(self, z: Points) -> Points:
        """In units of the scale."""
        return np.asarray(self._score(z[None])[0], np.float64) * self._scale

    def _adapt(self, probability: float) -> None:
        """Dual averaging: equation 6 of Hoffman & Gelman; after the last one its average holds."""
        t = self._taken
        share = 1.0 / (t + _FORGOTTEN)
        self._deficit = (1.0 - share) * self._deficit + share * (TARGET - probability)
        log_step = math.log(10.0 * _FIRST_STEP) - math.sqrt(t) / _SHRINKAGE * self._deficit
        weight = t**-_DECAY
        self._average = weight * log_step + (1.0 - weight) * self._average
        self.step_size = math.exp(self._average if t == self._warm_up else log_step)


_LEAST_SAMPLES = 4


def effective_samples(samples: NDArray[np.floating]) -> NDArray[np.float64]:
    """How many independent samples tell as much of the mean as those of a chain, ``(n, d)``; of each coordinate.

    By the autocorrelations up to where the sums of two neighbours are no longer positive, and never let rise again:
    Geyer, "Practical Markov chain Monte Carlo" (1992), section 3.3, the initial monotone sequence. NaN where the chain
    never moved.
    """
    n = len(samples)
    found = np.full(samples.shape[1], np.nan)
    if n < _LEAST_SAMPLES:
        return found
    apart = samples - samples.mean(axis=0)
    spectrum = np.fft.rfft(apart, 2 * n, axis=0)
    covariance = np.fft.irfft(np.square(np.abs(spectrum)), axis=0)[:n] / n
    for column, lags in enumerate(covariance.T):
        if lags[0] <= 0.0:
            continue
        pairs = (lags[: n // 2 * 2] / lags[0]).reshape(-1, 2).sum(axis=1)
        below = np.flatnonzero(pairs <= 0.0)
        kept = np.minimum.accumulate(pairs[: below[0] if len(below) else len(pairs)])
        time = 2.0 * kept.sum() - 1.0
        found[column] = n / max(
            time, 1.0 / math.log10(n)
        )  # one that alternates tells more, but not without end
    return found
