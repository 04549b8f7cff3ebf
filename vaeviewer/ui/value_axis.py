"""Plot axes with round numbers, true minus signs, and a logarithmic scale that also labels short ranges."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from PySide6.QtCore import QRectF
from PySide6.QtGui import QPainter

from vaeviewer.ui.plotting import pg

_DrawSpecs = tuple[Any, Any, list[tuple[QRectF, Any, str]]]
"""Of pyqtgraph: the axis itself, its ticks, and its labels."""


def number_label(value: float, decimals: int) -> str:
    """``value`` with a true minus sign and thousands separators: ``"−1,234.50"``; zero has no sign."""
    return f"{value:z,.{decimals}f}".replace("-", "−")


def round_ticks(low: float, high: float, most: int) -> list[float]:
    """At most about ``most`` multiples of 1, 2 or 5 times a power of ten within ``[low, high]``, at least one."""
    if not high > low:
        return [low]
    rough = (high - low) / max(1, most)
    power = 10.0 ** math.floor(math.log10(rough))
    steps = [m * power for m in (10, 5, 2, 1, 0.5)]
    coarsest = max(i for i, step in enumerate(steps) if step >= rough * (1 - 1e-9))
    for step in steps[coarsest:]:
        first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
        if first <= last:
            break
    return [round(i * step, 12) for i in range(first, last + 1)]


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
    """An axis with one level of ticks, about ``pixels_per_tick`` apart.

    With ``log`` set, positions on the axis are decimal logarithms and the labels what they stand for.
    """

    def __init__(self, orientation: str, pixels_per_tick: float) -> None:
        super().__init__(orientation)
        self._pixels_per_tick = pixels_per_tick
        self._log = False
        self.enableAutoSIPrefix(False)

    def set_log(self, log: bool) -> None:
        """Label positions as decimal logarithms, or as they are."""
        if log != self._log:
            self._log = log
            self.picture = None
            self.update()

    def tickValues(self, minVal: float, maxVal: float, size: float) -> list[tuple[float, list[float]]]:  # noqa: N803
        """One level of ticks; pyqtgraph's signature."""
        most = max(1, int(size / self._pixels_per_tick))
        if self._log:
            ticks = decade_ticks(10.0**minVal, 10.0**maxVal, most)
            return [(0.0, [math.log10(tick) for tick in ticks])]
        ticks = round_ticks(minVal, maxVal, most)
        return [(ticks[1] - ticks[0] if len(ticks) > 1 else 1.0, ticks)]

    def tickStrings(self, values: list[float], scale: float, spacing: float) -> list[str]:
        """As many decimals as tell neighbours apart; pyqtgraph's signature."""
        shown = [10.0**value for value in values] if self._log else list(values)
        gaps = np.diff(shown)
        gap = float(gaps.min()) if len(gaps) else 1.0
        decimals = max(0, -math.floor(math.log10(gap) + 1e-9)) if gap > 0 else 0
        return [number_label(value, decimals) for value in shown]

    def generateDrawSpecs(self, p: QPainter) -> _DrawSpecs | None:
        """What is drawn, without labels that the edge of the plot would cut; pyqtgraph's signature."""
        specs: _DrawSpecs | None = super().generateDrawSpecs(p)
        if specs is None:
            return None
        line, ticks, texts = specs
        plot = self.getViewWidget()
        room = self.mapRectFromScene(plot.mapToScene(plot.viewport().rect()).boundingRect())
        return line, ticks, [text for text in texts if room.contains(text[0])]
