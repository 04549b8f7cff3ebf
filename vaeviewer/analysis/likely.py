"""How probable an image is under a model, and beside held-out images: log p(x) and how many have less."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vaeviewer.analysis.evidence import MOST_DIMENSIONS, Evidence, evidence_in_steps
from vaeviewer.analysis.importance import importance_in_steps
from vaeviewer.backend.asked import Classes
from vaeviewer.backend.snapshot import Snapshot
from vaeviewer.errors import NoDensityError

SAMPLES = 200
"""Codes drawn from each q(z|x) where quadrature cannot be."""


@dataclass(frozen=True, eq=False)
class Likely:
    """Of some images.

    Attributes:
        log_px: log p(x), or log p(x|y) as :func:`likely_in_steps` says, nats, ``(n,)``; with importance weighting a
            lower bound on average.
        exact: Whether by quadrature, and not by importance weighting.
        reason: Why there is none, one sentence; else empty.
    """

    log_px: NDArray[np.float64]
    exact: bool
    reason: str = ""


def likely_in_steps(
    snapshot: Snapshot, images: NDArray[np.uint8], y: Classes | None = None
) -> Iterator[float | Likely]:
    """Log p(x) of images ``(n, *image_shape)`` by the best way there is, in small steps.

    Args:
        snapshot: The model.
        images: The images.
        y: Their classes, ``(n,)``: of a family that ``bounds_given_class`` it is log p(x|y), as it is everywhere else,
            and not the sum over all classes, which takes as many times as long. Others do not look at them.

    Yields:
        The share done, 0 … 1; at last what was computed.
    """
    exact = snapshot.model.latent_dim <= MOST_DIMENSIONS
    given = y if snapshot.family.bounds_given_class else None
    try:
        steps = (
            evidence_in_steps(snapshot, images, given)
            if exact
            else importance_in_steps(snapshot, images, SAMPLES, given)
        )
        for step in steps:
            if isinstance(step, float):
                yield step
            else:
                yield Likely(step.log_px if isinstance(step, Evidence) else step, exact)
    except NoDensityError as error:
        yield Likely(np.empty(0), exact, str(error))


def percentile(value: float, others: NDArray[np.float64]) -> float:
    """The share of others below a value, 0 … 1, those equal to it counted half."""
    return float(((others < value).sum() + 0.5 * (others == value).sum()) / max(1, len(others)))
