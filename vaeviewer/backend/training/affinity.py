"""Affinity masks, nice values and scheduling policies of threads, where training and a window share all cores."""

from __future__ import annotations

import os
import sys
import threading
from contextlib import suppress

from vaeviewer.backend.training.openmp import call_on_each
from vaeviewer.native.cores import available_cores, cores

NICENESS = 3
"""The nice value of training's threads; the window's is 0.

Beside three busy programs on two cores training in the window keeps 0.14 of its speed with it. With 10 that was 0.03;
with 1 it is 0.19, but then every hundredth coarse map of a lens came later than 33 ms after the hand.
"""


def one_thread_per_core(threads: int) -> bool:
    """Pin each of this thread's OpenMP threads to a core of its own; returns whether that was done.

    They meet at barriers many times in every step. When something else preempts one, the scheduler migrates it to
    another one's core and is slow to move it back, so that training loses about twice the time that was taken. A
    pinned thread waits just that long. Done on Linux, where training uses every core.

    Args:
        threads: How many there are.
    """
    if not sys.platform.startswith("linux") or threads < available_cores():
        return False
    ids = _openmp_threads(threads)
    with suppress(OSError):  # no say in the matter
        for thread, core in zip(ids, sorted(cores()), strict=False):
            os.sched_setaffinity(thread, {core})
        return bool(ids)
    return False


def no_thread_on_one_core(threads: int) -> None:
    """Undo :func:`one_thread_per_core`."""
    if is_kept():
        for thread in _openmp_threads(threads):
            any_core(thread)


def core_each(threads: list[int]) -> list[int]:
    """Keep threads on a core each, and this thread's other OpenMP threads on none, as they are not to be in the way.

    Args:
        threads: The system's numbers of them, this one among them.

    Returns:
        Their cores, or nothing where they are not as many: see :func:`one_thread_per_core`.
    """
    if not sys.platform.startswith("linux") or len(threads) != available_cores():
        return []
    places = sorted(cores())
    me = threading.get_native_id()
    with suppress(OSError):
        if is_kept():
            place, own = places.index(min(os.sched_getaffinity(0))), threads.index(me)
            places[place], places[own] = places[own], places[place]
        for thread, core in zip(threads, places, strict=True):
            os.sched_setaffinity(thread, {core})
        for thread in set(_openmp_threads(len(threads))) - {me}:
            os.sched_setaffinity(thread, cores())
        return places
    return []


def let_the_window_go_first() -> None:
    """Give this thread, and the threads and processes it will start, a lower priority than the window's.

    A drag then need not wait for training to give up a core. Linux alone has priorities per thread.
    """
    if sys.platform.startswith("linux"):
        with suppress(OSError):
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), NICENESS)


def give_way(thread: int) -> None:
    """Give a thread the policy ``SCHED_IDLE``: it runs only where nobody else wants to, a window never waits for it."""
    if sys.platform.startswith("linux"):
        with suppress(OSError):
            os.sched_setscheduler(thread, os.SCHED_IDLE, os.sched_param(0))


def is_kept() -> bool:
    """Whether this thread is pinned to one core."""
    return sys.platform.startswith("linux") and len(os.sched_getaffinity(0)) == 1


def any_core(thread: int = 0) -> None:
    """Unpin a thread, this one unless said otherwise: a new one inherits the affinity mask of its starter."""
    if sys.platform.startswith("linux"):
        with suppress(OSError):
            os.sched_setaffinity(thread, cores())


def _openmp_threads(threads: int) -> list[int]:
    ids: list[int] = []
    call_on_each(lambda: ids.append(threading.get_native_id()), threads)
    return ids
