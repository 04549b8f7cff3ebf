"""p(x|z): what the generative network's outputs mean. Log-densities are sums over pixels, in nats."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

from vaeviewer.backend.config import ModelConfig

MIN_GAUSSIAN_LOG_VARIANCE = -9.0
"""A learned pixel deviation stays above exp(-4.5) ≈ 0.011, near a grey level's width of 1/255."""


class Bernoulli(nn.Module):
    """Independent Bernoulli pixels with probability sigmoid(logit); Kingma & Welling 2013, appendix C.1."""

    def log_prob(self, logits: Tensor, x: Tensor) -> Tensor:
        """Log p(x|z) of each image, nats.

        With grey levels in (0, 1) for ``x`` this is the cross-entropy x·log p + (1−x)·log(1−p): the grey level
        is taken as the probability of the pixel being on.

        Args:
            logits: ``(..., pixels)``.
            x: ``(..., pixels)``, values in 0 … 1.

        Returns:
            ``(...)``.
        """
        return -functional.binary_cross_entropy_with_logits(
            logits, x.expand_as(logits), reduction="none"
        ).sum(-1)

    def mean(self, logits: Tensor) -> Tensor:
        """E[x|z], same shape."""
        return torch.sigmoid(logits)


class Gaussian(nn.Module):
    """Independent Gaussian pixels with mean sigmoid(output) and one variance σ² for all of them.

    A fixed σ is Kingma & Welling's appendix C.2 with a constant; learning the one shared σ is the "optimal
    sigma" model of Rybkin, Daniilidis & Levine, "Simple and Effective VAE Training with Calibrated Decoders"
    (2021), by gradient. The density may exceed 1, so the reconstruction term may be positive.

    Args:
        scale: σ, or where learning starts.
        learned: Whether σ is a parameter.
    """

    def __init__(self, scale: float, learned: bool) -> None:
        super().__init__()
        start = torch.tensor([2.0 * math.log(scale)])
        if learned:
            self.log_variance = nn.Parameter(start)
        else:
            self.register_buffer("log_variance", start, persistent=False)

    def log_prob(self, outputs: Tensor, x: Tensor) -> Tensor:
        """Log p(x|z) of each image, nats; shapes as for :meth:`Bernoulli.log_prob`."""
        log_variance = self.log_variance.clamp(min=MIN_GAUSSIAN_LOG_VARIANCE)
        squares = (x - torch.sigmoid(outputs)).square()
        return -0.5 * (squares * torch.exp(-log_variance) + log_variance + math.log(2 * math.pi)).sum(-1)

    def mean(self, outputs: Tensor) -> Tensor:
        """E[x|z], same shape."""
        return torch.sigmoid(outputs)


def build_likelihood(model: ModelConfig) -> Bernoulli | Gaussian:
    """The likelihood that the settings name."""
    if model.likelihood == "bernoulli":
        return Bernoulli()
    return Gaussian(model.gaussian_scale, model.gaussian_variance == "learned")
