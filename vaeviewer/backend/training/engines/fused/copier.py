"""Copies of tensors, made and checked for NaN and infinity by a thread team in one pass over memory."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from torch import Tensor

from vaeviewer.backend.training.copies import Pairs, copied
from vaeviewer.backend.training.engines.fused.layout import CHUNK_NUMBERS
from vaeviewer.backend.training.engines.fused.program import Program
from vaeviewer.backend.training.engines.fused.team import Team

_KINDS = (torch.float32, torch.int32)
"""Of numbers, all of 32 bits."""

_Kind = tuple[int, torch.dtype]
"""Of tensors: how many numbers, and of which kind."""


class Copier:
    """Copies tensors into arrays.

    Args:
        team: Who copies.
        kernels: Addresses of machine code by name.
        threads: How many they are.
    """

    def __init__(self, team: Team, kernels: Mapping[str, int], threads: int) -> None:
        self._team, self._kernel, self._threads = team, kernels["keep"], threads
        self._passes: dict[tuple[_Kind, ...], _Pass] = {}

    def __call__(self, pairs: Pairs) -> bool:
        """Copy each tensor to its array, as :func:`~vaeviewer.backend.training.copies.copied` does.

        Returns:
            Whether all numbers are finite.
        """
        shared = [pair for pair in pairs if _fits(pair[0])]
        finite = copied([pair for pair in pairs if not _fits(pair[0])])
        kinds = tuple((source.numel(), source.dtype) for source, _ in shared)
        if kinds:
            if kinds not in self._passes:
                self._passes[kinds] = _Pass(Program(self._team, self._threads), self._kernel, kinds)
            finite = self._passes[kinds](shared) and finite
        return finite


class _Pass:
    """A program that copies tensors of these kinds from and to wherever they lie this time."""

    def __init__(self, program: Program, kernel: int, kinds: Sequence[_Kind]) -> None:
        self._program = program
        self._addresses = np.zeros((len(kinds), 2), np.int64)
        self._bad = []  # by chunk of floats; whole numbers are always finite
        for (size, dtype), addresses in zip(kinds, self._addresses, strict=True):
            bad = np.zeros(-(-size // CHUNK_NUMBERS), np.int64)
            program.kernel(kernel, len(bad), size, addresses, bad, beside=True)
            if dtype.is_floating_point:
                self._bad.append(bad)

    def __call__(self, pairs: Pairs) -> bool:
        for addresses, (source, copy) in zip(self._addresses, pairs, strict=True):
            addresses[:] = source.data_ptr(), copy.ctypes.data
        self._program()
        return not any(bad.any() for bad in self._bad)


def _fits(source: Tensor) -> bool:
    return source.dtype in _KINDS and source.is_contiguous() and source.numel() >= CHUNK_NUMBERS
