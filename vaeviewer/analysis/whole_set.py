"""All images together: the terms of their KL, where their codes lie, and how well classes stand apart."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vaeviewer.analysis.latent_plane import Axes
from vaeviewer.analysis.neighbours import knn_accuracy
from vaeviewer.analysis.plane_densities import PlaneDensities, plane_densities
from vaeviewer.analysis.surgery import Surgery, surgery, why_not
from vaeviewer.backend.chunks import parts
from vaeviewer.backend.snapshot import PosteriorTable, Snapshot
from vaeviewer.errors import NoDensityError

NEIGHBOURS = 5
"""How many vote on the class of an image."""

QUERIES = 1_000
"""Images, at most, that are told apart by their neighbours: at most half of all."""

_PAIRS = 500_000  # distances at a time


@dataclass(frozen=True, eq=False)
class WholeSet:
    """Figures of one model.

    Attributes:
        step: Gradient steps it has taken.
        epoch: Passes over the training images.
        axes: As they were given.
        terms: Of the mean KL, or ``None`` where there are none.
        reason: Why there are none, one sentence.
        densities: q(z) and p(z) over the plane, where they are known.
        accuracy: Share of images whose class is that of most of the :data:`NEIGHBOURS` codes next to theirs; ``None``
            without labels.
        queries: How many images that share is of.
    """

    step: int
    epoch: float
    axes: Axes | None
    terms: Surgery | None
    reason: str
    densities: PlaneDensities | None
    accuracy: float | None
    queries: int


def whole_set(
    snapshot: Snapshot, labels: NDArray[np.int64] | None, axes: Axes | None
) -> Iterator[WholeSet | None]:
    """All of it, in small steps of which the last one gives it.

    Args:
        snapshot: The model, with the posteriors of its training images.
        labels: Their classes, ``(n,)``; ``None`` where they have none.
        axes: As :func:`~vaeviewer.analysis.plane_densities.plane_densities` has them.
    """
    terms, found, accuracy, reason = None, None, None, why_not(snapshot)
    if not reason:
        try:
            terms = yield from surgery(snapshot)
            found = yield from plane_densities(snapshot, axes)
        except NoDensityError as problem:
            reason = str(problem)
    queries = 0 if labels is None else min(QUERIES, len(labels) // 2)
    if labels is not None and queries and snapshot.posterior is not None:
        accuracy = yield from _accuracy(snapshot.posterior, labels, queries)
    yield WholeSet(snapshot.step, snapshot.epoch, axes, terms, reason, found, accuracy, queries)


def _accuracy(
    posterior: PosteriorTable, labels: NDArray[np.int64], queries: int
) -> Generator[None, None, float | None]:
    """Of some images by the codes of all others."""
    rows = np.linspace(0, len(labels) - 1, queries).astype(np.intp)
    others = np.ones(len(labels), bool)
    others[rows] = False
    finite = np.asarray(np.isfinite(posterior.loc).all(axis=1), np.bool_)
    rows, others = rows[finite[rows]], others & finite
    codes, classes = posterior.loc[others], labels[others]
    if not len(rows) or not len(codes):
        return None
    hits = 0.0
    for part in parts(len(rows), max(1, _PAIRS // len(codes))):
        some = rows[part]
        hits += len(some) * knn_accuracy(codes, classes, posterior.loc[some], labels[some], NEIGHBOURS)
        yield None
    return hits / len(rows)
