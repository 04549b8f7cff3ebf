"""How closely the posterior lens follows a drag while it trains.

``tail -f /dev/null | python -m vaeviewer.bench lens '{"quick": false}'`` prints the
figures: it ends with its standard input.
"""

from __future__ import annotations

import time
from typing import Any

from PySide6.QtWidgets import QDockWidget

from vaeviewer.bench.common import MNIST_IMAGES, percentile, say
from vaeviewer.bench.drag import Drag
from vaeviewer.bench.stage import PaintWatcher, open_window, pause, train, wait_until
from vaeviewer.bench.training import FOREVER
from vaeviewer.ui.plane.lens_panel import LensPanel
from vaeviewer.ui.window.main_window import MainWindow

MOVES_PER_S = 60


class _Watch:
    """Notes when the map that follows a move is painted, from the oldest move that it is the first to show.

    Attributes:
        coarse_ms: From a move to a map of the image at the handle.
    """

    def __init__(self, window: MainWindow, panel: LensPanel, drag: Drag) -> None:
        self._panel, self._drag = panel, drag
        self._moves: dict[tuple[float, float], int] = {}
        self._begun: tuple[float, float] | None = None
        self._shown = 0
        self.coarse_ms: list[float] = []
        window.plane.handle_moved.connect(self._note)
        self._watcher = PaintWatcher([panel.map], begins=self._begins, painted=self._painted)

    def _note(self, z1: float, z2: float) -> None:
        self._moves[z1, z2] = self._drag.moves

    def _begins(self) -> None:
        follower = self._panel.follower
        self._begun = follower.asked.near if follower.asked is not None else None

    def _painted(self) -> None:
        move = self._moves.get(self._begun, 0) if self._begun is not None else 0
        if move > self._shown:
            self.coarse_ms.append(1000 * (time.perf_counter() - self._drag.entered[self._shown]))
            self._shown = move

    def stop(self) -> None:
        """Watch no more."""
        self._watcher.deleteLater()


def _is_refined(panel: LensPanel, z: tuple[float, float]) -> bool:
    asked, lens = panel.follower.asked, panel.follower.lens
    return asked is not None and asked.near == z and lens is not None and lens.log_px is not None


def measure(quick: bool) -> dict[str, Any]:
    """The figures ``lens``."""
    window = open_window(MNIST_IMAGES, epochs=FOREVER)
    dock = window.findChild(QDockWidget, "posterior-lens-dock")
    assert dock is not None, "every panel has one"
    dock.show()
    dock.raise_()
    panel = window.findChild(LensPanel)
    assert panel is not None, "it is made when it is shown"
    train(window)
    pause(1.0 if quick else 8.0)
    say(f"lens, {MOVES_PER_S} moves a second")
    refined: list[float] = []
    coarse: list[float] = []
    moves = 0
    for _ in range(2 if quick else 12):
        drag = Drag(window, MOVES_PER_S)
        watch = _Watch(window, panel, drag)
        drag.start()
        pause(1.0 if quick else 3.0)
        drag.stop()
        still = time.perf_counter()
        if wait_until(lambda: _is_refined(panel, window.view.z), 5.0, poll_ms=2):
            refined.append(1000 * (time.perf_counter() - still))
        coarse += watch.coarse_ms
        moves += drag.moves
        watch.stop()
    return {
        "coarse_p50_ms": percentile(coarse, 50),
        "coarse_p99_ms": percentile(coarse, 99),
        "maps": len(coarse),
        "moves": moves,
        "refined_p50_ms": percentile(refined, 50),
        "refined_max_ms": max(refined) if refined else None,
    }
