"""What the curves show, in a few words: what a family sees in its metrics, overfitting, or the best epoch."""

from __future__ import annotations

from vaeviewer.backend.models.fields import FamilyConfig
from vaeviewer.backend.models.registry import AnyFamily
from vaeviewer.backend.training.overfitting import Figures, best_row, has_best, overfitting
from vaeviewer.ui.curves.curve_data import Curves

JUDGED_STEPS = 200
"""Steps after which what a family sees counts, unless an epoch is over before; untrained models look odd."""


def warning(family: AnyFamily, config: FamilyConfig, training: Curves, held_out: Curves) -> str:
    """What the family has against the newest means, once training has begun in earnest; empty if nothing."""
    newest = training if len(training) else held_out
    if not len(newest) or (newest.epoch[-1] < 1 and newest.step[-1] < JUDGED_STEPS):
        return ""
    terms = {key: float(column[-1]) for key, column in newest.smooth.items()}
    symptoms = family.symptoms(config, terms, int(newest.step[-1]))
    return symptoms[0].title if symptoms else ""


def best_of(family: AnyFamily, held_out: Curves) -> int | None:
    """The row with the best held-out value; ``None`` where there is no better or worse, or only ever one."""
    headline = family.metrics.headline
    return best_row(held_out.raw[headline.key], headline) if family.capabilities.trains else None


def overfits(family: AnyFamily, training: Curves, held_out: Curves) -> bool:
    """Whether the held-out values have been getting worse for some epochs while the training ones got better."""
    headline = family.metrics.headline
    seen, kept = (Figures(curves.epoch, curves.raw[headline.key]) for curves in (training, held_out))
    return has_best(family) and overfitting(headline, seen, kept) is not None
