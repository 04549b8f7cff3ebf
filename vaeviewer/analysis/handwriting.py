"""From strokes to an image like those of MNIST: as large, at the same place, as thick.

LeCun, Bottou, Bengio & Haffner, "Gradient-Based Learning Applied to Document Recognition" (1998), section III.A: a
digit is scaled to fit a box of 20×20 pixels, keeping its shape, and its centre of mass goes to the middle of 28×28.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

BOX = 20 / 28
"""Side of the box that strokes are scaled to, of the image's shorter side."""

LEAST_INK = 8
"""A pixel belongs to the strokes where it is darker than this, of 255."""


def like_mnist(strokes: NDArray[np.uint8], height: int, width: int) -> NDArray[np.uint8]:
    """Strokes, scaled into the box and moved so that their centre of mass is in the middle.

    Args:
        strokes: Ink, 0 none … 255, of any size, ``(h, w)``.
        height: Of the image, pixels.
        width: Likewise.

    Returns:
        Ink, uint8 ``(height, width)``; without strokes none.
    """
    from PIL import Image

    image = np.zeros((height, width), np.uint8)
    inked = strokes > LEAST_INK
    if not inked.any():
        return image
    rows, columns = np.flatnonzero(inked.any(1)), np.flatnonzero(inked.any(0))
    cut = strokes[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    factor = max(1.0, round(BOX * min(height, width))) / max(cut.shape)
    size = (max(1, round(cut.shape[1] * factor)), max(1, round(cut.shape[0] * factor)))
    # Pillow's filters average over what becomes one pixel.
    scaled = np.asarray(Image.fromarray(cut).resize(size, Image.Resampling.BILINEAR))
    mass = scaled.sum(dtype=np.float64)
    if mass == 0.0:
        return image
    centre = [
        float((scaled.sum(1 - axis) * (np.arange(scaled.shape[axis]) + 0.5)).sum() / mass) for axis in (0, 1)
    ]
    # In MNIST itself the middle is that of the pixel below and to the right of the image's centre.
    top, left = (round(side / 2 + 0.5 - middle) for side, middle in zip((height, width), centre, strict=True))
    # What would lie outside, as of a stroke that is heavy at one end, stays inside.
    top = min(max(top, 0), height - scaled.shape[0])
    left = min(max(left, 0), width - scaled.shape[1])
    image[top : top + scaled.shape[0], left : left + scaled.shape[1]] = scaled
    return image


def ink_is_dark(images: NDArray[np.uint8]) -> bool:
    """Whether images ``(n, H, W)`` or ``(n, H, W, 3)`` are dark on a light ground, as their edges tell."""
    some = images[:200]
    edges = np.concatenate(
        [some[:, 0].ravel(), some[:, -1].ravel(), some[:, :, 0].ravel(), some[:, :, -1].ravel()]
    )
    return bool(np.median(edges) > 127)
