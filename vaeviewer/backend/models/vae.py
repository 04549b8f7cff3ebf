"""The variational autoencoder of Kingma & Welling, "Auto-Encoding Variational Bayes" (2013)."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn

from vaeviewer.backend.config import ModelConfig
from vaeviewer.backend.models.elbo import gaussian_kl, reparameterize
from vaeviewer.backend.models.likelihoods import build_likelihood
from vaeviewer.backend.models.networks.mlp import MLP
from vaeviewer.backend.models.networks.numpy_mlp import MAX_LOG_VARIANCE


class Terms(NamedTuple):
    """The ELBO's terms of each image, ``elbo = reconstruction - kl``, and the posterior they came from.

    ``reconstruction``, an estimate of E_q[log p(x|z)], and ``kl`` are ``(n,)``, nats; ``loc`` and ``log_variance``
    are ``(n, latent_dim)``.
    """

    reconstruction: Tensor
    kl: Tensor
    loc: Tensor
    log_variance: Tensor


class VAE(nn.Module):
    """Inference network q(z|x), standard normal prior p(z), generative network p(x|z).

    Args:
        model: Shapes and likelihood.
        pixels: Number of pixels of an image.
    """

    def __init__(self, model: ModelConfig, pixels: int) -> None:
        super().__init__()
        self.encoder = MLP((pixels, *model.hidden, 2 * model.latent_dim), model.activation)
        self.decoder = MLP((model.latent_dim, *reversed(model.hidden), pixels), model.activation)
        self.likelihood = build_likelihood(model)

    def initialize(self, generator: torch.Generator) -> None:
        """New weights drawn from ``generator``."""
        self.encoder.initialize(generator)
        self.decoder.initialize(generator)

    def posterior(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """``loc`` and ``log_variance`` of q(z|x), each ``(n, latent_dim)``, for ``x`` of ``(n, pixels)``."""
        loc, log_variance = self.encoder(x).chunk(2, dim=-1)
        return loc, log_variance.clamp(-MAX_LOG_VARIANCE, MAX_LOG_VARIANCE)

    def terms(self, x: Tensor, noise: Tensor) -> Terms:
        """The ELBO's terms, the KL in closed form and the reconstruction as a mean over samples (equation 10).

        Args:
            x: ``(n, pixels)``, values in 0 … 1.
            noise: Standard normal, ``(samples, n, latent_dim)``.
        """
        loc, log_variance = self.posterior(x)
        outputs = self.decoder(reparameterize(loc, log_variance, noise))  # (samples, n, pixels)
        reconstruction = self.likelihood.log_prob(outputs, x).mean(0)
        return Terms(reconstruction, gaussian_kl(loc, log_variance), loc, log_variance)
