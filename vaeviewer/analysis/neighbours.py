"""How well classes stand apart in latent space: k nearest neighbours by posterior means."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

Points = NDArray[np.floating[Any]]
Matrix = NDArray[np.float64]
Distances = Callable[[Matrix], tuple[Matrix, Matrix]]
"""From queries ``(m, d)`` to squared distances ``(m, n)``, and by how much each row of them may be off, ``(m,)``."""

_DIRECT_DIMENSIONS = 8
"""Up to here differences, column by column, are as fast as a matrix product, and exact."""

_CHUNK = 1_000_000
"""Most distances held at once: 8 MB in float64, and as much again while they are computed."""


def knn_accuracy(
    reference: Points,
    reference_labels: NDArray[np.integer[Any]],
    queries: Points,
    query_labels: NDArray[np.integer[Any]],
    k: int = 5,
) -> float:
    """Share of ``queries`` whose class is the most frequent among their ``k`` nearest ``reference`` points.

    Distances are Euclidean. Of equally distant points the earlier row counts as nearer; of equally frequent
    classes the one whose point is nearest wins. Where there are fewer than ``k`` points, all of them vote.

    Args:
        reference: ``(n, d)``, n ≥ 1.
        reference_labels: ``(n,)``.
        queries: ``(m, d)``, m ≥ 1.
        query_labels: ``(m,)``.
        k: Number of neighbours, at least 1.

    Returns:
        A share in 0 … 1.

    Raises:
        ValueError: Shapes do not fit, something is empty or not finite, or ``k`` is below 1.
    """
    _check(reference, reference_labels, queries, query_labels, k)
    points = reference.astype(np.float64)
    k = min(k, len(points))
    distances_of = _differences(points) if points.shape[1] <= _DIRECT_DIMENSIONS else _products(points)
    rows = max(1, _CHUNK // len(points))
    hits = 0
    for start in range(0, len(queries), rows):
        chunk = queries[start : start + rows].astype(np.float64)
        distances, margins = distances_of(chunk)
        for i, label in enumerate(query_labels[start : start + rows]):
            nearest = _nearest(chunk[i], points, distances[i], margins[i], k)
            hits += bool(_vote(reference_labels[nearest]) == label)
    return hits / len(queries)


def _differences(points: Matrix) -> Distances:
    """Squared distances to ``points``, column by column."""

    def distances_of(queries: Matrix) -> tuple[Matrix, Matrix]:
        distances = np.zeros((len(queries), len(points)))
        for j in range(points.shape[1]):
            difference = np.subtract.outer(queries[:, j], points[:, j])
            distances += np.square(difference, out=difference)
        return distances, np.zeros(len(queries))

    return distances_of


def _products(points: Matrix) -> Distances:
    """Squared distances to ``points`` as |q|² - 2 q·p + |p|²: fast, but what cancels is of the norms' size."""
    centre = points.mean(axis=0)  # about it the norms are smallest
    centred = points - centre
    squares = np.square(centred).sum(axis=1)
    rounding = 8 * np.finfo(np.float64).eps * points.shape[1]

    def distances_of(queries: Matrix) -> tuple[Matrix, Matrix]:
        chunk = queries - centre
        norms = np.square(chunk).sum(axis=1)
        distances: Matrix = chunk @ centred.T
        distances *= -2.0
        distances += norms[:, None]
        distances += squares
        return distances, rounding * (norms + squares.max())

    return distances_of


def _nearest(query: Matrix, points: Matrix, distances: Matrix, margin: float, k: int) -> NDArray[np.intp]:
    """Rows of the ``k`` nearest points, nearest first, equal ones in order; ``distances`` err by ``margin``."""
    bound = _kth_smallest_bound(distances, k) + 2 * margin
    candidates = np.flatnonzero(distances <= bound)  # all that may be among them, in order
    exact = np.square(points[candidates] - query).sum(axis=1)
    return candidates[np.argsort(exact, kind="stable")[:k]]


def _kth_smallest_bound(distances: Matrix, k: int) -> float:
    """A value that at least ``k`` distances do not exceed, and few others: far cheaper than sorting.

    Each of ``k`` blocks with the smallest minima holds a distance no larger than the largest of those minima.
    """
    blocks = max(1, len(distances) // 256)
    if blocks < 2 * k:
        return float(np.partition(distances, k - 1)[k - 1])
    width = len(distances) // blocks
    minima = distances[: blocks * width].reshape(blocks, width).min(axis=1)
    return float(np.partition(minima, k - 1)[k - 1])


def _vote(labels: NDArray[np.integer[Any]]) -> np.integer[Any]:
    """The most frequent of ``labels``, nearest first; of several, the one that comes first."""
    votes: NDArray[np.intp] = (labels[:, None] == labels).sum(axis=1)
    winner: np.integer[Any] = labels[votes.argmax()]
    return winner


def _check(
    reference: Points,
    reference_labels: NDArray[np.integer[Any]],
    queries: Points,
    query_labels: NDArray[np.integer[Any]],
    k: int,
) -> None:
    if k < 1:
        raise ValueError(f"k must be at least 1, got {k}")
    if reference.ndim != 2 or queries.ndim != 2 or reference.shape[1] != queries.shape[1]:
        raise ValueError(
            f"reference and queries must be (n, d) and (m, d), got {reference.shape}, {queries.shape}"
        )
    for name, points, labels in (
        ("reference", reference, reference_labels),
        ("queries", queries, query_labels),
    ):
        if not points.size:
            raise ValueError(f"{name} is empty")
        if labels.shape != (len(points),):
            raise ValueError(f"{name} has {len(points)} rows, but labels of shape {labels.shape}")
        if not np.isfinite(points).all():
            raise ValueError(f"{name} holds values that are not finite")
