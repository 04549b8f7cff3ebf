"""p(x|z): what the generative network's outputs mean. Log-densities are in nats."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.distributions import Bernoulli, Distribution, Independent, Normal, kl_divergence
from torch.nn import functional

from vaeviewer.backend.models.fields import PixelLikelihood

MIN_GAUSSIAN_LOG_VARIANCE = -9.0
"""A learned pixel deviation stays above exp(-4.5) ≈ 0.011, near a grey level's width of 1/255."""

HALF_LEVEL = 0.5 / 255
"""Half the distance between two grey levels, of pixels in 0 … 1."""

FIRST_LOGISTIC_SCALE = 0.1
"""Where learning the discretised logistic's scale starts."""

MIN_LOG_SCALE = -9.0
"""It stays above a thirtieth of a grey level."""


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


class LinearPixels(Likelihood):
    """Gaussian with the output itself as mean and variance 1: −log p(x|z) is half the squared error and a constant.

    Its mean may lie beyond 0 … 1, as that of principal components does.
    """

    def forward(self, outputs: Tensor) -> Distribution:
        """p(x|z) of each pixel."""
        return Normal(outputs, 1.0, validate_args=False)


class DiscretisedLogistic(Distribution):
    """Probabilities of the levels that a pixel's value may have, k/255 for k = 0 … 255.

    Level k has what a logistic distribution has within half a level of it; black and white have all that lies beyond,
    too. Salimans et al., "PixelCNN++" (2017), equation 2, with a mixture of one.

    Args:
        loc: Locations in 0 … 1, any shape.
        scale: The logistic's scale, of a shape that goes with it.
    """

    arg_constraints = {}  # noqa: RUF012  # torch's own convention

    def __init__(self, loc: Tensor, scale: Tensor) -> None:
        self.loc, self.scale = loc, scale
        super().__init__(loc.shape, validate_args=False)

    @property
    def mean(self) -> Tensor:
        """The location: the picture. The levels' mean, but for what is cut off beyond black and white."""
        return self.loc

    def log_prob(self, value: Tensor) -> Tensor:
        """Logarithms of the probabilities of levels, in nats."""
        above = (value - self.loc + HALF_LEVEL) / self.scale
        below = (value - self.loc - HALF_LEVEL) / self.scale
        # s(b) − s(a) = s(b) · s(−a) · (1 − exp(a − b)) for the logistic function s: no difference of rounded numbers.
        width = torch.log(-torch.expm1(-2.0 * HALF_LEVEL / self.scale))
        up_to, from_on = functional.logsigmoid(above), functional.logsigmoid(-below)
        inner = up_to + from_on + width
        edges = torch.where(value > 1.0 - HALF_LEVEL, from_on, inner)
        return torch.where(value < HALF_LEVEL, up_to, edges)


class LogisticPixels(Likelihood):
    """A discretised logistic with location sigmoid(output) and one learned scale for all pixels."""

    def __init__(self) -> None:
        super().__init__()
        self.log_scale = nn.Parameter(torch.tensor([math.log(FIRST_LOGISTIC_SCALE)]))

    def forward(self, outputs: Tensor) -> Distribution:
        """p(x|z) of each pixel."""
        scale = self.log_scale.clamp(min=MIN_LOG_SCALE).exp()
        return DiscretisedLogistic(torch.sigmoid(outputs), scale)


def build_likelihood(config: PixelLikelihood) -> Likelihood:
    """The likelihood that the settings name."""
    match config.likelihood:
        case "bernoulli":
            return BernoulliPixels()
        case "gaussian":
            return GaussianPixels(config.gaussian_scale, config.gaussian_variance == "learned")
        case "logistic":
            return LogisticPixels()


def divergence(p: Distribution, q: Distribution) -> Tensor:
    """KL(p ‖ q) between two p(x|z) of one likelihood, in nats, ``(...)`` for decoded images ``(..., C, H, W)``.

    Raises:
        NotImplementedError: It has no closed form.
    """
    first, second = (d.base_dist if isinstance(d, Independent) else d for d in (p, q))
    if isinstance(first, Bernoulli) and isinstance(second, Bernoulli):
        # By logits: by probabilities torch says infinity where one of them rounds to 1.
        a, b = first.logits, second.logits
        each = torch.sigmoid(a) * (a - b) - functional.softplus(a) + functional.softplus(b)
        return each.flatten(-3).sum(-1)
    return kl_divergence(p, q)
