"""The window as a program: builds it, keeps its errors visible, and lets it end cleanly."""

from __future__ import annotations

import argparse
import logging
import os
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

import numpy as np
from PySide6.QtCore import (
    QEventLoop,
    QMessageLogContext,
    QSettings,
    QTimer,
    QtMsgType,
    qInstallMessageHandler,
)
from PySide6.QtWidgets import QApplication
from threadpoolctl import threadpool_limits

from vaeviewer import heap, log, paths
from vaeviewer.backend.config import Settings, updated
from vaeviewer.backend.runs import atomic_files
from vaeviewer.backend.runs.folder import is_run
from vaeviewer.errors import UserError
from vaeviewer.session.session import Session
from vaeviewer.session.states import Action, State
from vaeviewer.ui.plane.raster.compiled import prepare_soon
from vaeviewer.ui.runs.recovery import RecoveryOffer
from vaeviewer.ui.widgets.style import follow_system_scheme
from vaeviewer.ui.window import dock_layout
from vaeviewer.ui.window.error_reporter import ErrorReporter
from vaeviewer.ui.window.export import write_png
from vaeviewer.ui.window.garbage import CollectsHere
from vaeviewer.ui.window.main_window import MainWindow
from vaeviewer.ui.window.menus import Menus
from vaeviewer.ui.window.start_marker import StartMarker
from vaeviewer.ui.window.stored_settings import ForgetfulSettings, open_settings

logger = logging.getLogger("vaeviewer.qt")

SCREENSHOT_EPOCHS = 5
SETTLE_S = 0.7
"""After the last epoch panels draw the last snapshot: a picture waits until they have asked nothing for so long …"""

MOST_SETTLE_S = 10.0
"""… and at most for so long."""

STARTED_MS = 1000
"""A start has come to a good end when the window has been up for so long."""


def create_main_window(
    run: Path | None = None,
    data: Path | None = None,
    scheme: str | None = None,
    settings: QSettings | None = None,
    *,
    images: Path | None = None,
) -> MainWindow:
    """The wired window, not shown yet; loading begins when it is first shown.

    Args:
        run: A saved run to open, in place of the bundled digits.
        data: A folder or file of images to begin with: the run's, if they moved.
        scheme: ``light`` or ``dark`` holds that colour scheme, whatever the system says.
        settings: Where the layout and the like are kept, if not where the user's are.
        images: A folder or file of images to be looked at first.
    """
    heap.return_large_blocks()
    # NumPy's thread pool would compete with training for the same cores.
    threadpool_limits(limits=1)
    app = _application()
    app.setApplicationName("vaeviewer")
    app.setApplicationDisplayName("vaeviewer")
    follow_system_scheme(app, scheme)
    session = Session(Settings())
    window = MainWindow(session, _settings() if settings is None else settings)
    session.setParent(window)
    Menus(window)
    window.closed.connect(CollectsHere(window).end)

    def begin() -> None:
        session.start(run, data, choosing=images is not None)
        if images is not None:
            window.opening.open(images)

    window.first_shown.connect(begin)
    session.state_changed.connect(_on_state)
    return window


def run(options: argparse.Namespace) -> int:
    """Show the window until it is closed, or take a picture of it; returns the exit code.

    Raises:
        UserError: Something the user can mend.
    """
    qInstallMessageHandler(_log_qt_message)
    log.start()
    saved, images = _told_apart(options)
    if options.screenshot is not None:
        os.environ["QT_QPA_PLATFORM"] = "offscreen"
        _check_picture(options.screenshot)
        # A picture begins with the layout that is everybody's, and leaves the user's alone.
        window = create_main_window(saved, options.data or images, options.scheme, ForgetfulSettings())
        ErrorReporter(window).install()
        _leave(_take_screenshot(_application(), window, options, trains=saved is None))
    starting = StartMarker(paths.settings_file().with_name("starting"))
    _answer_signals(lambda number: _leave_early(starting, number))
    if starting.found:
        logger.warning("the start before this one did not end well: the window begins with its own layout")
        dock_layout.forget(_settings())
    window = create_main_window(saved, options.data, options.scheme, images=images)
    ErrorReporter(window).install()
    RecoveryOffer(window, _settings(), saved)
    window.first_shown.connect(lambda: QTimer.singleShot(STARTED_MS, starting.remove))
    window.closed.connect(lambda: _application().exit())  # not quit(), which what is still open can refuse
    window.show()
    # Closed by the event loop, which may not have begun when the signal comes; asked twice, whatever is lost.
    ways = iter((window.close,))
    _answer_signals(lambda _number: QTimer.singleShot(0, next(ways, window.close_anyway)))
    code = _application().exec()
    starting.remove()
    _leave(code)


def _told_apart(options: argparse.Namespace) -> tuple[Path | None, Path | None]:
    """The saved run, or else the images, that the command line names; one of them at most."""
    path: Path | None = options.path
    if path is None or options.data is not None or is_run(path):
        return path, None
    return None, path.absolute()


def _answer_signals(answer: Callable[[int], object]) -> None:
    """Let ``answer`` be called with the number of what asks the program to end, such as Ctrl-C."""
    for name in ("SIGINT", "SIGTERM", "SIGHUP"):
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), lambda number, _frame: answer(number))


def _leave_early(starting: StartMarker, number: int) -> NoReturn:
    """There is no window yet, and nothing to save."""
    starting.remove()
    _leave(128 + number)


def _on_state(state: State) -> None:
    if state is State.RUNNING:
        prepare_soon()  # now that the plane is drawn many times a second


def _application() -> QApplication:
    app = QApplication.instance() or QApplication(["vaeviewer"])
    assert isinstance(app, QApplication), "no other kind of application runs here"
    return app


def _settings() -> QSettings:
    return open_settings(paths.settings_file())


def _take_screenshot(
    app: QApplication, window: MainWindow, options: argparse.Namespace, *, trains: bool
) -> int:
    """Save what the window shows, off-screen, and return the exit code: a run as it is, else a model just trained."""
    session = window.session
    session.forget_run()
    if trains:
        session.settings = updated(session.settings, epochs=options.epochs or SCREENSHOT_EPOCHS)
        window.form.set_settings(session.settings)
        window.controls.set_live_settings(session.settings)
    problems: list[str] = []
    done = QEventLoop()

    ends = {State.FINISHED, State.SOLVED, State.FAILED} | (set() if trains else {State.READY, State.PAUSED})

    def on_state(state: State) -> None:
        if state in ends:
            QTimer.singleShot(0, done.quit)
        elif state is State.READY:
            session.request(Action.TRAIN)

    def on_problem(sentence: str) -> None:
        problems.append(sentence)
        done.quit()

    session.state_changed.connect(on_state)
    session.problem.connect(on_problem)
    session.data_missing.connect(lambda _run, sentence: on_problem(sentence))
    width, height = options.size or (1280, 800)
    window.resize(width, height)
    window.show()
    window.reset_layout()
    window.plane.setFocus()
    done.exec()
    if not problems:
        _let_panels_draw(window, SETTLE_S)
    if not problems:
        _look_at_an_image(window)
        _let_panels_draw(window, 0.0)
        try:
            write_png(window.grab().toImage(), options.screenshot)
        except (OSError, ValueError) as error:
            reason = atomic_files.reason(error)
            problems.append(f"{options.screenshot} could not be written: {reason}; choose another place.")
    window.close()
    for sentence in problems:
        print(f"vaeviewer: {sentence}", file=sys.stderr)
    return 2 if problems else 0


def _let_panels_draw(window: MainWindow, quiet_s: float) -> None:
    """Go on until nothing was asked of the decoder for so long, and what it answered is drawn."""
    over, timer = QEventLoop(), QTimer(interval=20)
    begin = quiet_since = time.monotonic()

    def look() -> None:
        nonlocal quiet_since
        now = time.monotonic()
        if window.panels_wait:
            quiet_since = now
        if now - quiet_since >= quiet_s or now - begin >= MOST_SETTLE_S:
            over.quit()

    timer.timeout.connect(look)
    timer.start()
    over.exec()
    _application().processEvents()


def _look_at_an_image(window: MainWindow) -> None:
    """Select the image whose posterior mean lies nearest to a point with digits around it, as a click would."""
    snapshot = window.session.snapshot
    if snapshot is None or snapshot.posterior is None:
        return
    plane = window.view.plane_of(snapshot.model.latent_dim)
    points = plane.project(snapshot.posterior.loc)
    row = int(np.square(points - np.array([1.5, 1.5])).sum(axis=1).argmin())
    window.set_view(**window.view.at_code(snapshot.posterior.loc[row]), selected=row)


def _check_picture(path: Path) -> None:
    if path.suffix.lower() != ".png":
        raise UserError(f"--screenshot must name a .png file, but is {path}.")
    if not os.path.isdir(path.absolute().parent):  # noqa: PTH112  # Path's own raises where a name is too long
        raise UserError(
            f"--screenshot: {path.absolute().parent} is not a folder; make it, or choose another."
        )


def _log_qt_message(kind: QtMsgType, _context: QMessageLogContext, text: str) -> None:
    """Qt's remarks belong in the log; what aborts the program must be on standard error."""
    if kind == QtMsgType.QtFatalMsg:
        print(text, file=sys.stderr, flush=True)
    elif kind == QtMsgType.QtCriticalMsg:
        logger.error("%s", text)
    else:
        logger.info("%s", text)


def _leave(code: int) -> NoReturn:
    """End the process at once, whatever a thread is in the middle of.

    Importing torch and compiling cannot be interrupted, and an interpreter that shuts down under them prints
    tracebacks. Everything worth keeping was written when the window closed.
    """
    atomic_files.remove_unfinished()  # of a save that took longer than closing waits for it
    sys.stdout.flush()
    sys.stderr.flush()
    logging.shutdown()
    os._exit(code)
