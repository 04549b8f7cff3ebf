"""Threads that go through programs together with the thread that calls them."""

from __future__ import annotations

import ctypes
import os
import threading
import time
import weakref
from collections.abc import Callable, Mapping
from contextlib import suppress

import numpy as np

from vaeviewer.backend.training.affinity import any_core, core_each, give_way
from vaeviewer.backend.training.engines.fused import layout

HELPER = "training helper"
"""What its threads are called, with a number."""

_FUNCTION = ctypes.CFUNCTYPE(ctypes.c_int32, ctypes.c_int64, ctypes.c_int64, ctypes.c_int64)
"""Of machine code. ctypes releases the GIL while it runs."""


class Team:
    """A thread pool: the thread that makes it, and helpers that spin, then block on a semaphore, while idle.

    ``stages`` has the scheduler and its invariants. OpenMP's static schedule, torch's, gives each thread an equal part
    of every operation, so whatever preempts one of them for a moment, such as a window that draws, holds up all.

    Args:
        kernels: Addresses of machine code by name.
        threads: How many there are, the calling one included.
    """

    def __init__(self, kernels: Mapping[str, int], threads: int) -> None:
        self._run = _FUNCTION(kernels["run"])
        words = _lines(layout.MEMBERS + layout.MEMBER_BYTES * threads)
        nothing = np.zeros(layout.PROGRAM_BYTES // 8, np.int64)
        # A helper may read a program for a moment after its run, so none is freed before the helpers have left.
        self._kept: list[object] = [words, nothing]
        self._words, self._address = words, words.ctypes.data
        words[layout.PROGRAM // 8] = nothing.ctypes.data
        words[layout.MEMBER_COUNT // 8] = threads
        words[layout.ACTIVE // 8] = threads
        self._cores: dict[int, int] = {}  # by the address of the set that holds it alone
        self._gives_way = False
        _introduce(words, 0)
        serve, begun = _FUNCTION(kernels["serve"]), threading.Barrier(threads)
        for number in range(1, threads):
            arguments = (serve, words, number, begun, self._kept)
            threading.Thread(target=_help, args=arguments, name=f"{HELPER} {number}", daemon=True).start()
        begun.wait()
        # Not at the program's end: no thread may come back to Python then.
        weakref.finalize(self, _FUNCTION(kernels["dismiss"]), self._address, 0, 0).atexit = False

    def stay_on_cores(self, *, give_way_to_window: bool) -> None:
        """Keep each thread on a core of its own, where there are as many; then they lend them to each other.

        Args:
            give_way_to_window: Helpers run only where nobody else wants to, from now on and for good, as the system
                takes that back for nobody. A window's short bursts then meet no resistance; beside a program that is
                busy without end, let them :meth:`rest`.
        """
        if self._cores:
            return
        members = range(int(self._words[layout.MEMBER_COUNT // 8]))
        threads = [int(self._words[_place(number, layout.THREAD)]) for number in members]
        for number, core in enumerate(core_each(threads)):
            cores = np.zeros(layout.CORES_BYTES, np.uint8)
            cores[core // 8] = 1 << core % 8
            self._kept.append(cores)
            self._words[_place(number, layout.CORES)] = cores.ctypes.data
            self._cores[cores.ctypes.data] = core
            if number and give_way_to_window:
                give_way(threads[number])
                self._gives_way = True

    def rest(self, rest: bool) -> None:
        """Have helpers that give way take no tasks, or take them again; between runs.

        Beside busy programs the task of such a thread would never be done. Whoever does all of them may then do
        so on any core.
        """
        if not self._gives_way:
            return
        count = int(self._words[layout.MEMBER_COUNT // 8])
        self._words[layout.ACTIVE // 8] = 1 if rest else count
        if rest:
            any_core()
        else:
            core = self._cores[int(self._words[_place(0, layout.CORES)])]
            with suppress(OSError):
                os.sched_setaffinity(0, {core})

    def keep(self, tables: object) -> None:
        """Never let go what a program to be called consists of."""
        self._kept.append(tables)

    def __call__(self, program: int, length: int) -> None:
        """Do so many tasks of the program at an address."""
        self._run(self._address, program, length)


def _help(
    serve: Callable[[int, int, int], int],
    words: np.ndarray,
    number: int,
    begun: threading.Barrier,
    _kept: list[object],
) -> None:
    import torch

    any_core()  # wherever the calling thread is kept
    torch.set_num_threads(1)  # in this thread
    _introduce(words, number)
    begun.wait()
    serve(words.ctypes.data, number, 0)


def _introduce(words: np.ndarray, number: int) -> None:
    words[_place(number, layout.THREAD)] = threading.get_native_id()
    words[_place(number, layout.CLOCK)] = time.pthread_getcpuclockid(threading.get_ident())


def _lines(size: int) -> np.ndarray:
    """An int64 array of so many bytes, aligned to a cache line of 64 bytes, so that ``layout`` has no false sharing."""
    words = np.zeros(size // 8 + 7, np.int64)
    start = -words.ctypes.data // 8 % 8
    return words[start : start + size // 8]


def _place(number: int, what: int) -> int:
    return (layout.MEMBERS + layout.MEMBER_BYTES * number + what) // 8
