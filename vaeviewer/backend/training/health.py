"""Judges while it trains whether training still makes sense, long before a number is infinite. Imports no torch.

Two things go wrong where a value was chosen too large. A high learning rate throws the weights so far that the
objective is worse than an untrained network's by orders of magnitude. A high β makes the KL term outweigh all that
z could tell about an image, so q(z|x) becomes the prior: posterior collapse.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from vaeviewer.backend.config import Settings, TrainConfig, value_of
from vaeviewer.backend.models.symptoms import Trouble
from vaeviewer.backend.training.findings import Finding, Origin, Remedy, with_changes, within_sentence
from vaeviewer.backend.training.history import MetricsView
from vaeviewer.counts import number

STEPS = 16
"""An objective is exploding when the median of so many steps is …"""

TIMES_WORSE = 10.0
"""… so many times worse than the untrained network's. Single steps of healthy runs may be, too."""

TIMES_BEYOND = 1e6
"""Where it is so many times worse, a few steps tell: with large images they take seconds each."""

GLANCE = 8
"""Steps between two judgements, whatever came in one call: that depends on how fast steps are."""

FEW = 4
"""A state is not sound where one of so many steps before it is as bad."""

COLLAPSE_STEPS = 64
"""Steps from which a collapsed posterior is told."""

GRACE_STEPS = 300
"""A larger weight of a term is counted in after so many steps: the term is still that of the smaller one."""

LARGE_RATE = 0.03
"""A learning rate at which Adam throws these networks' weights away."""


class NonFiniteError(Exception):
    """A metric or a weight became infinite or NaN; ``step`` is the first step it was seen at."""

    def __init__(self, step: int) -> None:
        super().__init__(f"the loss became infinite or undefined at step {step:,}")
        self.step = step


class Health:
    """Follows the stored metrics of a run's steps.

    Args:
        untrained: The objective of the untrained network, as its family has it.
        values: Numbers in an image; the measure where that objective is near zero.
    """

    def __init__(self, untrained: float, values: int) -> None:
        self._untrained = untrained
        # From what a fair coin for each pixel would give, if the network starts above that.
        measure = max(abs(untrained), values * math.log(2.0))
        self._bound = untrained - (TIMES_WORSE - 1.0) * measure
        self._beyond = untrained - (TIMES_BEYOND - 1.0) * measure
        self._newest: dict[
            str, NDArray[np.float64]
        ] = {}  # metrics of the newest steps, at most COLLAPSE_STEPS
        self._settings: deque[tuple[int, Settings]] = deque()
        self._finding: tuple[Trouble, int, Settings, str] | None = None

    @property
    def sound(self) -> bool:
        """Whether the newest steps are of a state worth going back to."""
        if self._finding is not None or not self._settings:
            return self._finding is None
        return bool(self._objective(FEW).min(initial=0.0) >= self._bound) and not self._collapsed(FEW)

    def bears(self, objective: float) -> bool:
        """Whether a network with this objective is not beyond use; with NaN it is."""
        return objective >= self._bound

    def look(
        self, steps: NDArray[np.int32], stored: Mapping[str, NDArray[np.float32]], settings: Settings
    ) -> None:
        """Take note of some more steps, taken with ``settings``; the stored metrics by key, each ``(n,)``."""
        none = np.zeros(0)
        rows = {
            key: np.concatenate((self._newest.get(key, none), column.astype(np.float64)))
            for key, column in stored.items()
        }
        # Mostly all steps are far from exploding, which is seen at once.
        well = bool(np.min(settings.family.objective(settings.model, rows), initial=np.inf) >= self._bound)
        known = len(next(iter(rows.values()))) - len(steps)
        for start in range(0, len(steps), GLANCE):
            end = min(start + GLANCE, len(steps))
            glance = slice(max(0, known + end - COLLAPSE_STEPS), known + end)
            self._newest = {key: column[glance] for key, column in rows.items()}
            self._judge(int(steps[end - 1]), settings, well=well)

    def broke(self, step: int, settings: Settings) -> NonFiniteError:
        """A number became infinite or NaN at ``step``, which says all; returns what is to be raised."""
        measure = within_sentence(settings.family.metrics.headline.title)
        told = f"the {measure} became infinite or undefined at step {step:,}"
        self._finding = self._finding or (Trouble.EXPLODING, step, settings, told)
        return NonFiniteError(step)

    def look_back(self, rows: MetricsView, settings: Settings) -> None:
        """Training goes on from another state: judge that by the end of its history."""
        self.restart()
        last = slice(max(0, len(rows) - COLLAPSE_STEPS), None)
        self.look(rows.step[last], {key: column[last] for key, column in rows.stored.items()}, settings)

    def restart(self) -> None:
        """Training goes on from another state, of which nothing is known."""
        self._newest = {}
        self._settings.clear()
        self._finding = None

    def finding(self, good_step: int) -> Finding | None:
        """What is wrong, if anything is, and what to do about it from the good state at ``good_step``, 0: untrained."""
        if self._finding is None:
            return None
        trouble, step, settings, told = self._finding
        rate, suspect = settings.train.learning_rate, settings.family.suspect(settings.model)
        if suspect and (trouble is Trouble.COLLAPSED or rate < LARGE_RATE):
            declared = type(settings.model).model_fields[suspect]
            changes = {suspect: declared.default}
        else:
            usual = TrainConfig.model_fields["learning_rate"].default
            suspect, changes = "learning_rate", {"learning_rate": min(float(f"{rate / 10:.0e}"), usual)}
        if trouble is Trouble.EXPLODING:
            cause = with_changes(settings, {suspect: value_of(settings, suspect)})
            told = f"{told}: {cause} is probably too high."
        start = f"Go back to step {good_step:,}" if good_step else "Start again"
        label = f"{start} with {with_changes(settings, changes)}"
        return Finding(trouble, told, (Remedy(label, Origin.GOOD, changes),), step)

    def _judge(self, step: int, settings: Settings, *, well: bool) -> None:
        if self._settings and self._settings[-1][1] == settings:
            self._settings.pop()
        self._settings.append((step, settings))
        while self._settings[0][0] <= step - GRACE_STEPS:
            self._settings.popleft()
        if self._finding is None:
            if not well and (self._exploding(STEPS) or self._is_beyond()):
                self._finding = Trouble.EXPLODING, step, settings, self._explosion(step, settings)
            elif self._collapsed(COLLAPSE_STEPS):
                self._finding = Trouble.COLLAPSED, step, settings, self._collapse(step, settings)
        elif settings != self._finding[2] and not self._exploding(FEW) and not self._collapsed(FEW):
            self._finding = None  # the user has changed what it was about, and that helped

    def _terms(self, steps: int) -> dict[str, NDArray[np.float64]]:
        return {key: column[-steps:] for key, column in self._newest.items()}

    def _objective(self, steps: int) -> NDArray[np.float64]:
        """What the newest steps wanted to raise, with the kindest settings of late."""
        terms = self._terms(steps)
        if not terms:
            return np.zeros(0)
        models = [settings for _, settings in self._settings]
        found: NDArray[np.float64] = np.max(
            [settings.family.objective(settings.model, terms) for settings in models], axis=0
        )
        return found

    def _exploding(self, steps: int) -> bool:
        objective = self._objective(steps)
        return len(objective) == steps and bool(np.median(objective) < self._bound)

    def _is_beyond(self) -> bool:
        objective = self._objective(FEW)
        return len(objective) == FEW and bool(objective.max() < self._beyond)

    def _collapsed(self, steps: int) -> bool:
        terms = self._terms(steps)
        if not terms or len(next(iter(terms.values()))) < steps:
            return False
        settings = self._settings[-1][1]
        return settings.family.collapsed(settings.model, terms)

    def _explosion(self, step: int, settings: Settings) -> str:
        """What training wants to raise, now and before any training."""
        now, metric = float(np.median(self._objective(STEPS))), settings.family.metrics.headline
        shown = float(np.median(settings.family.metrics.complete(self._terms(STEPS))[metric.key]))
        name, before = "training objective", self._untrained
        if math.isclose(abs(shown), abs(now), rel_tol=0.01):  # nothing weighs its terms
            name = within_sentence(metric.title)
            now, before = shown, math.copysign(before, shown)
        went = "risen" if now > before else "fallen"
        return f"the {name} has {went} from {number(before)} to {number(now)} at step {step:,}"

    def _collapse(self, step: int, settings: Settings) -> str:
        """What the family says of it."""
        terms = {key: float(np.median(values)) for key, values in self._terms(COLLAPSE_STEPS).items()}
        for symptom in settings.family.symptoms(settings.model, terms, step):
            return symptom.sentence
        return "codes no longer depend on the images (posterior collapse)."
