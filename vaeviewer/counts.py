"""Numbers in sentences."""

from __future__ import annotations

_SUPERSCRIPTS = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


def counted(count: int, one: str, many: str = "") -> str:
    """A count with its noun, such as ``"1 image"`` and ``"1,234 images"``.

    Args:
        count: How many.
        one: The noun, and what goes with it, of a single thing.
        many: The same of none or several; without it ``one`` with an s.
    """
    return f"{count:,} {one if count == 1 else many or one + 's'}"


def number(value: float, decimals: int = 1) -> str:
    """A figure with so many decimals, or a large one by its power of ten; with a minus sign as long as a plus."""
    if abs(value) < 1e6:
        return f"{value:,.{decimals}f}".replace("-", "−")
    return power_of_ten(f"{value:.1e}")


def power_of_ten(scientific: str) -> str:
    """``"-8.1e+18"`` as it is written by hand: ``"−8.1 × 10¹⁸"``."""
    mantissa, exponent = scientific.split("e")
    return f"{mantissa} × 10{str(int(exponent)).translate(_SUPERSCRIPTS)}".replace("-", "−")
