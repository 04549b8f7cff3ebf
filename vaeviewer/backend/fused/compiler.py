"""Compiles the kernels into an object file: ``python -m vaeviewer.backend.fused.compiler bfloat16 silu FILE``.

A process of its own does that, once for each processor and version, as compiling in a thread would take Python's lock
from training and the window for seconds. It takes what processor time nobody else wants, and ends with its parent.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys
from pathlib import Path


def compiled(bfloat16: bool, activation: str) -> bytes:
    """An object file for this very processor, with a function ``void (*)(void *)`` per kernel, under its name."""
    import llvmlite.binding as llvm
    from numba import cfunc

    from vaeviewer.backend.fused.kernels import kernels
    from vaeviewer.backend.fused.memory import EXACT_ENOUGH

    machine = llvm.Target.from_default_triple().create_target_machine(
        cpu=llvm.get_host_cpu_name(),
        features=llvm.get_host_cpu_features().flatten(),
        opt=3,
        reloc="pic",
        codemodel="jitdefault",
    )
    everything = llvm.parse_assembly("")
    for name, kernel in kernels(bfloat16, activation).items():
        function = cfunc("void(voidptr)", fastmath=EXACT_ENOUGH, error_model="numpy")(kernel)
        module = llvm.parse_assembly(function.inspect_llvm())
        module.get_function(function.native_name).name = name
        everything.link_in(module)
    return bytes(machine.emit_object(everything))


def _stay_behind() -> None:
    """Go last, and no further than the parent (Linux)."""
    set_signal_at_parents_death = 1
    ctypes.CDLL(None).prctl(set_signal_at_parents_death, signal.SIGKILL)
    os.nice(19)


if __name__ == "__main__":
    _stay_behind()
    from vaeviewer.backend.fused.object_code import store

    precision, activation_name, path = sys.argv[1:]
    store(Path(path), compiled(precision == "bfloat16", activation_name))
