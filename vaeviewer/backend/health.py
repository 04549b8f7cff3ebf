"""Judges while it trains whether training still makes sense, long before a number is infinite. Imports no torch.

Two things go wrong where a value was chosen too large. A high learning rate throws the weights so far that the
objective is worse than an untrained network's by orders of magnitude. A high β makes the KL term outweigh all that
z could tell about an image, so q(z|x) becomes the prior: posterior collapse.
"""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass
from enum import Enum
from statistics import median
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from vaeviewer.backend.config import Settings, TrainConfig

STEPS = 16
"""An objective is exploding when the median of so many steps is …"""

TIMES_WORSE = 10.0
"""… so many times worse than the untrained network's. Single steps of healthy runs may be, too."""

GLANCE = 8
"""Steps between two judgements, whatever came in one call: that depends on how fast steps are."""

FEW = 4
"""A state is not sound where one of so many steps before it is as bad."""

COLLAPSE_STEPS = 64
"""A posterior has collapsed when the median KL of so many steps is …"""

COLLAPSED_KL = 0.05
"""… below this, in nats per image: nothing that could tell images apart …"""

LARGE_BETA = 10.0
"""… and β is so large that it is the likely reason. Below it a small KL has other ones, such as few images."""

GRACE_STEPS = 300
"""A larger β is counted in after so many steps: the KL is still that of the smaller one."""

LARGE_RATE = 0.03
"""A learning rate at which Adam throws these networks' weights away."""


class Trouble(Enum):
    """What went wrong."""

    EXPLODING = "exploding"
    COLLAPSED = "collapsed"


@dataclass(frozen=True)
class Finding:
    """Training makes no sense any more, and which setting is probably too large.

    Attributes:
        trouble: What went wrong.
        field: The setting to lower, ``learning_rate`` or ``beta``.
        value: Its value when that was seen.
        suggested: A value that should do.
        step: Where it was seen.
        good_step: The last good state's step, to which going back leads; 0 is the untrained network.
    """

    trouble: Trouble
    field: Literal["learning_rate", "beta"]
    value: float
    suggested: float
    step: int
    good_step: int


class Health:
    """Follows the terms of a run's steps.

    Args:
        untrained: Reconstruction term of the untrained network, nats per image.
        pixels: Of an image; the measure where that term is near zero.
    """

    def __init__(self, untrained: float, pixels: int) -> None:
        # From what a fair coin for each pixel would give, if the network starts above that.
        self._bound = untrained - (TIMES_WORSE - 1.0) * max(abs(untrained), pixels * math.log(2.0))
        self._reconstruction: deque[float] = deque(maxlen=STEPS)
        self._kl: deque[float] = deque(maxlen=COLLAPSE_STEPS)
        self._betas: deque[tuple[int, float]] = deque()
        self._finding: tuple[Trouble, int, Settings] | None = None

    @property
    def sound(self) -> bool:
        """Whether the newest steps are of a state worth going back to."""
        objective = self._objective()[-FEW:]
        return (
            self._finding is None and min(objective, default=0.0) >= self._bound and not self._collapsed(FEW)
        )

    def bears(self, reconstruction: float) -> bool:
        """Whether a network with this reconstruction term, nats per image, is not beyond use; NaN is."""
        return reconstruction >= self._bound

    def look(
        self,
        steps: NDArray[np.int32],
        reconstruction: NDArray[np.float32],
        kl: NDArray[np.float32],
        settings: Settings,
    ) -> None:
        """Take note of some more steps, taken with ``settings``; each array of shape ``(n,)``, nats per image."""
        for start in range(0, len(steps), GLANCE):
            part = slice(start, start + GLANCE)
            self._reconstruction.extend(reconstruction[part].tolist())
            self._kl.extend(kl[part].tolist())
            self._judge(int(steps[part][-1]), settings)

    def broke(self, step: int, settings: Settings) -> None:
        """A number became infinite or NaN at ``step``, which says all."""
        self._finding = self._finding or (Trouble.EXPLODING, step, settings)

    def restart(self) -> None:
        """Training goes on from another state, of which nothing is known."""
        self._reconstruction.clear()
        self._kl.clear()
        self._betas.clear()
        self._finding = None

    def finding(self, good_step: int) -> Finding | None:
        """What is wrong, if anything is, and what to do about it from the good state at ``good_step``."""
        if self._finding is None:
            return None
        trouble, step, settings = self._finding
        rate, beta = _rates(settings)
        if trouble is Trouble.COLLAPSED or (beta >= LARGE_BETA and rate < LARGE_RATE):
            return Finding(trouble, "beta", beta, _usual("beta"), step, good_step)
        lower = min(_one_digit(rate / 10), _usual("learning_rate"))
        return Finding(trouble, "learning_rate", rate, lower, step, good_step)

    def _judge(self, step: int, settings: Settings) -> None:
        self._betas.append((step, settings.train.beta))
        while self._betas[0][0] <= step - GRACE_STEPS:
            self._betas.popleft()
        if self._finding is None:
            if self._exploding(STEPS):
                self._finding = Trouble.EXPLODING, step, settings
            elif self._collapsed(COLLAPSE_STEPS):
                self._finding = Trouble.COLLAPSED, step, settings
        elif (
            _rates(settings) != _rates(self._finding[2])
            and not self._exploding(FEW)
            and not self._collapsed(FEW)
        ):
            self._finding = None  # the user has changed what it was about, and that helped

    def _objective(self) -> list[float]:
        """What the newest steps wanted to raise, with the smallest β of late."""
        beta = min((beta for _, beta in self._betas), default=0.0)
        n = len(self._reconstruction)
        return [r - beta * kl for r, kl in zip(self._reconstruction, list(self._kl)[-n:], strict=True)]

    def _exploding(self, steps: int) -> bool:
        objective = self._objective()[-steps:]
        return len(objective) == steps and median(objective) < self._bound

    def _collapsed(self, steps: int) -> bool:
        large = bool(self._betas) and self._betas[-1][1] >= LARGE_BETA
        kl = list(self._kl)[-steps:]
        return large and len(kl) == steps and median(kl) < COLLAPSED_KL


def _rates(settings: Settings) -> tuple[float, float]:
    return settings.train.learning_rate, settings.train.beta


def _usual(field: str) -> float:
    return float(TrainConfig.model_fields[field].default)


def _one_digit(value: float) -> float:
    return float(f"{value:.0e}")
