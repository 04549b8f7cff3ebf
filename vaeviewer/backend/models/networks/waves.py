"""Sines and cosines of z, so that a network of few inputs can change quickly across the plane."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class Waves(nn.Module):
    """Maps z to (z, sin Bz, cos Bz), with B drawn once from N(0, scale²).

    Tancik et al., "Fourier Features Let Networks Learn High Frequency Functions in Low Dimensional Domains" (2020),
    equation 5, with z itself beside them. ``numpy_mlp.WavesForm`` computes the same.

    Args:
        inputs: Numbers in z.
        waves: Rows of B; with none z stays as it is.
        scale: Deviation of the frequencies, in radians per unit of z.
    """

    def __init__(self, inputs: int, waves: int, scale: float) -> None:
        super().__init__()
        self._scale = scale
        self.outputs = inputs + 2 * waves
        self.frequencies: Tensor
        self.register_buffer("frequencies", torch.zeros(waves, inputs))

    def forward(self, z: Tensor) -> Tensor:
        """``(..., outputs)`` of ``(..., inputs)``, in float32 even under autocast."""
        if not len(self.frequencies):
            return z
        with torch.autocast(z.device.type, enabled=False):
            angles = z @ self.frequencies.T
        return torch.cat([z, angles.sin(), angles.cos()], -1)

    @torch.no_grad()
    def initialize(self, generator: torch.Generator) -> None:
        """Draw B."""
        self.frequencies.normal_(generator=generator).mul_(self._scale)
