"""Pixel protocols: how stored grey levels become the x that a model sees."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from vaeviewer.backend.models.interface import ImageSpec


class _Shared:
    """Shows an array's memory as if it could be written to, which torch asks of all it shares."""

    def __init__(self, array: NDArray[Any]) -> None:
        self._array = array  # its memory lives as long as what shows it
        address, _ = array.__array_interface__["data"]
        self.__array_interface__ = {**array.__array_interface__, "data": (address, False)}


def as_tensor(array: NDArray[Any]) -> Tensor:
    """An array as a tensor of the same memory, which nobody may write to; of a copy where it has gaps."""
    return torch.from_numpy(np.asarray(_Shared(array if array.flags.c_contiguous else array.copy())))


def channels_first(levels: Tensor, image: ImageSpec) -> Tensor:
    """Images that lie pixel after pixel, ``(n, …)``, as torch has them, ``(n, C, H, W)``: a view of the same memory."""
    return levels.reshape(len(levels), image.height, image.width, image.channels).permute(0, 3, 1, 2)


def seen_levels(images: Tensor, protocol: str, generator: torch.Generator | None = None) -> Tensor:
    """Grey levels that a model sees, uint8 of the images' shape.

    Args:
        images: uint8 grey levels, any shape.
        protocol: ``grey`` keeps them, ``threshold`` makes those above one half white and all others black, and
            ``dynamic`` makes each white with probability grey/255.
        generator: Draws for ``dynamic``; without it ``dynamic`` thresholds, which uses up no random numbers.
    """
    if protocol == "grey":
        return images
    if protocol == "dynamic" and generator is not None:
        draws = torch.rand(images.shape, generator=generator, device=images.device)
        white = draws * 255.0 < images
    else:
        white = images > 127
    return white.to(torch.uint8).mul_(255)


def to_unit(levels: Tensor) -> Tensor:
    """Grey levels 0 … 255 as float32 pixels 0 … 1."""
    return levels.to(torch.float32).mul_(1 / 255)


def pixels(images: Tensor, protocol: str, generator: torch.Generator | None = None) -> Tensor:
    """float32 pixels in 0 … 1, of the images' shape; arguments as for :func:`seen_levels`."""
    return to_unit(seen_levels(images, protocol, generator))
