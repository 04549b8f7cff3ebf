"""Task lists of matrix products and kernels, for a team of threads to go through without Python and the GIL."""

from __future__ import annotations

import numpy as np
from torch import Tensor

from vaeviewer.backend.training.engines.fused import layout, torch_functions
from vaeviewer.backend.training.engines.fused.team import Team
from vaeviewer.backend.training.engines.fused.torch_functions import Handle
from vaeviewer.native import WORDS

MOST_PRODUCTS = 2**28
"""Multiplications in one task: some milliseconds of one thread."""

LEAST_WIDTH = 64
"""Rows or columns of a task's part of a product; thinner ones cost more than they are worth."""


class Program:
    """Operations in stages; to be written, then called again and again.

    There is a barrier between an operation and the one before, unless it is said to be ``beside`` that one: then both
    are of one stage and may run concurrently, so neither may read or write what the other writes.

    Args:
        team: Who goes through it.
        threads: How many they are; matrix products are parted for so many.
    """

    def __init__(self, team: Team, threads: int) -> None:
        self._team, self._threads = team, threads
        self._kept: list[object] = []  # whose memory is read and written
        self._tasks: list[tuple[int, ...]] = []
        self._starts: list[int] = []
        self._words: np.ndarray | None = None

    def kernel(
        self, address: int, chunks: int, *arguments: int | Tensor | np.ndarray, beside: bool = False
    ) -> None:
        """Run a kernel for all its chunks; its arguments are counts, and what is contiguous in memory."""
        words = np.zeros(WORDS, np.int64)
        words[: len(arguments)] = [_word(argument) for argument in arguments]
        self._kept.append((words, arguments))
        self._add([(address, words.ctypes.data, chunk, 0) for chunk in range(chunks)], beside)

    def multiply(self, a: Tensor, b: Tensor, out: Tensor, *, beside: bool = False, one_of: int = 1) -> None:
        """The matrix product of ``a`` and ``b`` into ``out``, in parts for the threads.

        Args:
            a: ``(rows, inner)``.
            b: ``(inner, columns)``.
            out: ``(rows, columns)``.
            beside: See :class:`Program`.
            one_of: Products of about this size in the stage, among which threads are shared: whole ones are faster.
        """
        rows, columns = out.shape
        longer = max(rows, columns)
        threads = -(-self._threads // one_of)
        parts = max(1, min(longer // LEAST_WIDTH, max(threads, out.numel() * a.shape[1] // MOST_PRODUCTS)))
        # Whole vectors of the processor but for the last one.
        width = -(-longer // (16 * parts)) * 16
        tasks = []
        for start in range(0, longer, width):
            part = slice(start, start + width)
            operands = (out[:, part], a, b[:, part]) if columns > rows else (out[part], a[part], b)
            handles = [Handle(operand) for operand in operands]
            self._kept.append((handles, operands))
            tasks.append((torch_functions.product(), *(handle.value for handle in handles)))
        self._add(tasks, beside)

    def copy(self, source: Tensor, out: Tensor, *, beside: bool = False) -> None:
        """Each number to its place."""
        handles = Handle(out), Handle(source)
        self._kept.append((handles, source, out))
        self._add([(torch_functions.copy(), *(handle.value for handle in handles), 0)], beside)

    @property
    def length(self) -> int:
        """Tasks written down so far."""
        return len(self._tasks)

    def __call__(self, length: int | None = None) -> None:
        """Do everything once, on this thread and its team.

        Args:
            length: Do no more than so many tasks; all of a stage or none of it.

        Raises:
            RuntimeError: torch refused an operation.
        """
        if self._words is None:
            self._words = self._written()
        self._team(self._words.ctypes.data, self.length if length is None else length)
        errors = layout.ERRORS // 8
        if self._words[errors]:
            self._words[errors] = 0
            raise RuntimeError("torch could not compute a matrix product of the fused step")

    def _add(self, tasks: list[tuple[int, ...]], beside: bool) -> None:
        start = self._starts[-1] if beside and self._starts else len(self._tasks)
        for task in tasks:
            if len(self._tasks) - start == layout.MOST_IN_STAGE:
                start = len(self._tasks)  # the others wait for these
            self._tasks.append(task)
            self._starts.append(start)
        self._words = None

    def _written(self) -> np.ndarray:
        starts = np.array(self._starts, np.int64)
        ends = np.searchsorted(starts, starts, side="right")
        tasks = np.array(self._tasks, np.int64).reshape(-1, 4)
        words = np.zeros(layout.PROGRAM_BYTES // 8, np.int64)
        for place, value in (
            (layout.TASKS, tasks.ctypes.data),
            (layout.ENDS, ends.ctypes.data),
        ):
            words[place // 8] = value
        self._team.keep((words, tasks, ends))
        return words


def _word(argument: int | Tensor | np.ndarray) -> int:
    if isinstance(argument, Tensor):
        return argument.data_ptr()
    return argument.ctypes.data if isinstance(argument, np.ndarray) else argument
