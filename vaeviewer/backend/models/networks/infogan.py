"""The networks of InfoGAN: those of a GAN that see a category, and what the discriminator can say of the codes."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import torch
from torch import Tensor
from torch.nn import functional

from vaeviewer.backend.models.interface import ImageSpec
from vaeviewer.backend.models.networks.gan import GanNetworks

if TYPE_CHECKING:
    from vaeviewer.backend.models.families.infogan import InfoGanConfig

LEAST_LOG_VARIANCE = -2.5
"""Bound on log σ² of a code that is told from an image. Rewarded for more than 0.3, codes hide in patterns of pixels
that nobody sees, as an image has room for many numbers."""


class InfoGanNetworks(GanNetworks):
    """A GAN of which the discriminator's last layer also says Q(y|x), a category, and Q(z|x), Gaussian codes.

    Args:
        config: Which networks, and how many categories and codes.
        image: Size of the images.
    """

    def __init__(self, config: InfoGanConfig, image: ImageSpec) -> None:
        codes = min(config.codes, config.latent_dim)
        super().__init__(config, image, categories=config.categories, outputs=config.categories + 2 * codes)
        self.codes = codes

    def guesses(self, seen: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """What the discriminator's outputs ``(n, 1 + K + 2c)`` say beside its logit.

        Returns:
            Logits of the categories, ``(n, K)``; means and logarithms of the variances of the codes, ``(n, c)``.
        """
        logits, loc, log_variance = torch.split(seen[:, 1:], [self.categories, self.codes, self.codes], dim=1)
        return logits, loc, log_variance.clamp(LEAST_LOG_VARIANCE, -LEAST_LOG_VARIANCE)

    def information(self, seen: Tensor, z: Tensor, y: Tensor) -> dict[str, Tensor]:
        """Each image's term of the bound on the mutual information with its codes, ``(n,)``, in nats.

        Chen et al. 2016, equation 5: log Q(c|x) + H(c), for y uniform over K categories and z ~ N(0, I).

        Args:
            seen: What the discriminator says of the images drawn from them.
            z: Of which the first numbers are the codes, ``(n, latent_dim)``.
            y: Categories, ``(n,)``.
        """
        logits, loc, log_variance = self.guesses(seen)
        category = math.log(self.categories) - functional.cross_entropy(logits, y, reduction="none")
        # log N(z; μ, σ²) + H(N(0, 1)), of which log 2π / 2 falls out.
        distance = (z[:, : self.codes] - loc).square() / log_variance.exp()
        code = 0.5 * (1.0 - log_variance - distance).sum(1)
        return {"category_information": category, "code_information": code}
