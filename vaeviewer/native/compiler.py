"""Compiles kernels into an object file: ``python -m vaeviewer.native.compiler CORES FILE MODULE [ARGUMENT …]``.

A process of its own does that, once for each processor and version, as compiling in a thread would hold the GIL for
seconds. It inherits the nice value of the thread that asks: with a higher one than training's it would take a minute,
in which training is slow. It ends with its parent.
"""

from __future__ import annotations

import importlib
import os
import sys
import threading
from contextlib import suppress
from pathlib import Path


def compiled(module: str, *arguments: str) -> bytes:
    """An object file for this very processor, with one function ``int32 name(int64, int64, int64)`` per kernel.

    Args:
        module: Has a function ``kernels``, which gives the kernels by name.
        arguments: Of that function.
    """
    import llvmlite.binding as llvm
    from numba import cfunc

    from vaeviewer.native.memory import EXACT_ENOUGH

    machine = llvm.Target.from_default_triple().create_target_machine(
        cpu=llvm.get_host_cpu_name(),
        features=llvm.get_host_cpu_features().flatten(),
        opt=3,
        reloc="pic",
        codemodel="jitdefault",
    )
    everything = llvm.parse_assembly("")
    for name, kernel in importlib.import_module(module).kernels(*arguments).items():
        function = cfunc("int32(int64, int64, int64)", fastmath=EXACT_ENOUGH, error_model="numpy")(kernel)
        code = llvm.parse_assembly(function.inspect_llvm())
        code.get_function(function.native_name).name = name
        everything.link_in(code)
    return bytes(machine.emit_object(everything))


def _end_with_parent() -> None:
    """Standard input is a pipe that nobody writes to; it ends with the process at its other end, however that ends.

    A signal at the parent's death would be one at the end of the thread that started this process.
    """
    os.read(sys.stdin.fileno(), 1)
    os._exit(1)


def _use(cores: str) -> None:
    """Run on these, such as ``0,1``: the thread that asked may be pinned to one."""
    if cores:
        with suppress(OSError):
            os.sched_setaffinity(0, map(int, cores.split(",")))


if __name__ == "__main__":
    _use(sys.argv[1])
    threading.Thread(target=_end_with_parent, daemon=True).start()
    from vaeviewer.native.object_code import store

    store(Path(sys.argv[2]), compiled(*sys.argv[3:]))
