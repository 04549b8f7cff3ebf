"""The icons of the training buttons, drawn in any colour so that they suit both schemes."""

from __future__ import annotations

from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QColor, QIcon, QPainter, QPainterPath, QPen, QPixmap, QPolygonF

_SIZE = 20  # logical pixels
_SCALE = 3  # drawn finer than that, for screens with a high pixel density


def button_icon(name: str, color: str, disabled: str) -> QIcon:
    """The icon ``"train"``, ``"pause"``, ``"step"``, ``"stop"`` or ``"reset"``.

    Args:
        name: Which one.
        color: Its colour, ``#rrggbb``.
        disabled: Its colour on a disabled button, ``#rrggbb`` or ``#aarrggbb``.
    """
    icon = QIcon()
    icon.addPixmap(_drawn(name, color), QIcon.Mode.Normal)
    icon.addPixmap(_drawn(name, disabled), QIcon.Mode.Disabled)
    return icon


def _drawn(name: str, color: str) -> QPixmap:
    pixmap = QPixmap(_SIZE * _SCALE, _SIZE * _SCALE)
    pixmap.setDevicePixelRatio(_SCALE)
    pixmap.fill(Qt.GlobalColor.transparent)
    painter = QPainter(pixmap)
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    if name == "reset":
        painter.setPen(QPen(QColor(color), 2.0))
        painter.drawArc(QRectF(4, 4, 12, 12), 50 * 16, 290 * 16)
    painter.setPen(Qt.PenStyle.NoPen)
    painter.setBrush(QColor(color))
    painter.drawPath(_path(name))
    painter.end()
    return pixmap


def _path(name: str) -> QPainterPath:
    path = QPainterPath()
    if name == "train":
        _add_triangle(path, (5, 3), (17, 10), (5, 17))
    elif name == "pause":
        path.addRoundedRect(QRectF(4, 3, 4.5, 14), 1, 1)
        path.addRoundedRect(QRectF(11.5, 3, 4.5, 14), 1, 1)
    elif name == "step":
        _add_triangle(path, (4, 4), (12.5, 10), (4, 16))
        path.addRoundedRect(QRectF(13.5, 4, 2.5, 12), 1, 1)
    elif name == "stop":
        path.addRoundedRect(QRectF(4, 4, 12, 12), 1.5, 1.5)
    elif name == "reset":
        _add_triangle(path, (9.5, 4.2), (15.8, 1.4), (15.8, 8.0))
    else:
        raise ValueError(f"no icon named {name!r}")
    return path


def _add_triangle(path: QPainterPath, *corners: tuple[float, float]) -> None:
    path.addPolygon(QPolygonF([QPointF(x, y) for x, y in corners]))
    path.closeSubpath()
