"""How many rows are computed at a time, counted in bytes: an image may have a hundred times another one's pixels."""

from __future__ import annotations

from collections.abc import Iterator

CHUNK_BYTES = 2**24
"""Most memory of one array of such rows; a few of them exist at a time."""

MOST_ROWS = 4096
"""Most rows at a time, however small they are."""


def rows_at_once(values: int, most: int = MOST_ROWS) -> int:
    """How many rows of so many float32 values each are computed at a time, at least one."""
    return max(1, min(most, CHUNK_BYTES // (4 * values)))


def parts(rows: int, at_once: int) -> Iterator[slice]:
    """So many rows, some at a time."""
    for start in range(0, rows, at_once):
        yield slice(start, start + at_once)
