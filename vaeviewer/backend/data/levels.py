"""How stored numbers become grey levels 0 … 255: by the range of their type, or stretched to what is there."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

_SLACK = 1e-3
"""How far rounding may push a value out of the range it belongs to, as a share of the range."""


@dataclass(frozen=True)
class Scale:
    """A linear scale: ``black`` becomes level 0, ``white`` 255.

    Attributes:
        black: Value of level 0.
        white: Value of level 255, more than ``black``.
        note: A clause on what was recognised, or empty where there was nothing to say.
    """

    black: float
    white: float
    note: str = ""

    def levels(self, values: NDArray[Any]) -> NDArray[np.uint8]:
        """Grey levels, rounded and clipped, of ``values``' shape."""
        if values.dtype == np.uint8 and (self.black, self.white) == (0, 255):
            return values.view(np.uint8)
        if values.dtype == np.bool_:
            values = values.view(np.uint8)
        scaled: NDArray[Any] = values.astype(np.float64 if values.dtype.itemsize > 4 else np.float32)
        scaled -= self.black
        scaled *= 255.0 / (self.white - self.black)
        return np.clip(np.rint(scaled, out=scaled), 0, 255, out=scaled).astype(np.uint8)


WHOLE = Scale(0, 255)


def scale_of(dtype: np.dtype[Any], low: float, high: float, levels: str) -> Scale | None:
    """The scale for numbers of a type between ``low`` and ``high``, which are finite.

    Args:
        dtype: Their type: bool, an integer or a float.
        low: The least of them.
        high: The greatest.
        levels: ``type`` takes the range that the type stands for; ``data`` stretches from ``low`` to ``high``.

    Returns:
        ``None`` where nothing says which values are black and white.
    """
    if levels == "data":
        if high <= low:
            return Scale(low, low + 1, f"all values are {low:g}")
        return Scale(low, high, f"values from {low:g} to {high:g} are stretched from black to white")
    if dtype.kind == "b":
        return Scale(0, 1)
    if dtype.kind == "f":
        return _float_scale(low, high)
    if dtype == np.uint8:
        return WHOLE
    if dtype == np.uint16:
        dark = ", which leaves these dark; stretching them helps" if high < 2**12 else ""
        return Scale(
            0, 65535, f"16-bit values up to {high:,.0f} are scaled by their type's range 0 to 65,535{dark}"
        )
    # Other integers are what a program happened to compute in, not a range that was meant.
    if low >= 0 and high <= 255:
        return Scale(0, 255, f"{dtype.name} values are taken as grey levels 0 to 255")
    if low >= 0 and high <= 65535:
        return Scale(0, 65535, f"{dtype.name} values are taken as 16-bit levels 0 to 65,535")
    return None


def _float_scale(low: float, high: float) -> Scale | None:
    for black, white in ((0, 1), (-1, 1), (0, 255)):
        slack = _SLACK * (white - black)
        if low >= black - slack and high <= white + slack:
            said = f"{black} to {white}".replace("-", "−")
            return Scale(black, white, f"floats from {low:.3g} to {high:.3g} are taken as {said}")
    return None
