"""Numbers that threads share: nothing is lost, whoever comes when."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable

import numpy as np
import pytest

if not sys.platform.startswith("linux"):
    pytest.skip("its compiler is installed on Linux alone", allow_module_level=True)

from numba import njit

from vaeviewer.native.atomics import add, exchange, load, relax, replace

TIMES = 200_000


@njit(nogil=True)
def add_many(address: int) -> int:
    last = -1
    for _ in range(TIMES):
        before = add(address, 1)
        if before <= last:
            return -1
        last = before
    return 0


@njit(nogil=True)
def add_by_replacing(address: int) -> int:
    for _ in range(TIMES):
        while True:
            old = load(address)
            if replace(address, old, old + 1):
                break
            relax()
    return 0


@njit(nogil=True)
def add_under_a_lock(lock: int) -> int:
    for _ in range(TIMES // 10):
        while exchange(lock, 1) != 0:
            relax()
        replace(lock + 8, load(lock + 8), load(lock + 8) + 1)
        exchange(lock, 0)
    return 0


@pytest.mark.parametrize(
    ("function", "place", "total"),
    [(add_many, 0, TIMES), (add_by_replacing, 0, TIMES), (add_under_a_lock, 1, TIMES // 10)],
)
def test_nothing_is_lost_between_threads(function: Callable[[int], int], place: int, total: int) -> None:
    words = np.zeros(2, np.int64)
    answers: list[int] = []
    threads = [threading.Thread(target=lambda: answers.append(function(words.ctypes.data))) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert answers == [0, 0, 0]
    assert words[place] == 3 * total


def test_a_number_is_replaced_only_where_it_is_the_one_expected() -> None:
    @njit
    def swapped(address: int, old: int, new: int) -> bool:
        return bool(replace(address, old, new))

    words = np.array([7], np.int64)
    assert not swapped(words.ctypes.data, 6, 9)
    assert words[0] == 7
    assert swapped(words.ctypes.data, 7, 9)
    assert words[0] == 9
