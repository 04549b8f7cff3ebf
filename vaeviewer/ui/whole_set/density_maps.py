"""Three maps of the plane side by side: where codes lie, where the prior expects them, and the ratio of both."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QPointF, QRectF, QSize, Qt, Signal
from PySide6.QtGui import QColor, QFontMetrics, QImage, QMouseEvent, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QSizePolicy, QWidget

from vaeviewer.analysis.plane_densities import PlaneDensities
from vaeviewer.analysis.surgery import HOLE
from vaeviewer.ui.curves.plotting import pg
from vaeviewer.ui.widgets.theme import Theme, theme_of

_DECADES = 3.0  # of densities that have colours of their own
_GAP = 12.0
_BAR = 7.0  # logical pixels
_APART = 8.0  # at least, one number from the next
_STEPS = 256


@dataclass(frozen=True)
class _Map:
    """A map's picture, and what its colours stand for from left to right."""

    title: str
    image: QImage
    colors: NDArray[np.uint8]
    ends: tuple[str, str, str]


class DensityMaps(QWidget):
    """q(z), p(z) and their ratio over the same square; a press or a drag on one of them moves the handle.

    Signals:
        place_chosen: The two numbers of the plane at the mouse.
    """

    place_chosen = Signal(float, float)

    def __init__(self) -> None:
        super().__init__()
        self.setObjectName("densityMaps")
        self.setAccessibleName("Maps of q(z), p(z) and their ratio")
        self.setToolTip(
            "<p>Left: how densely the codes of all training images lie, each spread as its q(z|x). Middle: how densely "
            "the prior would have them. Right: blue where codes are missing, orange where there are too many. "
            "Click into a hole, and see what is decoded there.</p>"
        )
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        self._found: PlaneDensities | None = None
        self._maps: list[_Map] = []
        self._drawn_for: tuple[PlaneDensities | None, str, bool] = (None, "", False)
        self._fine: list[QImage] = []  # the pictures at the size in which they are shown
        self._of, self._handle = "z", (0.0, 0.0)

    def show_densities(self, found: PlaneDensities, of: str, handle: tuple[float, float]) -> None:
        """Draw both densities, and the handle on them.

        Args:
            found: The densities.
            of: What they are densities of, such as ``"z"``.
            handle: Where the handle is.
        """
        if found is not self._found or (of, handle) != (self._of, self._handle):
            self._found, self._of, self._handle = found, of, handle
            self.update()

    def sizeHint(self) -> QSize:
        """Three small squares in a row."""
        return QSize(480, 200)

    def minimumSizeHint(self) -> QSize:
        """Three that can still be read."""
        words = _width(self.fontMetrics(), ("≤ 0.0008", "", "0.88"))
        return QSize(int(3 * words + 2 * _GAP), int(2 * self.fontMetrics().height() + _BAR + 72))

    def squares(self) -> list[QRectF]:
        """Where the three maps lie, logical pixels."""
        line, cells = self.fontMetrics().height(), self.cells()
        side = max(24.0, min(cells[0].width(), self.height() - 2.0 * line - _BAR - 8.0))
        return [QRectF(cell.center().x() - side / 2.0, line + 2.0, side, side) for cell in cells]

    def cells(self) -> list[QRectF]:
        """What each map has with its words: wider than a low map, where the numbers below need that."""
        metrics, room = self.fontMetrics(), (self.width() - 2 * _GAP) / 3.0
        words = [_width(metrics, drawn.ends) for drawn in self._maps]
        wanted = max(self.height() - 2.0 * metrics.height() - _BAR - 8.0, *words, 24.0)
        width = min(wanted, room)
        left = (self.width() - 3 * width - 2 * _GAP) / 2.0
        return [QRectF(left + number * (width + _GAP), 0.0, width, self.height()) for number in range(3)]

    def paintEvent(self, event: QPaintEvent) -> None:
        """The maps, a scale below each."""
        theme = theme_of(self.palette())
        painter = QPainter(self)
        if self._found is None:
            return
        if self._drawn_for[0] is not self._found or self._drawn_for[1:] != (self._of, theme.dark):
            self._maps = _drawn(self._found, self._of, theme)
            self._drawn_for = self._found, self._of, theme.dark
            self._fine = []
        squares, ratio = self.squares(), self.devicePixelRatioF()
        side = round(squares[0].width() * ratio)
        if not self._fine or self._fine[0].width() != side:  # once, as the handle is drawn anew at each move
            smooth = Qt.TransformationMode.SmoothTransformation
            square = Qt.AspectRatioMode.IgnoreAspectRatio
            self._fine = [drawn.image.scaled(side, side, square, smooth) for drawn in self._maps]
        for place, cell, drawn, fine in zip(squares, self.cells(), self._maps, self._fine, strict=True):
            self._paint(painter, theme, place, cell, drawn, fine)

    def mousePressEvent(self, event: QMouseEvent) -> None:
        """The handle goes there."""
        if event.button() == Qt.MouseButton.LeftButton:
            self._choose(event.position())

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        """And follows."""
        if event.buttons() & Qt.MouseButton.LeftButton:
            self._choose(event.position())

    def _choose(self, at: QPointF) -> None:
        place = next((square for square in self.squares() if square.contains(at)), None)
        if self._found is None or place is None:
            return
        x0, x1, y0, y1 = self._found.box
        across = x0 + (x1 - x0) * (at.x() - place.left()) / place.width()
        up = y1 - (y1 - y0) * (at.y() - place.top()) / place.height()
        self.place_chosen.emit(across, up if len(self._found.q) > 1 else 0.0)  # a line has no height

    def _paint(
        self, painter: QPainter, theme: Theme, place: QRectF, cell: QRectF, drawn: _Map, fine: QImage
    ) -> None:
        painter.drawImage(place, fine)
        line = self.fontMetrics().height()
        painter.setPen(QPen(QColor(theme.border), 1.0))
        painter.drawRect(place)
        painter.setPen(QColor(theme.ink))
        middle = int(Qt.AlignmentFlag.AlignHCenter | Qt.AlignmentFlag.AlignVCenter)
        painter.drawText(
            QRectF(place.left() - 6, place.top() - line - 2, place.width() + 12, line), middle, drawn.title
        )
        bar = QRectF(place.left(), place.bottom() + 4.0, place.width(), _BAR)
        column = QImage(drawn.colors.tobytes(), len(drawn.colors), 1, QImage.Format.Format_RGB888)
        painter.drawImage(bar, column)
        painter.setPen(QPen(QColor(theme.border), 1.0))
        painter.drawRect(bar)
        painter.setPen(QColor(theme.muted))
        row = QRectF(cell.left(), bar.bottom() + 1.0, cell.width(), line)
        sides = (Qt.AlignmentFlag.AlignLeft, Qt.AlignmentFlag.AlignHCenter, Qt.AlignmentFlag.AlignRight)
        narrow = _width(self.fontMetrics(), drawn.ends) > cell.width()
        ends = (drawn.ends[0], "", drawn.ends[2]) if narrow else drawn.ends
        for text, side in zip(ends, sides, strict=True):
            painter.drawText(row, int(side | Qt.AlignmentFlag.AlignVCenter), text)
        if self._found is not None:
            self._paint_handle(painter, theme, place, self._found.box)

    def _paint_handle(
        self, painter: QPainter, theme: Theme, place: QRectF, box: tuple[float, float, float, float]
    ) -> None:
        x0, x1, y0, y1 = box
        across, up = (self._handle[0] - x0) / (x1 - x0), (y1 - self._handle[1]) / (y1 - y0)
        if 0.0 <= across <= 1.0 and 0.0 <= up <= 1.0:
            painter.setRenderHint(QPainter.RenderHint.Antialiasing)
            painter.setBrush(Qt.BrushStyle.NoBrush)
            at = QPointF(place.left() + across * place.width(), place.top() + up * place.height())
            for color, width in ((theme.canvas, 3.6), (theme.accent, 1.8)):
                painter.setPen(QPen(QColor(color), width))
                painter.drawEllipse(at, 4.0, 4.0)
            painter.setRenderHint(QPainter.RenderHint.Antialiasing, False)


def _drawn(found: PlaneDensities, of: str, theme: Theme) -> list[_Map]:
    densities, ratios = _density_colors(theme.dark), _ratio_colors(theme)
    most = float(max(found.q.max(), found.p.max()))
    ends = f"≤ {most / 10.0**_DECADES:.1g}", "", f"{most:.2g}"
    with np.errstate(divide="ignore"):
        q, p = (1.0 + (np.log10(values) - math.log10(most)) / _DECADES for values in (found.q, found.p))
    width = -math.log10(HOLE)  # so that all of a hole has the last colour
    ratio = 0.5 + 0.5 * found.log_ratio / width
    of_ratio = f"≤ 1/{1 / HOLE:.0f}", "1", f"≥ {1 / HOLE:.0f}"
    return [
        _Map(f"q({of})", _picture(q, densities, theme), densities, ends),
        _Map(f"p({of})", _picture(p, densities, theme), densities, ends),
        _Map(
            f"q({of}) / p({of})" if len(of) == 1 else "q / p",
            _picture(ratio, ratios, theme),
            ratios,
            of_ratio,
        ),
    ]


def _width(metrics: QFontMetrics, ends: tuple[str, str, str]) -> float:
    """Room for the numbers below a map, the second one in the middle."""
    left, middle, right = map(metrics.horizontalAdvance, ends)
    return 2 * max(left, right) + middle + 2 * _APART if middle else left + right + _APART


def _picture(shares: NDArray[np.floating[Any]], colors: NDArray[np.uint8], theme: Theme) -> QImage:
    """Colours of shares in 0 … 1; the canvas where one is NaN."""
    steps = np.clip(np.nan_to_num(shares, nan=0.0, neginf=0.0) * (len(colors) - 1), 0, len(colors) - 1)
    pixels = colors[steps.astype(np.intp)]
    ground = QColor(theme.canvas)
    pixels[np.isnan(shares)] = ground.red(), ground.green(), ground.blue()
    pixels = np.ascontiguousarray(pixels[::-1])  # high z2 at the top
    rows, columns, _ = pixels.shape
    return QImage(pixels.tobytes(), columns, rows, 3 * columns, QImage.Format.Format_RGB888).convertToFormat(
        QImage.Format.Format_RGB32
    )


def _density_colors(dark: bool) -> NDArray[np.uint8]:
    """From the ground to what stands out from it; inferno (van der Walt & Smith 2015)."""
    ends = (0.04, 0.97) if dark else (1.0, 0.1)
    found: NDArray[np.uint8] = pg.colormap.get("inferno").map(np.linspace(*ends, _STEPS), mode="byte")[:, :3]
    return found


def _ratio_colors(theme: Theme) -> NDArray[np.uint8]:
    """From too few in blue over as many as there should be to too many in orange, which the colour-blind can tell."""
    ends = [QColor(name) for name in ("#1f6fd0", theme.canvas, "#e07b00")]
    places = np.linspace(-1.0, 1.0, _STEPS)
    rgb = np.array([(color.red(), color.green(), color.blue()) for color in ends], np.float64)
    found = np.stack([np.interp(places, (-1.0, 0.0, 1.0), rgb[:, channel]) for channel in range(3)], axis=1)
    return np.rint(found).astype(np.uint8)
