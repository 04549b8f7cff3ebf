"""How long a full refresh of the latent plane takes, beside pyqtgraph's own scatter plot."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PySide6.QtGui import QImage
from PySide6.QtWidgets import QApplication, QWidget

from vaeviewer.backend.data.base import DataSource, ImageDataset
from vaeviewer.backend.models.families.vae import VaeConfig
from vaeviewer.backend.models.interface import DataSpec, ImageSpec
from vaeviewer.backend.snapshot import PosteriorTable, snapshot_of
from vaeviewer.bench.common import MNIST_IMAGES, median, say
from vaeviewer.bench.stage import PaintWatcher, hush_qt
from vaeviewer.session.view_state import ViewState
from vaeviewer.ui.curves.plotting import pg
from vaeviewer.ui.plane.latent_view import LatentView
from vaeviewer.ui.plane.raster.compiled import prepare
from vaeviewer.ui.widgets.theme import class_colors

SIDE = 900
"""Width and height of the plane, pixels."""
CLASSES = 10
SIZES = {"10k": 10_000, "60k": MNIST_IMAGES, "1m": 1_000_000}

Floats = NDArray[np.float32]


def measure(quick: bool) -> dict[str, Any]:
    """The figures ``plane``."""
    hush_qt()
    app = QApplication.instance() or QApplication([])
    assert app is not None
    prepare()  # as a window has it some seconds after its start
    figures: dict[str, Any] = {}
    for name, points in SIZES.items():
        say(f"plane, {points:,} points")
        labels = _labels(points)
        panel = PlanePanel(labels)
        repeats = (5 if points < 100_000 else 3) if quick else (60 if points < 100_000 else 20)
        positions = drifting(_cloud(labels))
        if points == MNIST_IMAGES:
            scatter = _ScatterPanel(labels)
            ours, theirs = [], []
            for number in range(repeats + 2):
                times = panel.refresh(next(positions)), scatter.refresh(next(positions))
                if number >= 2:  # the first ones allocate
                    ours.append(times[0])
                    theirs.append(times[1])
            figures[name] = {"refresh_ms": median(ours)}
            figures["scatter_ms"] = median(theirs)
            figures["ratio_scatter"] = median(theirs) / median(ours)
            scatter.close()
        else:
            figures[name] = {"refresh_ms": refresh_ms(panel, positions, repeats)}
        panel.close()
    return figures


def refresh_ms(panel: PlanePanel, positions: Iterator[Floats], repeats: int) -> float:
    """The median time of a refresh.

    Raises:
        RuntimeError: New positions were shown, and the picture stayed as it was.
    """
    for _ in range(2):  # the first ones allocate
        panel.refresh(next(positions))
    before = panel.picture()
    times = [panel.refresh(next(positions)) for _ in range(repeats)]
    if panel.picture() == before:
        raise RuntimeError("the plane does not paint new positions")
    return median(times)


class PlanePanel:
    """The window's latent plane by itself, 900 by 900 pixels of it.

    Args:
        labels: Class of each point, ``(n,)``.
    """

    def __init__(self, labels: NDArray[np.int64]) -> None:
        # The plane asks nothing of the images but their labels.
        images = np.broadcast_to(np.zeros((1, 28, 28), np.uint8), (len(labels), 28, 28))
        names = tuple(str(number) for number in range(CLASSES))
        source = DataSource(key="folder")
        dataset = ImageDataset("points", source, images, labels, images[:0], labels[:0], names)
        self._view = LatentView()
        self._view.set_dataset(dataset)
        self._view.resize(SIDE, SIDE)
        self._view.show()
        self._step = 0
        self._painting = _Painting(self._view.viewport())
        self.refresh(np.zeros((len(labels), 2), np.float32))
        plane = self._view.plane_map()
        assert plane is not None, "it is shown"
        # Room for the axes and the legend beside it.
        self._view.resize(round(2 * SIDE - plane.width), round(2 * SIDE - plane.height))
        QApplication.processEvents()

    def refresh(self, positions: Floats) -> float:
        """Show a new snapshot with these posterior means; returns the time until they are painted, ms."""
        self._step += 1
        n = len(positions)
        log_variance = np.zeros((n, 2), np.float32)
        table = PosteriorTable(positions, log_variance, np.full(n, self._step, np.int32))
        snapshot = snapshot_of(VaeConfig(), DataSpec(ImageSpec(28, 28)), {}, step=self._step, posterior=table)
        return self._painting.time(lambda: self._view.update_frame(snapshot, ViewState()))

    def picture(self) -> QImage:
        """What is on screen."""
        return self._view.viewport().grab().toImage()

    def close(self) -> None:
        """Take it off the screen."""
        self._view.close()
        self._view.deleteLater()


class _ScatterPanel:
    """The same points in pyqtgraph's ScatterPlotItem, one item per class, as its users draw classes."""

    def __init__(self, labels: NDArray[np.int64]) -> None:
        self._plot = pg.PlotWidget()
        self._plot.setRange(xRange=(-4, 4), yRange=(-4, 4), padding=0)
        self._rows = [np.flatnonzero(labels == number) for number in range(CLASSES)]
        self._items = []
        for color in class_colors(CLASSES):
            item = pg.ScatterPlotItem(size=4, pen=None, brush=pg.mkBrush(*map(int, color), 160))
            self._plot.addItem(item)
            self._items.append(item)
        self._plot.resize(SIDE, SIDE)
        self._plot.show()
        rect = self._plot.getViewBox().rect()
        self._plot.resize(round(2 * SIDE - rect.width()), round(2 * SIDE - rect.height()))
        QApplication.processEvents()
        self._painting = _Painting(self._plot.viewport())

    def refresh(self, positions: Floats) -> float:
        def show() -> None:
            for item, rows in zip(self._items, self._rows, strict=True):
                item.setData(positions[rows, 0], positions[rows, 1])

        return self._painting.time(show)

    def close(self) -> None:
        self._plot.close()
        self._plot.deleteLater()


class _Painting:
    """Times from a change to its being painted, by way of the event loop as in use."""

    def __init__(self, widget: QWidget) -> None:
        self._painted = False
        self._watcher = PaintWatcher([widget], begins=lambda: None, painted=self._note)

    def time(self, change: Callable[[], None]) -> float:
        self._painted = False
        start = time.perf_counter()
        change()
        while not self._painted:
            QApplication.processEvents()
            if time.perf_counter() - start > 30:
                raise RuntimeError("nothing is painted")
        return 1000 * (time.perf_counter() - start)

    def _note(self) -> None:
        self._painted = True


def _labels(points: int) -> NDArray[np.int64]:
    return np.random.default_rng(1).integers(0, CLASSES, points)


def _cloud(labels: NDArray[np.int64]) -> Floats:
    """Points as a trained model spreads its posterior means: a cluster per class, together about N(0, I)."""
    random = np.random.default_rng(2)
    centres = 1.2 * random.standard_normal((CLASSES, 2))
    points: Floats = (centres[labels] + 0.45 * random.standard_normal((len(labels), 2))).astype(np.float32)
    return points


def drifting(points: Floats) -> Iterator[Floats]:
    """The points again and again, each time a little elsewhere, as between two snapshots of one run."""
    random = np.random.default_rng(3)
    while True:
        yield points + np.float32(0.02) * random.standard_normal(points.shape, dtype=np.float32)
