"""Memory layout of the structures that machine code and Python share: sizes, and offsets in bytes."""

from __future__ import annotations

from collections.abc import Callable

Kernel = Callable[[int, int, int], int]
"""One chunk of a pass: called with the address of its argument block, the chunk's index, and nothing it looks at."""

CHUNK_ROWS = 16
"""Rows of a matrix that are one task for a kernel that goes by rows."""

CHUNK_COLUMNS = 128
"""Columns, for one that goes by columns."""

CHUNK_NUMBERS = 16_384
"""Numbers, for one that goes through flat arrays."""

# A program.

TASK_BYTES = 32
"""A task: the address of a function and the three words it is called with."""

TASK_COUNT, TASKS, ENDS, ERRORS, PROGRAM_BYTES = 0, 8, 16, 24, 32
"""How many tasks there are, where they lie, where the number of the task lies with which the stage after each one's
begins, and how many answered other than 0."""

# A team. Offsets in bytes; what different threads write lies in different cache lines of 64 bytes (no false sharing).

TICKET = 0
"""The number of the run, the first task of the stage that is under way, and how many of its tasks were taken from its
front and from its back."""

RUN_BITS, FIRST_BITS, TAKEN_BITS = 16, 20, 14
"""How many bits of the ticket each takes."""

MOST_IN_STAGE = (1 << TAKEN_BITS) - 1
"""Tasks of one stage."""

DONE = 64
"""How many tasks of this run are done."""

PROGRAM, MEMBER_COUNT, STOP, ACTIVE = 128, 136, 144, 152
"""Where the program of this run lies, how many threads there are, whether the helpers are to leave for good, and how
many threads are to take tasks."""

RESCUE = 192
"""Whether a thread that was kept from running is being moved."""

MEMBERS, MEMBER_BYTES = 256, 128
"""Where the calling thread's own words begin, and how many bytes on the first helper's."""

ASLEEP, WAKE = 0, 8
"""Whether a helper sleeps, and the semaphore that wakes a member: zeros, as ``sem_init`` would leave it in glibc."""

BUSY, HOST = 64, 72
"""``FREE``, ``AT_WORK`` or ``GUEST``, and on whose core a guest finishes its task."""

FREE, AT_WORK, GUEST = 0, 1, 2

THREAD, CLOCK, CORES = 80, 88, 96
"""A thread's id (Linux ``tid``), its CPU-time clock id, and the address of its affinity mask, or 0 where it is not
pinned."""

CORES_BYTES = 128
"""Size of an affinity mask (``cpu_set_t``), one bit per core."""

TIME = 104
"""Room for a C ``timespec``."""
