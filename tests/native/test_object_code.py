"""Machine code is kept, found again, and never run where it is damaged."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vaeviewer import paths
from vaeviewer.backend.models.networks.numpy_mlp import MAX_LOG_VARIANCE
from vaeviewer.backend.training.engines.fused import KERNELS
from vaeviewer.native import object_code
from vaeviewer.native.object_code import FILES_KEPT, MachineCode, store, stored

SOURCE = "vaeviewer.backend.training.engines.fused.kernels"
needs_compiler = pytest.mark.skipif(not object_code.available(), reason="no compiler is installed")


def kernels(*arguments: str) -> MachineCode:
    return MachineCode(SOURCE, KERNELS, *arguments, str(MAX_LOG_VARIANCE))


def test_what_is_stored_is_found(tmp_path: Path) -> None:
    path = tmp_path / "cache" / "kernels" / "some.o"
    assert stored(path) is None
    store(path, b"code")
    assert stored(path) == b"code"
    assert list(path.parent.iterdir()) == [path]


def test_the_oldest_of_too_many_files_go(tmp_path: Path) -> None:
    for number in range(FILES_KEPT + 3):
        path = tmp_path / f"{number}.o"
        store(path, b"code")
        os.utime(path, (number, number))
    store(tmp_path / "new.o", b"code")
    assert stored(tmp_path / "new.o") == b"code"
    left = {path.name for path in tmp_path.iterdir()}
    assert left == {"new.o", *(f"{number}.o" for number in range(4, FILES_KEPT + 3))}


@needs_compiler
def test_what_was_compiled_before_is_known_to_be_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(paths, "cache_dir", lambda: tmp_path)
    code = kernels("float32", "relu")
    assert not code.kept
    store(code._file(), b"code")
    assert code.kept


@given(data=st.data())
def test_damage_is_seen(tmp_path_factory: pytest.TempPathFactory, data: st.DataObject) -> None:
    path = tmp_path_factory.mktemp("code") / "some.o"
    store(path, bytes(range(200)))
    whole = path.read_bytes()
    end = data.draw(st.integers(0, len(whole) - 1))
    damaged = bytearray(whole)
    damaged[end] ^= data.draw(st.integers(1, 255))
    for content in (whole[:end], bytes(damaged), whole + b"more"):
        path.write_bytes(content)
        assert stored(path) is None


@pytest.fixture
def empty_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder that compiled code goes to."""
    monkeypatch.setenv("VAEVIEWER_HOME", str(tmp_path))
    return paths.cache_dir() / "kernels"


@needs_compiler
def test_it_is_compiled_once_and_anew_where_damaged() -> None:
    first = kernels("float32", "silu")
    first.prepare()
    while first.addresses is None and not first.failed:
        first.poll()
    assert first.addresses is not None
    assert set(first.addresses) == set(KERNELS)
    assert all(first.addresses.values())

    again = kernels("float32", "silu")
    again.prepare()
    assert again.addresses is not None

    (path,) = (paths.cache_dir() / "kernels").glob("fused-float32-silu-*.o")
    whole = path.read_bytes()
    path.write_bytes(whole[:-1])
    anew = kernels("float32", "silu")
    anew.prepare()
    assert anew.addresses is None
    assert not anew.failed
    anew.wait(0)  # long enough to see that it was begun
    assert anew.failed
    path.write_bytes(whole)


@needs_compiler
def test_the_compiler_ends_with_its_parent(empty_cache: Path) -> None:
    script = (
        "from vaeviewer.native.object_code import MachineCode; import os, time; "
        f"code = MachineCode({SOURCE!r}, (), 'float32', 'relu', '12.0'); code.prepare(); pid = code._compiler.pid\n"
        "while len(os.listdir(f'/proc/{pid}/task')) < 2: time.sleep(0.01)\n"  # it is under way
        "print(pid, flush=True); os._exit(0)"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    compiler = Path("/proc") / done.stdout.strip()
    deadline = time.monotonic() + 2
    while compiler.exists() and "State:\tZ" not in (compiler / "status").read_text():
        assert time.monotonic() < deadline
        time.sleep(0.01)
    assert not empty_cache.exists()


@pytest.mark.slow
@needs_compiler
@pytest.mark.usefixtures("empty_cache")
def test_the_compiler_outlives_the_thread_that_asked() -> None:
    code = MachineCode("vaeviewer.ui.plane.raster.kernels", ("paint",))  # these take the least time
    thread = threading.Thread(target=code.prepare)
    thread.start()
    thread.join()
    code.wait(100)
    assert code.addresses is not None


def test_a_compiler_that_fails_is_given_up(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(object_code, "available", lambda: True)
    monkeypatch.setattr(object_code, "_key", lambda _: "some-processor")
    monkeypatch.setattr(sys, "executable", "/usr/bin/false")
    code = kernels("bfloat16", "silu")
    with caplog.at_level(logging.WARNING):
        code.prepare()
        code.wait(10)
    assert code.failed
    assert code.addresses is None
    assert "could not be" in caplog.text or "did not start" in caplog.text


@needs_compiler
@pytest.mark.parametrize("place", ["_key", "_linked"])
def test_whatever_goes_wrong_steps_stay_plain(place: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> str:
        raise RuntimeError("not on this machine")

    monkeypatch.setattr(object_code, place, fail)
    code = kernels("float32", "silu")
    code.prepare()
    code.wait(100)
    assert code.failed
    assert code.addresses is None


def test_a_compiler_that_hangs_is_given_up(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    sleeper = tmp_path / "sleeper"
    sleeper.write_text("#!/bin/sh\nexec sleep 60\n")
    sleeper.chmod(0o755)
    monkeypatch.setattr(object_code, "available", lambda: True)
    monkeypatch.setattr(object_code, "_key", lambda _: "some-processor")
    monkeypatch.setattr(sys, "executable", str(sleeper))
    code = kernels("bfloat16", "silu")
    code.prepare()
    code.poll()
    assert not code.failed
    code.wait(0.1)
    assert code.failed


def test_without_a_compiler_there_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(object_code, "available", lambda: False)
    code = kernels("bfloat16", "silu")
    code.prepare()
    code.poll()
    code.wait(1)
    assert code.failed


@needs_compiler
@pytest.mark.skipif(len(os.sched_getaffinity(0)) < 2, reason="there is one core")
@pytest.mark.usefixtures("empty_cache")
def test_the_compiler_may_use_every_core_though_the_thread_that_asks_stays_on_one() -> None:
    everywhere = os.sched_getaffinity(0)
    code = kernels("float32", "relu")

    def ask() -> None:
        os.sched_setaffinity(0, {min(everywhere)})
        code.prepare()

    thread = threading.Thread(target=ask)
    thread.start()
    thread.join()
    compiler = code._compiler
    assert compiler is not None
    deadline = time.monotonic() + 20
    while os.sched_getaffinity(compiler.pid) != everywhere:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    compiler.kill()
    code.wait(10)
