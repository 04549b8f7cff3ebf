"""What a Snapshot is asked with: images as its model sees them, and classes. Imports no torch."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]
Classes = NDArray[np.int64]

OneOrEach = int | Classes | None
"""A class y for all rows or one for each, ``(n,)``; ``None`` for models that do not see it."""


def each(y: OneOrEach, rows: int) -> Classes | None:
    """A class for each of so many rows."""
    return np.full(rows, y, np.int64) if isinstance(y, int) else y


def as_unit_floats(images: NDArray[np.uint8] | Array) -> Array:
    """Grey levels as float32 in 0 … 1; uint8 is divided by 255, floats pass."""
    if images.dtype == np.uint8:
        return images.astype(np.float32) * np.float32(1 / 255)
    return np.asarray(images, dtype=np.float32)


def as_seen(images: NDArray[np.uint8] | Array, protocol: str) -> Array:
    """Pixels in 0 … 1 as a protocol shows them to a model; binarised protocols cut at one half; any shape."""
    x = as_unit_floats(images)
    return x if protocol == "grey" else (x > 0.5).astype(np.float32)
