"""The metrics of a run: append-only columns that one thread writes and any thread reads."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vaeviewer.backend.models.interface import Metrics

TRAINING_CAPACITY = 16_384
HELD_OUT_CAPACITY = 8_192
"""Most rows of the two tables of a run: with two terms, 256 KiB and 128 KiB."""

Column = NDArray[np.float32]


@dataclass(frozen=True)
class MetricsView:
    """A consistent view of a table at one moment.

    Attributes:
        step: Gradient steps taken, ``(n,)``.
        epoch: Passes over the images, fractional, ``(n,)``.
        stored: The stored metrics by key, each ``(n,)``.
        metrics: What they mean, and which others derive from them.
    """

    step: NDArray[np.int32]
    epoch: Column
    stored: Mapping[str, Column]
    metrics: Metrics

    def __len__(self) -> int:
        return len(self.step)

    def __getitem__(self, key: str) -> Column:
        """A metric's column by its key, stored or derived.

        Raises:
            KeyError: There is none.
        """
        if key in self.stored:
            return self.stored[key]
        derived: Column = self.metrics.complete(self.stored)[key]
        return derived

    def columns(self) -> dict[str, NDArray[Any]]:
        """``step``, ``epoch`` and the stored metrics by name, as files hold them."""
        return {"step": self.step, "epoch": self.epoch, **self.stored}

    def check(self) -> None:
        """See whether a table could hold these rows.

        Raises:
            ValueError: The columns differ in length or shape, a number is not finite, or the steps do not rise.
        """
        for name, column in self.columns().items():
            if column.ndim != 1 or len(column) != len(self.step):
                raise ValueError(f"{name} has shape {column.shape}, expected one as long as step")
            if not np.isfinite(column).all():
                raise ValueError(f"{name} holds values that are not finite")
        if len(self) and (self.step[0] < 0 or (self.step[1:] < self.step[:-1]).any()):
            raise ValueError("step does not rise from row to row")

    def until(self, step: int) -> MetricsView:
        """The rows up to and including ``step``: how far a Snapshot of that step reaches."""
        n = int(np.searchsorted(self.step, step, side="right"))
        stored = {key: column[:n] for key, column in self.stored.items()}
        return MetricsView(self.step[:n], self.epoch[:n], stored, self.metrics)


class MetricsTable:
    """Append-only metrics in compact columns, thinned with age once ``capacity`` rows are reached.

    Thinning averages neighbours in the older half, so recent rows stay exact, memory stays bounded and a
    long run keeps its shape. One thread appends; readers call :meth:`view` and hold no lock.

    Args:
        metrics: Whose stored values are its columns, beside ``step`` and ``epoch``.
        capacity: Most rows.
    """

    def __init__(self, metrics: Metrics, capacity: int = TRAINING_CAPACITY) -> None:
        if capacity < 4 or capacity % 4:
            raise ValueError(f"capacity must be a multiple of 4, got {capacity}")
        self._metrics = metrics
        self._capacity = capacity
        self._state = (_empty_columns(min(1024, capacity), len(metrics.stored)), 0)

    def __len__(self) -> int:
        return self._state[1]

    @classmethod
    def from_view(cls, view: MetricsView, capacity: int) -> MetricsTable:
        """A table that holds the rows of ``view`` and goes on from there, as when a run is opened.

        The view's own memory as long as nothing is appended, which needs more room and so moves to new memory.

        Raises:
            ValueError: As :meth:`MetricsView.check`.
        """
        view.check()
        table, columns = cls(view.metrics, capacity), tuple(view.columns().values())
        if 0 < len(view) <= capacity and [c.dtype for c in columns] == [c.dtype for c in table._state[0]]:
            table._state = (columns, len(view))
        else:
            table.append(view.step, view.epoch, np.stack(list(view.stored.values()), axis=1))
        return table

    def view(self) -> MetricsView:
        """What has been appended so far. The view never changes afterwards, and nobody can change it."""
        columns, n = self._state
        step, epoch, *stored = (_read_only(column[:n]) for column in columns)
        return MetricsView(step, epoch, dict(zip(self._metrics.stored, stored, strict=True)), self._metrics)

    def append(self, step: NDArray[np.int32], epoch: Column, stored: NDArray[np.float32]) -> None:
        """Add rows in rising order of ``step``.

        The table that results does not depend on how many rows came in one call, so a run gives the same history
        whatever its pauses and blocks were.

        Args:
            step: ``(k,)``.
            epoch: ``(k,)``.
            stored: ``(k, columns)``, the stored metrics in the family's order.
        """
        rows, done = (step, epoch, *stored.T), 0
        while done < len(step):
            done += self._append_some(tuple(column[done:] for column in rows))

    def append_row(self, step: int, epoch: float, values: Mapping[str, float]) -> None:
        """Add one row of stored metrics by key."""
        stored = [[values[key] for key in self._metrics.stored]]
        self.append(np.array([step], np.int32), np.array([epoch], np.float32), np.array(stored, np.float32))

    def truncate(self, step: int) -> None:
        """Forget rows after ``step``, as when a run goes back to its last good state."""
        columns, _ = self._state
        n = len(self.view().until(step))
        # Fresh arrays: views handed out before keep the rows they showed.
        self._state = (tuple(column[:n].copy() for column in columns), n)

    def _append_some(self, rows: tuple[NDArray[np.generic], ...]) -> int:
        """Append as many rows as there is room for before the next thinning; returns their number."""
        columns, n = self._state
        if n == self._capacity:
            columns, n = _thinned(columns, n)
        k = min(len(rows[0]), self._capacity - n)
        if n + k > len(columns[0]):
            size = min(self._capacity, max(2 * len(columns[0]), n + k))
            columns = tuple(np.concatenate([c[:n], np.empty(size - n, c.dtype)]) for c in columns)
        for column, new in zip(columns, rows, strict=True):
            column[n : n + k] = new[:k]
        # One assignment publishes the rows: readers see the old state or the new one, never between.
        self._state = (columns, n + k)
        return k


@dataclass(frozen=True)
class History:
    """The two tables of a run: every training step's batch, and the held-out images once per epoch."""

    training: MetricsTable
    held_out: MetricsTable

    @classmethod
    def empty(cls, metrics: Metrics) -> History:
        """A history with no rows."""
        return cls(MetricsTable(metrics, TRAINING_CAPACITY), MetricsTable(metrics, HELD_OUT_CAPACITY))

    @classmethod
    def from_views(cls, training: MetricsView, held_out: MetricsView) -> History:
        """A history that goes on from the rows of two views.

        Raises:
            ValueError: As :func:`check_views`.
        """
        check_views(training, held_out)
        return cls(
            MetricsTable.from_view(training, TRAINING_CAPACITY),
            MetricsTable.from_view(held_out, HELD_OUT_CAPACITY),
        )


def check_views(training: MetricsView, held_out: MetricsView) -> None:
    """See whether a history could hold these rows.

    Raises:
        ValueError: As :meth:`MetricsView.check`, naming the table too.
    """
    for name, view in (("training", training), ("held_out", held_out)):
        try:
            view.check()
        except ValueError as error:
            raise ValueError(f"{name}.{error}") from None


def _read_only(column: NDArray[Any]) -> NDArray[Any]:
    column.setflags(write=False)  # of the slice, not of the table's own array
    return column


def _empty_columns(size: int, stored: int) -> tuple[NDArray[np.generic], ...]:
    return (np.empty(size, np.int32), *(np.empty(size, np.float32) for _ in range(1 + stored)))


def _thinned(columns: tuple[NDArray[np.generic], ...], n: int) -> tuple[tuple[NDArray[np.generic], ...], int]:
    old = n // 4 * 2  # an even number of rows, about the older half
    step, *rest = columns
    thinned = [np.concatenate([step[1:old:2], step[old:n]])]
    for column in rest:
        pairs = column[:old].reshape(-1, 2).mean(axis=1, dtype=np.float64).astype(np.float32)
        thinned.append(np.concatenate([pairs, column[old:n]]))
    return tuple(thinned), len(thinned[0])
