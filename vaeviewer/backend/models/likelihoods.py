"""p(x|z): what the generative network's outputs mean. Log-densities are in nats."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.distributions import Bernoulli, Distribution, Normal

from vaeviewer.backend.models.fields import PixelLikelihood

MIN_GAUSSIAN_LOG_VARIANCE = -9.0
"""A learned pixel deviation stays above exp(-4.5) ≈ 0.011, near a grey level's width of 1/255."""


class Likelihood(nn.Module):
    """Turns outputs of any shape into a distribution over pixels of that shape."""

    def forward(self, outputs: Tensor) -> Distribution:
        """p(x|z) of each pixel."""
        raise NotImplementedError


class BernoulliPixels(Likelihood):
    """Bernoulli with probability sigmoid(output); Kingma & Welling 2013, appendix C.1.

    Of grey levels in (0, 1) its log-density is the cross-entropy x·log p + (1−x)·log(1−p): the grey level is taken as
    the probability of the pixel being on.
    """

    def forward(self, outputs: Tensor) -> Distribution:
        """p(x|z) of each pixel."""
        return Bernoulli(logits=outputs, validate_args=False)


class GaussianPixels(Likelihood):
    """Gaussian with mean sigmoid(output) and one variance σ² for all pixels.

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

    def forward(self, outputs: Tensor) -> Distribution:
        """p(x|z) of each pixel."""
        log_variance = self.log_variance.clamp(min=MIN_GAUSSIAN_LOG_VARIANCE)
        mean = torch.sigmoid(outputs)
        return Normal(mean, torch.exp(0.5 * log_variance).expand_as(mean), validate_args=False)


def build_likelihood(config: PixelLikelihood) -> Likelihood:
    """The likelihood that the settings name."""
    if config.likelihood == "bernoulli":
        return BernoulliPixels()
    return GaussianPixels(config.gaussian_scale, config.gaussian_variance == "learned")
