"""The geometry panel: the straight line and the shortest way between two codes, as lengths and as morphs."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QSignalBlocker, Qt
from PySide6.QtGui import QHideEvent, QPalette, QShowEvent
from PySide6.QtWidgets import QCheckBox, QHBoxLayout, QLabel, QPushButton, QVBoxLayout, QWidget

from vaeviewer.analysis.geodesic import Ways, shortest_way
from vaeviewer.analysis.geometry import DecoderSurface, is_fisher
from vaeviewer.analysis.latent_plane import LatentPlane
from vaeviewer.analysis.manifold import mosaic
from vaeviewer.backend.snapshot import Snapshot
from vaeviewer.session.newest import Newest
from vaeviewer.ui.curves.value_axis import number_label
from vaeviewer.ui.images.image_widget import ImageWidget
from vaeviewer.ui.panel import Frame, Host
from vaeviewer.ui.plane.latent_view import LatentView
from vaeviewer.ui.plane.magnification import MAGNIFICATION, Magnification

GEODESIC = "shortest way"
"""The kind of what it asks the decoder for."""

IMAGES = 9
"""Of each morph."""

REST = 1.0
"""After a computation the decoder's thread rests as long while training runs, or the handle moves."""

_FISHER = (
    "Lengths in the Fisher information metric of p(x|z): two codes are 1 apart where one image tells them apart by one "
    "standard deviation."
)
_PIXELS = (
    "This kind of model has no density p(x|z) to measure by. Lengths are pixel distances between decoded images: the "
    "root of the summed squares of their differences, from black to white being 1."
)
_IN_PLANE = " Both ways stay in the plane shown."
_MARK = "Mark a place (M in the plane) and move the handle on: the two ways between them appear."


@dataclass(frozen=True)
class _Question:
    second: tuple[float, float]
    z: tuple[float, float]
    plane: LatentPlane
    y: int


@dataclass(frozen=True, eq=False)
class Morphs:
    """The ways between two places, and decoded images along them, at equal lengths: ``(IMAGES, *image_shape)``."""

    ways: Ways
    straight: NDArray[np.uint8]
    shortest: NDArray[np.uint8]


def _compute(snapshot: Snapshot, question: _Question) -> Iterator[Morphs | None]:
    surface = DecoderSurface(snapshot, question.plane, question.y)
    ends = np.array([question.second, question.z], np.float32)[:, : surface.coordinates]
    for ways in shortest_way(surface, *ends):
        if ways is None:
            yield None
        else:
            codes = [surface.codes(way.at_equal_lengths(IMAGES)) for way in (ways.straight, ways.shortest)]
            yield Morphs(ways, *(snapshot.decode_levels(z, question.y) for z in codes))


class GeometryPanel(QWidget):
    """Two morphs with their lengths, a button that marks the first place, and a box for the map in the plane.

    Args:
        host: The window.
        plane: Where the shortest way is drawn, and the map.
    """

    def __init__(self, host: Host, plane: LatentView) -> None:
        super().__init__()
        self.setObjectName("geometry")
        self.setAccessibleName("Geometry")
        self._host, self._plane = host, plane
        self._magnification = Magnification(plane, host)
        self._asked: _Question | None = None
        self._newest = Newest(host.decoder, GEODESIC, _compute, self, REST)
        self._newest.found.connect(self._show)
        host.decoder.forgotten.connect(self._clear)
        self._map = QCheckBox("Magnification behind the points")
        self._map.setObjectName("geometryMap")
        self._map.setToolTip(
            "<p>Shade the plane by √det G: where it is high, a small move in the plane changes the decoded image much. "
            "It takes the place of decoded images behind the points.</p>"
        )
        self._map.toggled.connect(lambda on: host.set_view(behind=MAGNIFICATION if on else ""))
        self._mark, self._unmark = QPushButton("Mark this place"), QPushButton("Remove the mark")
        self._mark.setObjectName("geometryMark")
        self._mark.setToolTip(
            "<p>Mark where the handle is now, as M does in the plane: both ways begin there. The mark can be "
            "dragged.</p>"
        )
        self._unmark.setObjectName("geometryUnmark")
        self._unmark.setToolTip("<p>Take the mark away, and both ways with it.</p>")
        self._mark.clicked.connect(lambda: host.set_view(second=host.frame().view.z))
        self._unmark.clicked.connect(lambda: host.set_view(second=None))
        buttons = QHBoxLayout()
        buttons.addWidget(self._mark)
        buttons.addWidget(self._unmark)
        buttons.addStretch(1)
        self._straight, self._shortest = _Strip("straightWay"), _Strip("shortestWay")
        self._note = QLabel()
        self._note.setObjectName("geometryNote")
        self._note.setWordWrap(True)
        self._note.setForegroundRole(QPalette.ColorRole.PlaceholderText)
        self._note.setTextFormat(Qt.TextFormat.PlainText)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(8, 6, 8, 8)
        layout.addWidget(self._map)
        layout.addLayout(buttons)
        layout.addWidget(self._straight)
        layout.addWidget(self._shortest)
        layout.addWidget(self._note)
        layout.addStretch(1)
        self._clear()

    def update_frame(self, frame: Frame) -> None:
        """Ask for the map of the newest model, and for its ways unless hidden."""
        self._magnification.request()
        self.follow_handle(frame)

    def follow_handle(self, frame: Frame) -> None:
        """Ask for the ways from where the handle is now; while hidden, for none."""
        view, snapshot = frame.view, frame.snapshot
        with QSignalBlocker(self._map):
            self._map.setChecked(view.behind == MAGNIFICATION)
        self._mark.setEnabled(snapshot is not None)
        self._unmark.setEnabled(view.second is not None)
        if snapshot is None or not self.isVisible():
            return
        if view.second is None or view.second == view.z:
            if self._asked is not None or not self._note.text():
                self._clear()
            return
        question = _Question(view.second, view.z, view.plane_of(snapshot.model.latent_dim), view.y)
        if question != self._asked:
            self._asked = question
        self._newest.want(snapshot, self._asked)
        beyond = _IN_PLANE if snapshot.model.latent_dim > 2 else ""
        self._note.setText((_FISHER if is_fisher(snapshot) else _PIXELS) + beyond)

    def showEvent(self, event: QShowEvent) -> None:
        """Catch up."""
        super().showEvent(event)
        self.update_frame(self._host.frame())

    def hideEvent(self, event: QHideEvent) -> None:
        """Nothing is computed, and nothing stays in the plane that would no longer be true."""
        super().hideEvent(event)
        self._clear()

    def _show(self) -> None:
        found = self._newest.value
        if not isinstance(found, Morphs) or self._asked is None:
            return
        ways, by = found.ways, f"{100 * found.ways.saved:.0f} % shorter"
        self._straight.show_morph(f"Straight line: {_length(ways.straight.length)}", found.straight)
        shorter = f", {by}" if ways.saved >= 0.005 else ", which is the straight line"
        self._shortest.show_morph(f"Geodesic: {_length(ways.shortest.length)}{shorter}", found.shortest)
        points = ways.shortest.points
        self._plane.second.show_way(np.pad(points, ((0, 0), (0, 2 - points.shape[1]))))

    def _clear(self) -> None:
        self._newest.stop()
        self._asked = None
        self._straight.show_morph("Straight line", None)
        self._shortest.show_morph("Geodesic, the shortest way", None)
        self._note.setText(_MARK)
        self._plane.second.show_way(None)


class _Strip(QWidget):
    """Images side by side below a line of text."""

    def __init__(self, name: str) -> None:
        super().__init__()
        self.setObjectName(name)
        self.text = QLabel()
        self._picture = ImageWidget(fill=True)
        self._picture.setMinimumHeight(30)
        self._picture.setMaximumHeight(80)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 4, 0, 0)
        layout.setSpacing(2)
        layout.addWidget(self.text)
        layout.addWidget(self._picture)

    def show_morph(self, text: str, images: NDArray[np.uint8] | None) -> None:
        self.setVisible(images is not None)
        self.text.setText(text)
        self._picture.setAccessibleName(text)
        self._picture.set_image(None if images is None else mosaic(images, len(images), gap=1, background=90))


def _length(value: float) -> str:
    return number_label(value, 1 if value >= 10 else 2)
