"""Pixel protocols: how stored grey levels become the x that a model sees."""

from __future__ import annotations

import torch
from torch import Tensor


def pixels(images: Tensor, protocol: str, generator: torch.Generator | None = None) -> Tensor:
    """float32 pixels in 0 … 1, of the images' shape.

    Args:
        images: uint8 grey levels, any shape.
        protocol: ``grey`` divides by 255, ``threshold`` is 1 above one half, and ``dynamic`` draws 1 with
            probability grey/255.
        generator: Draws for ``dynamic``; without it ``dynamic`` thresholds, which uses up no random numbers.
    """
    if protocol == "grey":
        return images.to(torch.float32).mul_(1 / 255)
    if protocol == "dynamic" and generator is not None:
        draws = torch.rand(images.shape, generator=generator, device=images.device)
        return (draws * 255.0 < images).to(torch.float32)
    return (images > 127).to(torch.float32)
