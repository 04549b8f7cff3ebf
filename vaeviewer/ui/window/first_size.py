"""How large a window opens before anybody has chosen a size."""

from __future__ import annotations

from PySide6.QtCore import QSize

FRAME = QSize(16, 48)
"""Room for a window's frame and title, which a system adds to the window's own size."""


def first_size(wanted: QSize, least: QSize, available: QSize) -> QSize:
    """How large a window opens for the first time: as it likes, but no larger than the screen lets it and its frame be.

    Args:
        wanted: The size it likes.
        least: The smallest size it can have.
        available: The part of the screen that windows may take.
    """
    return wanted.boundedTo(available - FRAME).expandedTo(least)
