"""What is dropped onto a plot is meant for the window."""

from __future__ import annotations

from PySide6.QtWidgets import QGraphicsView


def refuse_drops(view: QGraphicsView) -> None:
    """Let drags pass through to the window around: a plot would take them and do nothing with them."""
    view.setAcceptDrops(False)
    view.viewport().setAcceptDrops(False)
