"""Counts in sentences."""

from __future__ import annotations


def counted(count: int, one: str, many: str = "") -> str:
    """A count with its noun, such as ``"1 image"`` and ``"1,234 images"``.

    Args:
        count: How many.
        one: The noun, and what goes with it, of a single thing.
        many: The same of none or several; without it ``one`` with an s.
    """
    return f"{count:,} {one if count == 1 else many or one + 's'}"
