"""NumPy copies of live tensors, in memory that is used again when nobody holds the copy any more."""

from __future__ import annotations

import math
import sys
from collections import defaultdict
from collections.abc import Callable, Hashable, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

LEAST_BYTES = 2**20
"""Smaller copies are made anew each time: the C library uses their memory again by itself."""

MOST_BYTES = 2**26
"""All memory kept. Copies of large models are made anew, which takes little beside their training steps."""

Pairs = Sequence[tuple[Tensor, NDArray[Any]]]
"""Tensors, each with the array of the same shape and type that it is to be copied to."""


def copied(pairs: Pairs) -> bool:
    """Copy each tensor, from any device, to its array; whether all numbers are finite."""
    finite = True
    for source, copy in pairs:
        there = torch.from_numpy(copy)
        there.copy_(source.detach())
        finite = finite and math.isfinite(there.sum())  # torch adds them up on all threads
    return finite


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
        copies: dict[int, NDArray[Any]] = {}
        pairs: list[tuple[Tensor, NDArray[Any]]] = []
        for places in _pieces(tensors):
            some = [tensors[place].detach() for place in places]
            source = some[0] if len(some) == 1 else torch.cat([tensor.flatten() for tensor in some])
            memory = self._memory(source.numel(), torch.empty(0, dtype=source.dtype).numpy().dtype)
            pairs.append((source, memory.reshape(tuple(source.shape))))
            end = 0
            for place, tensor in zip(places, some, strict=True):
                start, end = end, end + tensor.numel()
                copies[place] = memory[start:end].reshape(tuple(tensor.shape))
        return [copies[place] for place in range(len(tensors))] if self._copy(pairs) else None

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


def _pieces(tensors: Sequence[Tensor]) -> list[list[int]]:
    """Places of tensors that are copied in one piece: small ones of one type, where each would wait for a GPU."""
    pieces: defaultdict[Hashable, list[int]] = defaultdict(list)
    for place, tensor in enumerate(tensors):
        pieces[place if _alone(tensor) else tensor.dtype].append(place)
    return list(pieces.values())


def _alone(tensor: Tensor) -> bool:
    return tensor.device.type == "cpu" or tensor.nbytes >= LEAST_BYTES


def _references(kept: list[NDArray[Any]], place: int) -> int:
    """How many there are to a block: whatever shows a copy that lies there, or a part of one, has one, too."""
    return sys.getrefcount(kept[place])


# Counted rather than known: how many the call itself takes differs between versions of Python.
_NO_OTHERS = _references([np.empty(0)], 0)
