"""The C library's heap, which NumPy, torch and Qt share."""

from __future__ import annotations

import ctypes
import sys

LARGE_BLOCK = 4 * 2**20
"""Bytes from which a block of memory is the system's own and goes back to it when it is freed."""

_FREE_TOP = 4 * LARGE_BLOCK

_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3  # of glibc's malloc.h


def return_large_blocks() -> bool:
    """Keep large blocks out of the heap for the rest of the process; returns whether the C library can.

    Left alone, glibc puts blocks of up to 32 MiB into the heap as soon as it has seen one of that size freed. Copies
    of a model's weights come and go several times a second, between smaller blocks that stay: the heap grows around
    the holes that they leave, by steps of some MB, for minutes.
    """
    if not sys.platform.startswith("linux"):
        return False
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is None:
        return False
    return bool(mallopt(_M_MMAP_THRESHOLD, LARGE_BLOCK)) and bool(mallopt(_M_TRIM_THRESHOLD, _FREE_TOP))
