from __future__ import annotations

import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vaeviewer.analysis import neighbours
from vaeviewer.analysis.neighbours import knn_accuracy


def by_brute_force(
    reference: np.ndarray, reference_labels: np.ndarray, queries: np.ndarray, query_labels: np.ndarray, k: int
) -> float:
    """The definition, one pair of points at a time."""
    right = 0
    for query, label in zip(queries.astype(np.float64), query_labels, strict=True):
        distances = [float(((point - query) ** 2).sum()) for point in reference.astype(np.float64)]
        nearest = sorted(range(len(distances)), key=lambda i: (distances[i], i))[:k]
        votes = [int(reference_labels[i]) for i in nearest]
        most = max(votes.count(vote) for vote in votes)
        right += next(vote for vote in votes if votes.count(vote) == most) == label
    return right / len(queries)


@settings(max_examples=150, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    n=st.integers(1, 40),
    m=st.integers(1, 10),
    d=st.sampled_from([1, 2, 3, 8, 9, 20]),
    k=st.integers(1, 45),
    levels=st.sampled_from([2, 5, 1000]),
    shift=st.sampled_from([0, 1024]),
)
def test_it_agrees_with_brute_force(
    seed: int, n: int, m: int, d: int, k: int, levels: int, shift: int
) -> None:
    """On small integers, where equal distances are common and every sum is exact."""
    rng = np.random.default_rng(seed)
    reference = (rng.integers(0, levels, (n, d)) + shift).astype(np.float32)
    queries = (rng.integers(0, levels, (m, d)) + shift).astype(np.float32)
    labels, truth = rng.integers(0, 3, n), rng.integers(0, 3, m)
    assert knn_accuracy(reference, labels, queries, truth, k) == by_brute_force(
        reference, labels, queries, truth, k
    )


@pytest.mark.parametrize("d", [2, 10, 40])
@pytest.mark.parametrize("scale", [1.0, 1e-3])
def test_large_norms_do_not_cancel(d: int, scale: float) -> None:
    """A tight cloud far from the origin, and with one point far from the cloud."""
    rng = np.random.default_rng(d)
    reference = (1e4 + scale * rng.standard_normal((600, d))).astype(np.float64)
    reference[0] = -1e5
    queries = 1e4 + scale * rng.standard_normal((50, d))
    labels, truth = rng.integers(0, 4, 600), rng.integers(0, 4, 50)
    assert knn_accuracy(reference, labels, queries, truth) == by_brute_force(
        reference, labels, queries, truth, 5
    )


@pytest.mark.parametrize("d", [2, 12])
def test_many_points_in_blocks_and_chunks(d: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(neighbours, "_CHUNK", 10_000)
    rng = np.random.default_rng(0)
    reference = rng.standard_normal((4003, d)).astype(np.float32)
    queries = rng.standard_normal((31, d)).astype(np.float32)
    labels, truth = rng.integers(0, 3, 4003), rng.integers(0, 3, 31)
    assert knn_accuracy(reference, labels, queries, truth, 3) == by_brute_force(
        reference, labels, queries, truth, 3
    )


def test_of_tied_classes_the_nearer_wins() -> None:
    reference = np.array([[0.0], [1.0], [2.0], [3.0]])
    labels = np.array([7, 8, 8, 7])
    assert knn_accuracy(reference, labels, np.array([[-1.0]]), np.array([7]), k=4) == 1.0
    assert knn_accuracy(reference, labels, np.array([[-1.0]]), np.array([8]), k=3) == 1.0
    assert knn_accuracy(reference, labels, np.array([[-1.0]]), np.array([7]), k=2) == 1.0


def test_of_equally_distant_points_the_earlier_row_is_nearer() -> None:
    reference = np.zeros((1000, 2))
    labels = np.arange(1000)
    assert knn_accuracy(reference, labels, np.ones((1, 2)), np.array([0]), k=1) == 1.0


def test_separate_classes_are_told_apart_and_noise_is_not() -> None:
    rng = np.random.default_rng(1)
    labels, truth = rng.integers(0, 10, 2000), rng.integers(0, 10, 500)
    centres = 10.0 * rng.standard_normal((10, 2))
    spread = 0.01 * rng.standard_normal((2000, 2))
    assert knn_accuracy(centres[labels] + spread, labels, centres[truth], truth) == 1.0
    chance = knn_accuracy(rng.standard_normal((2000, 2)), labels, rng.standard_normal((500, 2)), truth)
    assert 0.05 < chance < 0.15


def test_memory_stays_bounded() -> None:
    rng = np.random.default_rng(2)
    reference = rng.standard_normal((60_000, 2)).astype(np.float32)
    queries = rng.standard_normal((300, 2)).astype(np.float32)
    tracemalloc.start()
    try:
        knn_accuracy(reference, np.zeros(60_000, np.int64), queries, np.zeros(300, np.int64))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 50e6  # all distances at once would be 144 MB, and 4.8 GB for 10,000 queries


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"k": 0}, "k must be at least 1"),
        ({"reference": np.zeros(3)}, r"must be \(n, d\)"),
        ({"queries": np.zeros((2, 3))}, r"must be \(n, d\)"),
        ({"reference": np.zeros((0, 2)), "reference_labels": np.zeros(0, int)}, "reference is empty"),
        ({"queries": np.zeros((0, 2)), "query_labels": np.zeros(0, int)}, "queries is empty"),
        ({"reference_labels": np.zeros(4, int)}, "reference has 3 rows"),
        ({"query_labels": np.zeros((2, 1), int)}, "queries has 2 rows"),
        ({"queries": np.full((2, 2), np.nan)}, "queries holds values that are not finite"),
    ],
)
def test_what_cannot_be_compared_is_refused(change: dict[str, object], problem: str) -> None:
    good: dict[str, object] = {
        "reference": np.zeros((3, 2)),
        "reference_labels": np.zeros(3, int),
        "queries": np.zeros((2, 2)),
        "query_labels": np.zeros(2, int),
    }
    with pytest.raises(ValueError, match=problem):
        knn_accuracy(**(good | change))  # type: ignore[arg-type]
