"""What every test shares: a display that needs no screen, small real data, and proof that nothing is left running."""

from __future__ import annotations

import gc
import os
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from threadpoolctl import threadpool_limits

if sys.platform.startswith("linux") and not (os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")):
    os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
# Programs that tests start read every source anew where no bytecode is kept.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)

from vaeviewer import paths
from vaeviewer.backend.config import Settings, updated
from vaeviewer.backend.data import load_dataset
from vaeviewer.backend.data.base import ImageDataset
from vaeviewer.native import object_code

if TYPE_CHECKING:
    from pytestqt.qtbot import QtBot

    from vaeviewer.ui.window.main_window import MainWindow


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--exhaustive", action="store_true", help="repeat what is random as often as its claims say"
    )


@pytest.fixture(scope="session")
def exhaustive(request: pytest.FixtureRequest) -> bool:
    """Whether to repeat what is random as often as its claims say, not just often enough for every day."""
    return bool(request.config.getoption("--exhaustive"))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Whole windows take a second each, so they are for the whole suite."""
    for item in items:
        if "make_window" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.slow)


LET_RUN_OUT_S = 8.0
"""A timer that fires once, such as that of a note that goes away, is no leak: it is given this time."""

LASTING = ("training helper", "raster compiler")
"""Threads that outlive a test: a team's helpers live as long as its trainer; the plane's kernel is compiled once."""

_FIGURES = pytest.StashKey[list[str]]()


@pytest.fixture(scope="session")
def figures(request: pytest.FixtureRequest) -> list[str]:
    """Lines about what proofs measured; they stand in the summary after the last test."""
    return request.config.stash.setdefault(_FIGURES, [])


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    for line in config.stash.get(_FIGURES, []):
        terminalreporter.write_line(line)


@pytest.fixture(scope="session")
def compiled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of compiled code that all tests share, those of other workers too, as compiling takes seconds."""
    base = tmp_path_factory.getbasetemp()
    folder = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "compiled"
    folder.mkdir(mode=0o700, exist_ok=True)
    return folder


@pytest.fixture(autouse=True)
def own_home(
    tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch, compiled: Path
) -> None:
    """Each test has its own place for settings and data, so that none reads or writes the user's."""
    home = tmp_path_factory.mktemp("home")
    if sys.platform != "win32":  # where nothing is compiled
        (home / "cache").symlink_to(compiled)
    monkeypatch.setenv("VAEVIEWER_HOME", str(home))


@pytest.fixture(autouse=True, scope="session")
def garbage_goes_here() -> Iterator[None]:
    """Reference cycles are collected between tests, on this thread: Qt objects in one must not go on another."""
    gc.disable()
    yield
    gc.enable()


@pytest.fixture(autouse=True, scope="module")
def only_what_is_new_is_searched() -> None:
    """Keep the libraries that tests before have loaded out of each test's search for what it left."""
    gc.collect()
    gc.freeze()


def pytest_sessionfinish() -> None:
    """Let Python tidy up at its end as if nothing had been kept out."""
    gc.unfreeze()


@pytest.fixture(autouse=True)
def nothing_left(request: pytest.FixtureRequest) -> Iterator[None]:
    """Fails a test that leaves a Python thread, a QThread, a running QTimer or a top-level widget behind."""
    threads = set(threading.enumerate())
    uses_qt = "qtbot" in request.fixturenames or "qapp" in request.fixturenames
    yield
    # tqdm's monitor and hypothesis' helpers live as long as the process.
    left = [
        t.name
        for t in threading.enumerate()
        if t not in threads and "tqdm" not in type(t).__module__ and not t.name.startswith(LASTING)
    ]
    assert not left, f"threads left running: {left}"
    if uses_qt:
        end = time.monotonic() + LET_RUN_OUT_S
        while (problems := _qt_leftovers()) and time.monotonic() < end:
            time.sleep(0.2)
        assert not problems, f"left over: {problems}"


def _qt_leftovers() -> list[str]:
    from PySide6.QtCore import QCoreApplication, QEvent, QThread, QTimer
    from PySide6.QtWidgets import QApplication
    from shiboken6 import isValid

    QCoreApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete)
    QCoreApplication.processEvents()
    gc.collect()
    found = [
        repr(o)
        for o in gc.get_objects()
        if issubclass(type(o), (QTimer, QThread))  # isinstance would wake lazy objects of other libraries
        and isValid(o)
        and (o.isActive() if isinstance(o, QTimer) else o.isRunning() and not o.isMainThread())
    ]
    widgets = [repr(w) for w in QApplication.topLevelWidgets() if w.isVisible()]
    return found + widgets


@pytest.fixture(scope="session")
def digits() -> ImageDataset:
    """600 training and 100 held-out real digits."""
    full = load_dataset()
    return ImageDataset(
        name="600 digits",
        source=full.source,
        train_images=full.train_images[:600].copy(),
        train_labels=full.train_labels[:600].copy(),
        held_out_images=full.held_out_images[:100].copy(),
        held_out_labels=full.held_out_labels[:100].copy(),
        class_names=full.class_names,
    )


@pytest.fixture
def small() -> Settings:
    """Settings of a model that trains in a blink."""
    return updated(Settings(), hidden=(32,), epochs=2, batch_size=50, threads=1, device="cpu", seed=7)


@pytest.fixture
def slow_compiler(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, compiled: Path
) -> Iterator[Callable[[], None]]:
    """There is no code of the fused step yet; a compiler brings it when the function given is called.

    It takes what was compiled before for all tests, or compiles it for them: :mod:`vaeviewer.native.compiler`.
    """
    if not object_code.available():
        pytest.skip("no compiler is installed")
    from vaeviewer.backend.training.engines.fused import engine, step

    begin, over, cache = tmp_path / "begin", tmp_path / "over", tmp_path / "no cache"
    script = tmp_path / "slow-python"
    script.write_text(
        f'#!/bin/sh\nwhile [ ! -e "{begin}" ]; do\n  [ -e "{over}" ] && exit 1\n  sleep 0.02\ndone\n'
        f'cores=$3 wanted=$4; kept="{compiled}/kernels/${{4##*/}}"; shift 4\n'
        f'[ -e "$kept" ] || "{sys.executable}" -m vaeviewer.native.compiler "$cores" "$kept" "$@" || exit 1\n'
        'mkdir -p -m 700 "${wanted%/*}" && cp -p "$kept" "$wanted"\n'
    )
    script.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(script))
    monkeypatch.setattr(paths, "cache_dir", lambda: cache)
    made: dict[tuple[object, ...], object_code.MachineCode] = {}

    def anew(*arguments: str) -> object_code.MachineCode:
        return made.setdefault(arguments, object_code.MachineCode(*arguments))  # type: ignore[arg-type]

    monkeypatch.setattr(step, "machine_code", anew)
    monkeypatch.setattr(engine, "FUSED_FROM", 5)
    yield begin.touch
    over.touch()  # a compiler that nobody waits for any more ends, too


@pytest.fixture
def make_window(qtbot: QtBot, digits: ImageDataset) -> Iterator[Callable[..., MainWindow]]:
    """Makes shown windows with a ready session on the small digits; ``prepare`` is called before one is shown."""
    from PySide6.QtCore import QSettings

    from vaeviewer.session.session import Session
    from vaeviewer.session.states import State
    from vaeviewer.ui.window.main_window import MainWindow
    from vaeviewer.ui.window.menus import Menus

    made: list[MainWindow] = []

    def build(settings: Settings, prepare: Callable[[MainWindow], object] = lambda _: None) -> MainWindow:
        session = Session(settings)
        window = MainWindow(session, QSettings(str(paths.settings_file()), QSettings.Format.IniFormat))
        session.setParent(window)
        Menus(window)
        made.append(window)
        prepare(window)
        window.resize(1280, 800)
        window.show()
        session._thread.start()
        session.use_data(digits, keep_model=False)
        qtbot.waitUntil(lambda: session.state in (State.READY, State.SOLVED), timeout=30_000)
        return window

    with threadpool_limits(limits=1, user_api="blas"):  # as the program has it
        yield build
    for window in made:
        window.close()
        if (
            window.isVisible()
        ):  # its run is not saved yet, on a busy machine; deleted while open, Qt would crash
            window.close_anyway()
        # A window gives its threads a second and ends the process; here they must be gone before the window is.
        assert window.session._thread.close(60.0), "the training thread ends"
        assert window._frames.decoder.close(60.0), "the decoder's thread ends"
        window.deleteLater()


def same_arrays(a: Any, b: Any) -> bool:
    """Whether two mappings hold bit for bit the same arrays."""
    return a.keys() == b.keys() and all(np.array_equal(a[k], b[k]) for k in a)
