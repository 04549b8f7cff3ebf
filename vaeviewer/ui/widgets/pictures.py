"""Arrays of pixels as Qt's pictures."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PySide6.QtGui import QImage


def to_qimage(pixels: NDArray[np.uint8]) -> QImage:
    """A QImage with a copy of ``pixels``: grey levels ``(height, width)`` or RGB ``(height, width, 3)``.

    Raises:
        ValueError: The array is neither.
    """
    pixels = np.ascontiguousarray(pixels)
    grey = pixels.ndim == 2
    if pixels.dtype != np.uint8 or pixels.size == 0 or not (grey or pixels.shape[2:] == (3,)):
        raise ValueError(f"not a grey or RGB image: {pixels.dtype} of shape {pixels.shape}.")
    height, width = pixels.shape[:2]
    layout = QImage.Format.Format_Grayscale8 if grey else QImage.Format.Format_RGB888
    # The constructor only borrows the array's memory.
    return QImage(pixels.data, width, height, pixels.strides[0], layout).copy()
