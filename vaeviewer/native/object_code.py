"""The kernels' object files: compiled ahead of time in a subprocess, cached for the user, linked into this process.

The cache key covers our sources, the versions of Numba and llvmlite, and the processor (see ``_key``). A file has a
SHA-256 checksum against damage and is only read from a folder that no other user can write (``private_files``).
"""

from __future__ import annotations

import ctypes
import hashlib
import importlib.metadata
import importlib.util
import logging
import math
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import IO, Any

from vaeviewer import paths
from vaeviewer.native.cores import cores
from vaeviewer.native.private_files import PrivateFiles

log = logging.getLogger(__name__)

FILES_KEPT = 30
"""Most files in the cache: a few for each version and each processor that shares the folder. One takes 100 kB."""

COMPILE_SECONDS = 600.0
"""After so long a compiler is given up. It needs some seconds, on a computer with much else to do a minute."""

_COMPILER = "vaeviewer.native.compiler"
_DIGEST_BYTES = hashlib.sha256().digest_size


@cache
def machine_code(module: str, names: tuple[str, ...], *arguments: str) -> MachineCode:
    """The one of this process; arguments as for :class:`MachineCode`."""
    return MachineCode(module, names, *arguments)


def available() -> bool:
    """Whether a compiler is installed, as it is on Linux."""
    return all(importlib.util.find_spec(package) is not None for package in ("numba", "llvmlite"))


class MachineCode:
    """Compiled kernels as addresses of functions, once they are there.

    Args:
        module: Where their source is: a module with a function ``kernels``.
        names: What that function defines.
        arguments: Of that function; all that the machine code depends on beside the files of the module's folder.

    Attributes:
        addresses: Of the kernels by name, or ``None`` before they are loaded.
        failed: Whether they never will be.
        not_kept: Why they are compiled anew at each start, or empty.
    """

    def __init__(self, module: str, names: tuple[str, ...], *arguments: str) -> None:
        self.addresses: Mapping[str, int] | None = None
        self.failed = False
        self.not_kept = ""
        self._module, self._names, self._arguments = module, names, arguments
        self._path: Path | None = None
        self._compiler: subprocess.Popen[bytes] | None = None
        self._give_up_at = math.inf
        self._unnamed: IO[bytes] | None = None  # where code goes that is not kept

    def prepare(self) -> None:
        """Load the kernels, or start to compile them if that was never done with these versions on this processor."""
        if self._path is not None or self.failed:
            return
        if not available():
            self.failed = True
            return
        try:
            self._begin()
        except Exception:  # no reason to lose a run, which goes on without
            log.warning("a compiler did not start", exc_info=True)
            self.failed = True

    @property
    def kept(self) -> bool:
        """Whether they were compiled before, so that :meth:`prepare` need only load them."""
        return available() and stored(self._file()) is not None

    @property
    def under_way(self) -> bool:
        """Whether a compilation was begun and its end not seen yet."""
        return self._compiler is not None

    def poll(self, timeout_s: float = 0.0) -> None:
        """Load the kernels if a compilation under way ends within so long; one that lasts too long is given up."""
        if self._compiler is not None:
            try:
                self._compiler.wait(timeout_s)
            except subprocess.TimeoutExpired:
                if time.monotonic() < self._give_up_at:
                    return
                self._compiler.kill()
            self._finish(self._compiler)

    def wait(self, timeout_s: float = COMPILE_SECONDS) -> None:
        """Wait until a compilation under way is done, or give it up after so long."""
        self._give_up_at = min(self._give_up_at, time.monotonic() + timeout_s)
        self.poll(timeout_s)

    def _begin(self) -> None:
        self._path = path = self._file()
        if self._load(stored(path)):
            return
        self.not_kept = PrivateFiles(path.parent).problem()
        if self.not_kept:
            log.warning("compiled steps are not kept: %s", self.not_kept)
            self._unnamed = tempfile.TemporaryFile()  # noqa: SIM115 (read when the compiler is done)
        self._give_up_at = time.monotonic() + COMPILE_SECONDS
        use = ",".join(map(str, sorted(cores())))
        self._compiler = subprocess.Popen(
            [sys.executable, "-m", _COMPILER, use, str(path), self._module, *self._arguments],
            stdin=subprocess.PIPE,
            stdout=self._unnamed or subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )

    def _file(self) -> Path:
        name = "-".join([self._module.split(".")[-2], *self._arguments, _key(self._module)])
        return paths.cache_dir() / "kernels" / f"{name}.o"

    def _finish(self, compiler: subprocess.Popen[bytes]) -> None:
        self._compiler = None
        assert compiler.stdin is not None, "it is a pipe"
        compiler.stdin.close()
        try:
            self.failed = not self._load(self._made())
        except Exception:
            log.warning("%s could not be loaded", self._module, exc_info=True)
            self.failed = True
        else:
            if self.failed:
                code = compiler.returncode
                log.warning("%s could not be compiled (exit code %s)", self._module, code)

    def _made(self) -> bytes | None:
        """What the compiler has left."""
        assert self._path is not None, "prepared"
        if self._unnamed is None:
            return stored(self._path)
        with self._unnamed as file:
            file.seek(0)
            return _whole(file.read())

    def _load(self, code: bytes | None) -> bool:
        if code is not None:
            self.addresses = _linked(code, self._names)
        return code is not None


def store(path: Path, code: bytes) -> None:
    """Keep object code in a file of its own, all of it or none; of too many files the oldest go.

    Where nobody may be sure of the folder it goes to standard output instead.
    """
    folder = PrivateFiles(path.parent)
    data = hashlib.sha256(code).digest() + code
    if folder.problem():
        sys.stdout.buffer.write(data)
        sys.stdout.buffer.flush()
        return
    folder.write(path, data)
    files = sorted(path.parent.glob("*.o"), key=lambda file: file.stat().st_mtime, reverse=True)
    for old in files[FILES_KEPT:]:
        old.unlink(missing_ok=True)


def stored(path: Path) -> bytes | None:
    """The object code in a file that :func:`store` wrote; ``None`` where there is none, or none to be sure of."""
    data = PrivateFiles(path.parent).read(path)
    return None if data is None else _whole(data)


def _whole(data: bytes) -> bytes | None:
    digest, code = data[:_DIGEST_BYTES], data[_DIGEST_BYTES:]
    return code if hashlib.sha256(code).digest() == digest else None


def _key(module: str) -> str:
    """Differs where the machine code would: our source, the compiler's versions and the processor."""
    import llvmlite.binding as llvm

    found = importlib.util.find_spec(module)
    assert found is not None
    assert found.origin is not None
    hashed = hashlib.sha256()
    for folder in (Path(__file__).parent, Path(found.origin).parent):
        for path in sorted(folder.glob("*.py")):
            hashed.update(path.read_bytes())
    versions = [importlib.metadata.version(package) for package in ("numba", "llvmlite")]
    for text in (*versions, llvm.get_host_cpu_name(), llvm.get_host_cpu_features().flatten()):
        hashed.update(text.encode())
    return hashed.hexdigest()[:16]


_engines: list[Any] = []  # code lies in their memory as long as the process lives


def _linked(code: bytes, names: tuple[str, ...]) -> Mapping[str, int]:
    import llvmlite.binding as llvm

    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()
    # What only an exception of a kernel would call; they raise none.
    abort = ctypes.cast(ctypes.CDLL(None).abort, ctypes.c_void_p).value
    for name in ("numba_gil_ensure", "numba_gil_release"):
        llvm.add_symbol(name, abort)
    machine = llvm.Target.from_default_triple().create_target_machine(jit=True)
    engine = llvm.create_mcjit_compiler(llvm.parse_assembly(""), machine)
    engine.add_object_file(llvm.ObjectFileRef.from_data(code))
    engine.finalize_object()
    _engines.append(engine)
    return {name: engine.get_function_address(name) for name in names}
