"""A list of operations that machine code goes through, without Python and its lock.

Kernels run on the threads that torch's own operations run on: a second pool of threads beside torch's would take the
cores from it, as the threads of a pool go on spinning for a while after their work.
"""

from __future__ import annotations

import ctypes

import numpy as np
from torch import Tensor

from vaeviewer.backend.fused import OPERATION_WORDS, torch_functions
from vaeviewer.backend.fused.torch_functions import Handle
from vaeviewer.native import WORDS


class Program:
    """Operations in the order in which they were written down; to be written, then called again and again.

    Args:
        run: Address of the machine code of the kernel ``run``.
        runtime: File of the OpenMP runtime whose threads take part, from ``backend.openmp``.
        threads: How many of them; the calling thread is one.
    """

    def __init__(self, run: int, runtime: str, threads: int) -> None:
        # A function of CDLL gives back Python's lock until it returns.
        self._run = ctypes.CFUNCTYPE(None, ctypes.c_void_p)(run)
        parallel = ctypes.cast(ctypes.CDLL(runtime).GOMP_parallel, ctypes.c_void_p).value
        assert parallel is not None, "backend.openmp found it"
        self._parallel = parallel
        self._kept: list[object] = []  # whose memory is read and written
        self._operations = np.zeros((0, OPERATION_WORDS), np.int64)
        self._words = np.zeros(WORDS, np.int64)
        self._words[3:5] = parallel, threads

    def kernel(self, address: int, *arguments: int | Tensor | np.ndarray) -> Call:
        """Run a kernel on all threads; its arguments are counts, and what is contiguous in memory."""
        call = Call(*arguments)
        self._add(self._parallel, address, call.words.ctypes.data, kept=call)
        return call

    def multiply(self, a: Tensor, b: Tensor, out: Tensor) -> None:
        """The matrix product of ``a`` and ``b`` into ``out``."""
        handles = Handle(out), Handle(a), Handle(b)
        self._add(torch_functions.product(), *(h.value for h in handles), kept=(handles, out, a, b))

    def copy(self, source: Tensor, out: Tensor) -> None:
        """Each number to its place."""
        handles = Handle(out), Handle(source)
        self._add(torch_functions.copy(), *(h.value for h in handles), kept=(handles, out, source))

    def __call__(self) -> None:
        """Do everything once, on this thread and its team.

        Raises:
            RuntimeError: torch refused an operation.
        """
        self._run(self._words.ctypes.data)
        if self._words[5]:
            self._words[5] = 0
            raise RuntimeError("torch could not compute a matrix product of the fused step")

    def _add(self, *operation: int, kept: object) -> None:
        self._kept.append(kept)
        row = np.zeros((1, OPERATION_WORDS), np.int64)
        row[0, : len(operation)] = operation
        self._operations = np.concatenate([self._operations, row])
        self._words[1:3] = len(self._operations), self._operations.ctypes.data


class Call:
    """A kernel's arguments, which may be replaced between two runs.

    Attributes:
        words: As the kernel gets them, ``WORDS`` of them.
    """

    def __init__(self, *arguments: int | Tensor | np.ndarray) -> None:
        self._arguments = list(arguments)  # keeps the memory alive
        self.words = np.zeros(WORDS, np.int64)
        for place, argument in enumerate(arguments):
            self.put(place, argument)

    def put(self, place: int, argument: int | Tensor | np.ndarray) -> None:
        """Replace the argument at a place, counted from 0."""
        self._arguments[place] = argument
        if isinstance(argument, Tensor):
            argument = argument.data_ptr()
        elif isinstance(argument, np.ndarray):
            argument = argument.ctypes.data
        self.words[place + 1] = argument
