"""Runs kernels on the threads that torch's own operations run on.

A second pool of threads beside torch's would take the cores from it: the threads of a pool go on spinning for a while
after their work, as the next piece mostly comes at once.
"""

from __future__ import annotations

import ctypes

import numpy as np
from torch import Tensor

from vaeviewer.backend.fused import WORDS


class Team:
    """Threads of one OpenMP runtime.

    Args:
        runtime: The runtime's file, from ``backend.openmp``.
        threads: How many of them work; the calling thread is one.
    """

    def __init__(self, runtime: str, threads: int) -> None:
        # PyDLL keeps Python's lock: a kernel takes less time than getting the lock back may take.
        self.run = ctypes.PyDLL(runtime).GOMP_parallel
        self.run.argtypes = [ctypes.c_void_p, ctypes.c_void_p, ctypes.c_uint, ctypes.c_uint]
        self.run.restype = None
        self.threads = threads


class Call:
    """A kernel with its arguments: counts, and tensors or arrays whose memory it reads and writes.

    Args:
        team: Who runs it.
        address: Of the kernel's machine code.
        arguments: In the kernel's order; contiguous.
    """

    def __init__(self, team: Team, address: int, *arguments: int | Tensor | np.ndarray) -> None:
        self._run, self._threads, self._address = team.run, team.threads, address
        self._arguments = list(arguments)  # keeps the memory alive
        self._words = np.zeros(WORDS, np.int64)
        for place, argument in enumerate(arguments):
            self.put(place, argument)
        self._words_address = self._words.ctypes.data

    def put(self, place: int, argument: int | Tensor | np.ndarray) -> None:
        """Replace the argument at a place, counted from 0."""
        self._arguments[place] = argument
        if isinstance(argument, Tensor):
            argument = argument.data_ptr()
        elif isinstance(argument, np.ndarray):
            argument = argument.ctypes.data
        self._words[place + 1] = argument

    def __call__(self) -> None:
        """Run it on all threads and return when they are done."""
        self._words[0] = 0
        self._run(self._address, self._words_address, self._threads, 0)
