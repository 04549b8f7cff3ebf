"""Memory that a file is mapped into: giving it back, so that data larger than memory are only passed through."""

from __future__ import annotations

import mmap
from contextlib import suppress
from typing import Any

import numpy as np
from numpy.typing import NDArray


def give_back(array: NDArray[Any]) -> None:
    """Let go of the memory that shows a mapped file; what was written stays in the file, what is read comes again.

    Does nothing for an array in ordinary memory, and where the system has no such call.
    """
    base: Any = array
    while base is not None and not isinstance(base, np.memmap):
        base = getattr(base, "base", None)
    mapped = getattr(base, "_mmap", None)
    if mapped is not None and hasattr(mmap, "MADV_DONTNEED"):
        with suppress(OSError, ValueError):
            mapped.madvise(mmap.MADV_DONTNEED)
