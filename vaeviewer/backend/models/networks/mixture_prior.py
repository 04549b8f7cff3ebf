"""A VAE's networks under a prior that is a mixture of Gaussians and is learned with them."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor, nn
from torch.distributions import Categorical, Distribution, Independent, MixtureSameFamily, Normal

from vaeviewer.backend.models.fields import ImageNetworks
from vaeviewer.backend.models.interface import ImageSpec
from vaeviewer.backend.models.latent_model import Autoencoder, diagonal_gaussian
from vaeviewer.backend.models.likelihoods import Likelihood

MARGIN = 0.02
"""Pixels of images that become pseudo-inputs keep this far from black and white, where no gradient would move them."""

FIRST_LOG_VARIANCE = -1.0
"""Of the components of a free mixture; their means begin as draws from N(0, I)."""


class MixturePriorAutoencoder(Autoencoder):
    """p(z) = (1/K) Σ N(z | μ_k, σ_k²), with components of one of two kinds.

    Args:
        config: Which networks, and the latent dimension.
        image: Size of the images.
        likelihood: What the generative network's outputs mean.
        kind: ``vampprior``: the posteriors q(z|u_k) of learned pseudo-inputs u_k; ``mixture``: free means and
            variances.
        components: K.
    """

    def __init__(
        self,
        config: ImageNetworks,
        image: ImageSpec,
        likelihood: Likelihood,
        kind: Literal["vampprior", "mixture"],
        components: int,
    ) -> None:
        super().__init__(config, image, likelihood, gaussian=True)
        size = (image.channels, image.height, image.width) if kind == "vampprior" else (2 * self.latent_dim,)
        self._kind = kind
        # Logits of the pseudo-inputs' pixels, or μ and log σ² of the components.
        self.components = nn.Parameter(torch.zeros(components, *size))

    def prior(self) -> Distribution:
        """p(z), over ``(latent_dim,)``."""
        parts = self.encode(self.pseudo_inputs()) if self._kind == "vampprior" else None
        if parts is None:
            parts = diagonal_gaussian(self.components)
        assert isinstance(parts, Normal)
        weights = Categorical(logits=torch.zeros_like(parts.loc[:, 0]), validate_args=False)
        return MixtureSameFamily(weights, Independent(parts, 1, validate_args=False), validate_args=False)

    def pseudo_inputs(self) -> Tensor:
        """u_k, pixels in 0 … 1, ``(K, C, H, W)``."""
        return torch.sigmoid(self.components)

    @torch.no_grad()
    def start_from(self, images: Tensor) -> None:
        """Let these images, ``(K, C, H, W)``, be the pseudo-inputs."""
        self.components.copy_(torch.logit(images, eps=MARGIN))

    @torch.no_grad()
    def initialize(self, generator: torch.Generator) -> None:
        """Draw new weights, and components that differ."""
        super().initialize(generator)
        self.components.normal_(generator=generator)
        if self._kind == "mixture":
            self.components[:, self.latent_dim :] = FIRST_LOG_VARIANCE
