"""What an open window costs training, and how closely the decoded image follows a drag while it trains."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from PySide6.QtCore import QTimer
from PySide6.QtWidgets import QApplication, QWidget

from vaeviewer.bench.common import MNIST_IMAGES, median, paired, percentile, say
from vaeviewer.bench.drag import Drag, follow
from vaeviewer.bench.stage import Heartbeat, PaintWatcher, open_window, pause, steps_taken, train, wait_until
from vaeviewer.bench.training import FOREVER
from vaeviewer.ui.curves.metric_plot import MetricPlot
from vaeviewer.ui.images.image_widget import ImageWidget
from vaeviewer.ui.window.main_window import MainWindow

LEAST_HZ = {"plane": 10.0, "curves": 4.0, "reconstructions": 2.0, "manifold": 1.0}
"""What counts as a live window: refreshes per second of each panel."""

SETTLE_S = 1.0
"""After each change of what is measured: a window just shown again first catches up with what it has missed, which
is not what an open one costs."""

MOVES_PER_S = 60
"""Of the drag that training is measured under."""


def measure(quick: bool) -> dict[str, Any]:
    """The figures ``window`` and ``drag``."""
    window = open_window(MNIST_IMAGES, epochs=FOREVER)
    app = QApplication.instance()
    assert isinstance(app, QApplication), "the window needed one"
    app.setQuitOnLastWindowClosed(False)  # it is hidden at times
    train(window)
    pause(0.7 if quick else 5.0)  # the plane has spread, and everything has been drawn once
    return {"window": _throughput(window, quick), "drag": _latency(window, quick)}


def _throughput(window: MainWindow, quick: bool) -> dict[str, Any]:
    rounds, seconds = (1, 1.2) if quick else (12, 3.0)
    settle = 0.3 if quick else SETTLE_S
    refreshes = {"with": _Refreshes(window), "dragged": _Refreshes(window)}

    def without() -> float:
        with _put_away(window):
            pause(settle)
            return _images_per_s(window, seconds)

    def opened() -> float:
        pause(settle)
        with refreshes["with"].counted():
            return _images_per_s(window, seconds)

    def dragged() -> float:
        pause(settle)
        drag = Drag(window, MOVES_PER_S)
        drag.start()
        with refreshes["dragged"].counted():
            speed = _images_per_s(window, seconds)
        drag.stop()
        return speed

    ways = {"without": without, "with": opened, "dragged": dragged}
    speeds: dict[str, list[float]] = {name: [] for name in ways}
    for number in range(rounds):
        say(f"window, round {number + 1} of {rounds}: training without it, with it, and dragged")
        # Back and forth: a machine that becomes slower is on nobody's side.
        for name in list(ways) if number % 2 == 0 else reversed(ways):
            speeds[name].append(ways[name]())
    middle = {name: median(values) for name, values in speeds.items()}
    return {
        "throughput_fraction": paired(speeds["with"], speeds["without"]),
        "throughput_fraction_dragged": paired(speeds["dragged"], speeds["without"]),
        "images_per_s_without": middle["without"],
        "images_per_s_with": middle["with"],
        "images_per_s_dragged": middle["dragged"],
        "refresh_verified": all(refreshed.live for refreshed in refreshes.values()),
        **{f"{name}_hz": rate for name, rate in refreshes["with"].rates.items()},
        "dragged": {f"{name}_hz": rate for name, rate in refreshes["dragged"].rates.items()},
    }


def _latency(window: MainWindow, quick: bool) -> dict[str, Any]:
    say("drag, 125 moves a second")
    heartbeat = Heartbeat()
    heartbeat.start()
    figures = follow(window, 125, 3.0 if quick else 60.0)
    heartbeat.stop()
    for rate in (60, 1000):
        say(f"drag, {rate:,} moves a second")
        figures[f"at_{rate}"] = follow(window, rate, 1.0 if quick else 10.0)
    figures["gap_p99_ms"] = percentile(heartbeat.late_ms, 99)
    figures["gap_max_ms"] = max(heartbeat.late_ms)
    return figures


@contextmanager
def _put_away(window: MainWindow) -> Iterator[None]:
    """Training as it is without a window: nothing is painted, nothing is timed, and nobody takes its snapshots.

    Training goes on in the very same thread. Another session would bring a thread pool of its own, and two of
    them on the same cores slow each other down.
    """
    timers = [timer for timer in window.findChildren(QTimer) if timer.isActive()]
    for timer in timers:
        timer.stop()
    window.hide()
    try:
        yield
    finally:
        window.show()
        for timer in timers:
            timer.start()


def _images_per_s(window: MainWindow, seconds: float) -> float:
    begin, first = _next_block(window)
    pause(seconds)
    end, last = _next_block(window)
    return (last - first) * window.session.settings.train.batch_size / (end - begin)


def _next_block(window: MainWindow) -> tuple[float, int]:
    """When the history next grew, and to how many steps. Between blocks nobody knows where training is."""
    before = steps_taken(window)
    if not wait_until(lambda: steps_taken(window) != before, poll_ms=1):
        raise RuntimeError("training stands still")
    return time.perf_counter(), steps_taken(window)


class _Refreshes:
    """Counts how often panels painted something new while the context :meth:`counted` lasts."""

    def __init__(self, window: MainWindow) -> None:
        def steps(_history: object) -> int:
            return steps_taken(window)

        plots = [plot.viewport() for plot in window.elbo_terms.findChildren(MetricPlot)]
        pictures: dict[str, list[QWidget]] = {
            "reconstructions": window.reconstructions.findChildren(QWidget, "pairs"),
            "manifold": list(window.manifold.findChildren(ImageWidget)),
        }
        self._counts = {
            "plane": _Count(window.plane, "update_frame", [window.plane.viewport()]),
            "curves": _Count(window.elbo_terms, "update_frame", plots, content=steps),
            "reconstructions": _Count(window.reconstructions, "update_frame", pictures["reconstructions"]),
            "manifold": _Count(window.manifold, "show_images", pictures["manifold"]),
        }
        self._seconds = 0.0

    @contextmanager
    def counted(self) -> Iterator[None]:
        begin = time.perf_counter()
        for count in self._counts.values():
            count.begin()
        try:
            yield
        finally:
            for count in self._counts.values():
                count.end()
            self._seconds += time.perf_counter() - begin

    @property
    def rates(self) -> dict[str, float]:
        """Refreshes per second by panel."""
        return {name: count.number / self._seconds for name, count in self._counts.items()}

    @property
    def live(self) -> bool:
        """Whether every panel keeps to its least rate."""
        return all(rate >= LEAST_HZ[name] for name, rate in self.rates.items())


class _Count:
    """Paintings of a panel that followed on something new to show, between :meth:`begin` and :meth:`end`.

    Args:
        panel: What is told to show something.
        method: What tells it, with what is to be shown as the first argument.
        painters: The widgets that then paint it.
        content: What tells new from old; unless given, which object it is.
    """

    def __init__(
        self,
        panel: QWidget,
        method: str,
        painters: Sequence[QWidget],
        content: Callable[[object], int] = id,
    ) -> None:
        self.number = 0
        self._shown = 0
        self._kept: object = None
        self._new = False
        self._content = content
        self._panel, self._name, self._painters = panel, method, painters
        self._method: Callable[..., None] = getattr(panel, method)

    def begin(self) -> None:
        """Watch from here on, which costs a little at every event of the widgets."""
        setattr(self._panel, self._name, self._show)
        self._watcher = PaintWatcher(self._painters, begins=lambda: None, painted=self._painted)

    def end(self) -> None:
        """Watch no longer."""
        delattr(self._panel, self._name)  # its class's own comes back
        self._watcher.deleteLater()

    def _show(self, shown: object, *others: object, **named: object) -> None:
        content = self._content(shown)
        self._new = self._new or content != self._shown
        self._shown, self._kept = content, shown  # kept, so that nothing else is given its id
        self._method(shown, *others, **named)

    def _painted(self) -> None:
        self.number += self._new
        self._new = False
