"""Large blocks of memory stay out of the C library's heap."""

from __future__ import annotations

import ctypes
import subprocess
import sys

import pytest

SCRIPT = """
import ctypes
from vaeviewer.heap import LARGE_BLOCK, return_large_blocks

FIELDS = "arena ordblks smblks hblks hblkhd usmblks fsmblks uordblks fordblks keepcost"

class Info(ctypes.Structure):
    _fields_ = [(name, ctypes.c_size_t) for name in FIELDS.split()]

libc = ctypes.CDLL(None)
libc.malloc.restype, libc.malloc.argtypes = ctypes.c_void_p, [ctypes.c_size_t]
libc.free.argtypes = [ctypes.c_void_p]
libc.mallinfo2.restype = Info

def apart(size):
    before, block = libc.mallinfo2().hblks, libc.malloc(size)
    after = libc.mallinfo2().hblks
    libc.free(block)
    return after - before == 1

assert apart(5 * LARGE_BLOCK), "a block of 20 MiB is the system's own, and freeing it has glibc change its mind"
assert not apart(LARGE_BLOCK + 4096)
assert return_large_blocks()
assert apart(5 * LARGE_BLOCK)
assert apart(2 * LARGE_BLOCK), "the hole that the second one left is too small"
assert not apart(LARGE_BLOCK // 2)
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="glibc alone can be told")
def test_large_blocks_go_back_to_the_system_whatever_was_freed_before() -> None:
    if not hasattr(ctypes.CDLL(None), "mallinfo2"):
        pytest.skip("the C library does not tell about its heap")
    done = subprocess.run([sys.executable, "-c", SCRIPT], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
