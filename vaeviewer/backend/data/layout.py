"""In which order the dimensions of an array of images stand."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vaeviewer.errors import DataError

_CHANNELS = (1, 3, 4)


@dataclass(frozen=True)
class Layout:
    """How the dimensions of an array stand.

    Attributes:
        shape: ``(height, width, channels)`` of an image; 1, 3 or 4 channels.
        channels_first: Whether the channels stand before the rows.
        notes: What was decided.
    """

    shape: tuple[int, int, int]
    channels_first: bool
    notes: tuple[str, ...]

    def of_block(self, block: NDArray[Any]) -> NDArray[Any]:
        """Images out of the array, seen as ``(k, height, width, channels)``."""
        if block.ndim == 3:
            return block[..., None]
        return np.moveaxis(block, 1, 3) if self.channels_first else block


def layout_of(shape: tuple[int, ...], title: str) -> Layout:
    """The layout of an array of this shape.

    Args:
        shape: N×H×W, N×H×W×C or N×C×H×W.
        title: How a sentence calls the array.

    Raises:
        DataError: It is none of these.
    """
    said = "×".join(map(str, shape)) or "of a single value"
    if len(shape) == 3:
        return Layout((shape[1], shape[2], 1), False, ())
    if len(shape) != 4:
        raise DataError(
            f"{title} has the shape {said}, which is none of images; give N×H×W, N×H×W×C or N×C×H×W."
        )
    _, second, third, last = shape
    if last in _CHANNELS:
        both = second in _CHANNELS
        rule = (
            "; where both readings are possible, the last dimension is taken as the channels" if both else ""
        )
        return Layout((second, third, last), False, (f"{said} is read as N×H×W×C{rule}.",))
    if second in _CHANNELS:
        return Layout((third, last, second), True, (f"{said} is read as N×C×H×W.",))
    raise DataError(
        f"{title} has the shape {said}, where neither the second nor the last dimension is 1, 3 or 4 channels; "
        "give N×H×W×C."
    )
