"""The parts of the evidence lower bound. All in nats per image, summed over pixels or latent dimensions."""

from __future__ import annotations

import torch
from torch import Tensor


def gaussian_kl(loc: Tensor, log_variance: Tensor) -> Tensor:
    """KL(q(z|x) || p(z)) of a diagonal Gaussian from the standard normal prior.

    −½ Σ (1 + log σ² − μ² − σ²), Kingma & Welling 2013, appendix B.

    Args:
        loc: μ, ``(..., latent_dim)``.
        log_variance: log σ², ``(..., latent_dim)``.

    Returns:
        ``(...)``, at least 0.
    """
    return 0.5 * (loc.square() + log_variance.exp() - log_variance - 1.0).sum(-1)


def reparameterize(loc: Tensor, log_variance: Tensor, noise: Tensor) -> Tensor:
    """Z = μ + σ·ε, a sample of q(z|x) that gradients pass through; Kingma & Welling 2013, section 2.4.

    Args:
        loc: μ, ``(n, latent_dim)``.
        log_variance: log σ², ``(n, latent_dim)``.
        noise: ε ~ N(0, 1), ``(samples, n, latent_dim)``.

    Returns:
        ``(samples, n, latent_dim)``.
    """
    return loc + torch.exp(0.5 * log_variance) * noise
