"""What training reads and leaves row by row: a row per training image."""

from __future__ import annotations

import torch
from torch import Tensor


class TrainingRows:
    """The training images on a device, and the posteriors that steps leave while they pass.

    Args:
        images: uint8 grey levels, ``(n, pixels)``, on the device.
        latent_dim: Of the posteriors.

    Attributes:
        images: As given.
        loc: Posterior means, ``(n, latent_dim)``.
        log_variance: Logarithms of the posterior variances, likewise.
        steps: How many steps had been taken when each row was written, ``(n,)``, int32.
    """

    def __init__(self, images: Tensor, latent_dim: int) -> None:
        self.images = images
        self.loc = torch.zeros(len(images), latent_dim, device=images.device)
        self.log_variance = torch.zeros_like(self.loc)
        self.steps = torch.zeros(len(images), dtype=torch.int32, device=images.device)

    def __len__(self) -> int:
        return len(self.images)
