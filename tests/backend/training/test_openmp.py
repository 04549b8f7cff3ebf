"""torch's own threads are found."""

from __future__ import annotations

import ctypes
import sys
from pathlib import Path

import pytest
import torch

from vaeviewer.backend.training.openmp import torch_runtime


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="torch brings another runtime")
def test_it_is_the_runtime_that_torch_computes_with() -> None:
    torch.ones(100_000).add_(1)
    path = torch_runtime()
    assert path is not None
    assert path in Path("/proc/self/maps").read_text()
    library = ctypes.CDLL(path)
    before = library.omp_get_max_threads()
    try:
        torch.set_num_threads(3)
        assert library.omp_get_max_threads() == 3
    finally:
        torch.set_num_threads(before)


@pytest.mark.skipif(sys.platform.startswith("linux"), reason="torch brings it here")
def test_elsewhere_there_is_none() -> None:
    assert torch_runtime() is None
