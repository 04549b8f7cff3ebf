"""What a table says of each image besides its class: numbers and words, to colour points by."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vaeviewer.limits import MAX_COLUMN_WORDS

NO_VALUE = "(no value)"


@dataclass(frozen=True)
class Column:
    """A column of a table, with a value for each image.

    Attributes:
        name: What its first line calls it.
        values: Numbers, float32 with NaN where there is none; of words int64, rows of ``words``; shape ``(n,)``.
        words: The different words of a column that holds other things than numbers.
    """

    name: str
    values: NDArray[np.float32] | NDArray[np.int64]
    words: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        self.values.setflags(write=False)

    def taken(self, rows: NDArray[np.int64] | slice) -> Column:
        """The same of some of the images."""
        return Column(self.name, self.values[rows], self.words)


def column_of(name: str, cells: Sequence[str]) -> Column | None:
    """A column of these cells: of numbers where all that are not empty are numbers, else of words.

    Returns:
        ``None`` for one without any value, or with more different words than
        :data:`~vaeviewer.limits.MAX_COLUMN_WORDS`, as names or remarks have: there are not so many colours.
    """
    distinct = dict.fromkeys(cell.strip() for cell in cells)
    distinct.pop("", None)
    numbers = {cell: number for cell in distinct if (number := _number(cell)) is not None}
    if not distinct:
        return None
    if len(numbers) == len(distinct):
        values = np.array([numbers.get(cell.strip(), math.nan) for cell in cells], np.float32)
        return Column(name, values) if np.isfinite(values).any() else None
    if len(distinct) > MAX_COLUMN_WORDS:
        return None
    words = sorted(distinct, key=str.casefold)
    if any(not cell.strip() for cell in cells):
        words.append(NO_VALUE)
    places = {word: row for row, word in enumerate(words)}
    rows = np.array([places[cell.strip() or NO_VALUE] for cell in cells], np.int64)
    return Column(name, rows, tuple(words))


def _number(cell: str) -> float | None:
    """The number that a cell holds, NaN if it says so or float32 does not reach so far; ``None`` for a word."""
    try:
        number = float(cell)
    except ValueError:
        return None
    return number if abs(number) <= float(np.finfo(np.float32).max) else math.nan
