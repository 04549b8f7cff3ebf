"""Plot axes with round numbers, true minus signs, and a logarithmic scale that also labels short ranges."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from PySide6.QtCore import QRectF
from PySide6.QtGui import QFont, QFontMetricsF, QPainter

from vaeviewer.counts import power_of_ten
from vaeviewer.ui.curves.plotting import pg
from vaeviewer.ui.window.text_size import text_scale

_DrawSpecs = tuple[Any, Any, list[tuple[QRectF, Any, str]]]
"""Of pyqtgraph: the axis itself, its ticks, and its labels."""


MOST_FIGURES = 7
"""Figures of a number that is written out; a larger one is written as a multiple of a power of ten."""

LONGEST_NUMBERS = ("−1,234,567", "−8.8 × 10³⁸")
"""No :func:`number_label` of a float32 is wider than the wider of these."""

_FARTHEST_DECADE = 300.0  # of a logarithmic axis; 10³⁰⁹ is no float


def number_label(value: float, decimals: int) -> str:
    """``value`` with a true minus sign and thousands separators: ``"−1,234.50"``; zero has no sign.

    It has at most seven figures, for which decimals are left out, and from ten million on it is
    ``"−8.1 × 10¹⁸"``: the terms of a run that explodes stay within their columns.
    """
    if not math.isfinite(value):
        return "–" if math.isnan(value) else "∞" if value > 0 else "−∞"
    figures = len(f"{abs(value):.0f}")  # before the point
    if figures > MOST_FIGURES:
        return power_of_ten(f"{value:.1e}")
    return _plain_label(value, min(decimals, MOST_FIGURES - figures))


def _plain_label(value: float, decimals: int) -> str:
    return f"{value:z,.{decimals}f}".replace("-", "−")


def _tick_label(value: float, decimals: int) -> str:
    """As :func:`number_label`, but with all decimals that tell a tick from its neighbours."""
    if value == 0 or 10.0**-MOST_FIGURES <= abs(value) < 10.0**MOST_FIGURES:
        return _plain_label(value, decimals)
    mantissa, exponent = f"{value:.6e}".split("e")
    return power_of_ten(f"{mantissa.rstrip('0').rstrip('.')}e{exponent}")  # ticks are round


def round_ticks(low: float, high: float, most: int, least_step: float = 0.0) -> list[float]:
    """Multiples of 1, 2 or 5 times a power of ten within ``[low, high]``, at least one.

    As many as there can be up to ``most`` + 1, and three rather than a single one.

    Args:
        low: One end.
        high: The other.
        most: About how many there is room for.
        least_step: They lie at least so far apart, such as 1 for what is counted.
    """
    if not high > low:
        return [low]
    power = math.floor(math.log10(high - low)) + 1
    found: list[float] = []
    for step in (m * 10.0**e for e in range(power, power - 4, -1) for m in (5, 2, 1)):
        first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
        room = max(most + 1, 2 if len(found) > 1 else 3)
        if found and (last - first >= room or step < least_step):
            break
        if first <= last:
            found = [float(f"{i * step:.15g}") for i in range(first, last + 1)]
    return found


def decade_ticks(low: float, high: float, most: int) -> list[float]:
    """Ticks for a logarithmic axis: 1, 2, 5 in each decade, or round numbers where the range is short."""
    if high / low < 8:
        return round_ticks(low, high, most)
    exponents = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    for mantissas in ((1, 2, 5), (1,)):
        ticks = [float(f"{m}e{e}") for e in exponents for m in mantissas]
        ticks = [tick for tick in ticks if low <= tick <= high]
        if len(ticks) <= most + 1:
            return ticks
    return ticks[:: math.ceil(len(ticks) / max(1, most))]


class ValueAxis(pg.AxisItem):  # type: ignore[misc]  # pyqtgraph ships no types
    """An axis with one level of ticks, about ``pixels_per_tick`` apart, and somewhat further where text is larger.

    With ``log`` set, positions on the axis are decimal logarithms and the labels what they stand for.
    """

    def __init__(self, orientation: str, pixels_per_tick: float) -> None:
        super().__init__(orientation)
        self._pixels_per_tick = pixels_per_tick
        self._log = False
        self._least_step = 0.0
        self.enableAutoSIPrefix(False)

    def set_log(self, log: bool) -> None:
        """Label positions as decimal logarithms, or as they are."""
        if log != self._log:
            self._log = log
            self._tick_anew()

    def set_whole(self, whole: bool) -> None:
        """Put ticks at whole numbers only, or anywhere."""
        step = 1.0 if whole else 0.0
        if step != self._least_step:
            self._least_step = step
            self._tick_anew()

    def _tick_anew(self) -> None:
        self.picture = None
        self.update()

    def tickValues(self, minVal: float, maxVal: float, size: float) -> list[tuple[float, list[float]]]:  # noqa: N803
        """One level of ticks; pyqtgraph's signature."""
        most = max(1, int(size / (self._pixels_per_tick * (1 + text_scale()) / 2)))
        if self._log:
            low, high = (10.0 ** min(max(x, -_FARTHEST_DECADE), _FARTHEST_DECADE) for x in (minVal, maxVal))
            return [(0.0, [math.log10(tick) for tick in decade_ticks(low, high, most)])]
        ticks = round_ticks(minVal, maxVal, most, self._least_step)
        return [(ticks[1] - ticks[0] if len(ticks) > 1 else 1.0, ticks)]

    def tickStrings(self, values: list[float], scale: float, spacing: float) -> list[str]:
        """As many decimals as tell neighbours apart; pyqtgraph's signature."""
        if not self._log:
            gap = min(np.diff(values), default=1.0)
            return [_tick_label(value, _decimals(gap)) for value in values]
        shown = [10.0**value for value in values]
        if len(shown) > 1 and shown[-1] < 8 * shown[0]:
            gap = min(np.diff(shown))
            return [_tick_label(value, _decimals(gap)) for value in shown]
        return [_tick_label(value, _decimals(value)) for value in shown]

    def labels_width(self, low: float, high: float, size: float) -> int:
        """Pixels that the widest label takes with this range on an axis of ``size`` pixels."""
        metrics = QFontMetricsF(self.style["tickFont"] or QFont())
        ((spacing, ticks),) = self.tickValues(low, high, size)
        texts = self.tickStrings(ticks, 1.0, spacing)
        return math.ceil(max(map(metrics.horizontalAdvance, texts), default=0.0))

    def generateDrawSpecs(self, p: QPainter) -> _DrawSpecs | None:
        """What is drawn, without labels that would be cut or lie over another; pyqtgraph's signature."""
        specs: _DrawSpecs | None = super().generateDrawSpecs(p)
        if specs is None:
            return None
        line, ticks, texts = specs
        plot = self.getViewWidget()
        room = self.mapRectFromScene(plot.mapToScene(plot.viewport().rect()).boundingRect())
        shown: list[tuple[QRectF, Any, str]] = []
        for rect, flags, text in texts:
            if self.orientation == "bottom":  # the last one, at the edge, may stand beside its tick
                rect.translate(-min(max(0.0, rect.right() - room.right()), rect.width() / 2), 0.0)
            if room.contains(rect) and not (shown and shown[-1][0].intersects(rect)):
                shown.append((rect, flags, text))
        return line, ticks, shown


def _decimals(gap: float) -> int:
    """Decimals that tell numbers apart which differ by ``gap``."""
    return max(0, -math.floor(math.log10(gap) + 1e-9)) if gap > 0 else 0
