"""NumPy copies of live tensors, in memory that is used again when nobody holds the copy any more."""

from __future__ import annotations

import math
import sys
from collections import defaultdict
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

LEAST_BYTES = 2**20
"""Smaller copies are made anew each time: the C library uses their memory again by itself."""

MOST_BYTES = 2**26
"""All memory kept. Copies of large models are made anew, which takes little beside their training steps."""

MOST_TOGETHER = 2**24
"""Larger tensors are copied by themselves: together they would need their memory on the device again."""

Pairs = Sequence[tuple[Tensor, NDArray[Any]]]
"""Tensors, each with the array of the same shape and type that it is to be copied to."""


def copied(pairs: Pairs) -> bool:
    """Copy each tensor, from any device, to its array; whether all numbers are finite."""
    finite = True
    together: defaultdict[torch.dtype, list[tuple[Tensor, NDArray[Any]]]] = defaultdict(list)
    for source, copy in pairs:
        if source.device.type == "cuda" and copy.nbytes <= MOST_TOGETHER:
            together[source.dtype].append((source, copy))
            continue
        there = torch.from_numpy(copy)
        there.copy_(source.detach())
        finite = finite and math.isfinite(there.sum())  # torch adds them up on all threads
    for group in together.values():
        finite = _copied_together(group) and finite
    return finite


def _copied_together(pairs: Pairs) -> bool:
    """The same of tensors of one type on a GPU, in one piece: each of many would be waited for by itself."""
    flat = torch.cat([source.detach().flatten() for source, _ in pairs])
    total = flat.sum()
    # Pinned memory is several times as fast, and torch keeps it for the next time.
    there = torch.empty(flat.shape, dtype=flat.dtype, pin_memory=True).copy_(flat).numpy()
    start = 0
    for _, copy in pairs:
        copy[...] = there[start : start + copy.size].reshape(copy.shape)
        start += copy.size
    return math.isfinite(total)


class Copies:
    """Copies tensors several times a second without asking the system for memory.

    A block of some MB comes from the system page by page, each filled with zeros first, which takes several times as
    long as the copying.

    Args:
        copy: Copies tensors to their arrays, and says whether all numbers are finite.
    """

    def __init__(self, copy: Callable[[Pairs], bool] = copied) -> None:
        self._copy = copy
        self._kept: defaultdict[tuple[int, np.dtype[Any]], list[NDArray[Any]]] = defaultdict(list)
        self._bytes = 0

    def of(self, *tensors: Tensor) -> list[NDArray[Any]] | None:
        """Copies of their own, of the same shapes and types, in ordinary memory. Call it on one thread.

        Returns:
            The copies, or ``None`` where a number is infinite or NaN.
        """
        copies: list[NDArray[Any]] = []
        for tensor in tensors:
            dtype = torch.empty(0, dtype=tensor.dtype).numpy().dtype
            copies.append(self._memory(tensor.numel(), dtype).reshape(tuple(tensor.shape)))
        return copies if self._copy(list(zip(tensors, copies, strict=True))) else None

    def _memory(self, count: int, dtype: np.dtype[Any]) -> NDArray[Any]:
        size = count * dtype.itemsize
        if size < LEAST_BYTES:
            return np.empty(count, dtype)
        kept = self._kept[count, dtype]
        for place in range(len(kept)):
            if _references(kept, place) == _NO_OTHERS:
                return kept[place]
        memory = np.empty(count, dtype)
        if self._bytes + size <= MOST_BYTES:
            kept.append(memory)
            self._bytes += size
        return memory


def _references(kept: list[NDArray[Any]], place: int) -> int:
    """How many there are to a block: whatever shows a copy that lies there, or a part of one, has one, too."""
    return sys.getrefcount(kept[place])


# Counted rather than known: how many the call itself takes differs between versions of Python.
_NO_OTHERS = _references([np.empty(0)], 0)
