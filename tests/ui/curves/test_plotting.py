"""pyqtgraph is whole, and what it did not find can be imported by others."""

from __future__ import annotations

import importlib.util
import subprocess
import sys

import pytest


def output_of(script: str) -> str:
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


@pytest.mark.slow
def test_bindings_of_cuda_are_not_imported() -> None:
    script = """
import sys
from vaeviewer.ui.curves.plotting import pg

print([name for name in sys.modules if name.split(".")[0] == "cuda"], pg.PlotWidget.__name__)
"""
    assert output_of(script) == "[] PlotWidget"


@pytest.mark.slow
@pytest.mark.skipif(importlib.util.find_spec("cuda") is None, reason="a torch without CUDA brings none")
def test_bindings_of_cuda_can_be_imported_afterwards() -> None:
    script = """
import vaeviewer.ui.curves.plotting
import cuda.bindings

print(cuda.bindings.__name__)
"""
    assert output_of(script) == "cuda.bindings"
