"""The metrics of a run: append-only columns that one thread writes and any thread reads."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

COLUMNS = ("step", "epoch", "reconstruction", "kl")
"""Columns of a table: ``step`` counts gradient steps, ``epoch`` is fractional, the terms are nats per image."""


@dataclass(frozen=True)
class MetricsView:
    """A consistent view of a table at one moment, each column of shape ``(n,)``; ``elbo = reconstruction - kl``."""

    step: NDArray[np.int32]
    epoch: NDArray[np.float32]
    reconstruction: NDArray[np.float32]
    kl: NDArray[np.float32]

    def __len__(self) -> int:
        return len(self.step)

    @property
    def elbo(self) -> NDArray[np.float32]:
        """``reconstruction - kl``, nats per image, shape ``(n,)``."""
        return self.reconstruction - self.kl

    def until(self, step: int) -> MetricsView:
        """The rows up to and including ``step``: how far a Snapshot of that step reaches."""
        n = int(np.searchsorted(self.step, step, side="right"))
        return MetricsView(self.step[:n], self.epoch[:n], self.reconstruction[:n], self.kl[:n])


class MetricsTable:
    """Append-only metrics in compact columns, thinned with age once ``capacity`` rows are reached.

    Thinning averages neighbours in the older half, so recent rows stay exact, memory stays bounded and a
    long run keeps its shape. One thread appends; readers call :meth:`view` and hold no lock.
    """

    def __init__(self, capacity: int = 65_536) -> None:
        if capacity < 4 or capacity % 4:
            raise ValueError(f"capacity must be a multiple of 4, got {capacity}")
        self._capacity = capacity
        self._state = (_empty_columns(min(1024, capacity)), 0)

    def __len__(self) -> int:
        return self._state[1]

    def view(self) -> MetricsView:
        """What has been appended so far. The view never changes afterwards."""
        columns, n = self._state
        return MetricsView(*(column[:n] for column in columns))

    def append(
        self,
        step: NDArray[np.int32],
        epoch: NDArray[np.float32],
        reconstruction: NDArray[np.float32],
        kl: NDArray[np.float32],
    ) -> None:
        """Add rows, each argument of shape ``(k,)``, in rising order of ``step``."""
        for start in range(0, len(step), self._capacity // 4):
            rows = slice(start, start + self._capacity // 4)
            self._append((step[rows], epoch[rows], reconstruction[rows], kl[rows]))

    def append_row(self, step: int, epoch: float, reconstruction: float, kl: float) -> None:
        """Add one row; terms in nats per image."""
        self._append(
            (
                np.array([step], np.int32),
                np.array([epoch], np.float32),
                np.array([reconstruction], np.float32),
                np.array([kl], np.float32),
            )
        )

    def truncate(self, step: int) -> None:
        """Forget rows after ``step``, as when a run goes back to its last good state."""
        columns, _ = self._state
        n = len(self.view().until(step))
        # Fresh arrays: views handed out before keep the rows they showed.
        self._state = (tuple(column[:n].copy() for column in columns), n)

    def _append(self, rows: tuple[NDArray[np.generic], ...]) -> None:
        columns, n = self._state
        k = len(rows[0])
        if n + k > self._capacity:
            columns, n = _thinned(columns, n)
        if n + k > len(columns[0]):
            size = min(self._capacity, max(2 * len(columns[0]), n + k))
            columns = tuple(np.concatenate([c[:n], np.empty(size - n, c.dtype)]) for c in columns)
        for column, new in zip(columns, rows, strict=True):
            column[n : n + k] = new
        # One assignment publishes the rows: readers see the old state or the new one, never between.
        self._state = (columns, n + k)


@dataclass(frozen=True)
class History:
    """The two tables of a run: every training step's batch, and the held-out images once per epoch."""

    training: MetricsTable
    held_out: MetricsTable

    @classmethod
    def empty(cls) -> History:
        """A history with no rows."""
        return cls(MetricsTable(), MetricsTable(8_192))


def _empty_columns(size: int) -> tuple[NDArray[np.generic], ...]:
    return (np.empty(size, np.int32), *(np.empty(size, np.float32) for _ in COLUMNS[1:]))


def _thinned(columns: tuple[NDArray[np.generic], ...], n: int) -> tuple[tuple[NDArray[np.generic], ...], int]:
    old = n // 4 * 2  # an even number of rows, about the older half
    step, *rest = columns
    thinned = [np.concatenate([step[1:old:2], step[old:n]])]
    for column in rest:
        pairs = column[:old].reshape(-1, 2).mean(axis=1, dtype=np.float64).astype(np.float32)
        thinned.append(np.concatenate([pairs, column[old:n]]))
    return tuple(thinned), len(thinned[0])
