"""Colours: the light and the dark palette, and class colours that colour-blind people can tell apart."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PySide6.QtGui import QColor, QPalette

CLASS_COLORS = (
    "#3f90da",
    "#ffa90e",
    "#bd1f01",
    "#94a4a2",
    "#832db6",
    "#a96b59",
    "#e76300",
    "#b9ac70",
    "#717581",
    "#92dadd",
)
"""Ten colours chosen for colour-vision deficiency and appeal: M. A. Petroff, "Accessible Color Sequences for
Data Visualization", 2021, arXiv:2107.02270."""


@dataclass(frozen=True)
class Theme:
    """Colours of one scheme, as ``#rrggbb``.

    ``canvas`` lies behind plots, ``ink`` writes on it, ``muted`` is secondary text and axes, ``grid`` is faint
    lines, ``accent`` marks the handle and the primary button, and ``curves`` are the colours of a family's metrics,
    by their position, wherever they appear.
    """

    dark: bool
    window: str
    base: str
    canvas: str
    ink: str
    muted: str
    grid: str
    border: str
    accent: str
    accent_ink: str
    warning: str
    curves: tuple[str, ...]

    def curve(self, position: int) -> str:
        """The colour of the metric at a position; beyond the last the colours come again."""
        return self.curves[position % len(self.curves)]


LIGHT = Theme(
    dark=False,
    window="#f3f4f6",
    base="#ffffff",
    canvas="#ffffff",
    ink="#1b1f24",
    muted="#5b6470",
    grid="#d9dde3",
    border="#cdd2d9",
    accent="#0b62c4",
    accent_ink="#ffffff",
    warning="#a04800",
    curves=("#0b62c4", "#1a7f4b", "#b0470a", "#7b3fb5", "#0f7285", "#ad2b73"),
)

DARK = Theme(
    dark=True,
    window="#1d2025",
    base="#15171b",
    canvas="#15171b",
    ink="#e7eaee",
    muted="#9aa4b1",
    grid="#333941",
    border="#3a414b",
    accent="#4ea1ff",
    accent_ink="#0b1622",
    warning="#ffb067",
    curves=("#62aeff", "#5fd096", "#ff9d5c", "#c9a0ff", "#55d0dc", "#ff94c6"),
)


def theme_of(palette: QPalette) -> Theme:
    """The theme that fits a palette: dark where its window colour is."""
    return DARK if palette.color(QPalette.ColorRole.Window).lightness() < 128 else LIGHT


def class_colors(count: int) -> NDArray[np.uint8]:
    """RGB of each class, uint8, shape ``(count, 3)``; beyond ten classes the colours come again, darker or lighter."""
    base = np.array([(c.red(), c.green(), c.blue()) for c in map(QColor, CLASS_COLORS)], np.float64)
    rounds = -(-count // len(base))
    colors = [base]
    for number in range(1, rounds):
        share = -(-number // 2) / (rounds // 2)  # in turns darker and lighter, ever more
        towards, most = (0.0, 0.5) if number % 2 else (255.0, 0.4)
        colors.append(base + most * share * (towards - base))
    return np.rint(np.concatenate(colors)[:count]).astype(np.uint8)


def build_palette(theme: Theme) -> QPalette:
    """The application palette of a theme."""
    palette = QPalette()
    role = QPalette.ColorRole
    colors = {
        role.Window: theme.window,
        role.WindowText: theme.ink,
        role.Base: theme.base,
        role.AlternateBase: theme.window,
        role.Text: theme.ink,
        role.Button: theme.window,
        role.ButtonText: theme.ink,
        role.BrightText: theme.warning,
        role.ToolTipBase: theme.base,
        role.ToolTipText: theme.ink,
        role.PlaceholderText: theme.muted,
        role.Highlight: theme.accent,
        role.HighlightedText: theme.accent_ink,
        role.Link: theme.accent,
        role.Light: theme.base,
        role.Midlight: theme.grid,
        role.Mid: theme.border,
        role.Dark: theme.border,
        role.Shadow: "#000000",
        role.Accent: theme.accent,
    }
    for name, color in colors.items():
        palette.setColor(name, QColor(color))
    faint = QColor(theme.muted)
    faint.setAlphaF(0.55)
    for name in (role.WindowText, role.Text, role.ButtonText):
        palette.setColor(QPalette.ColorGroup.Disabled, name, faint)
    palette.setColor(QPalette.ColorGroup.Disabled, role.Highlight, QColor(theme.border))
    return palette
