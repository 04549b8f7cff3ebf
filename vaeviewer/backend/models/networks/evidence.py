"""log p(x) of many images over codes that all of them share, and its gradient as EM takes it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache

import torch
from torch import Tensor
from torch.distributions import Bernoulli, Distribution, Independent, Normal
from torch.nn import functional

from vaeviewer.backend.models.likelihood_table import LEAST_EXPONENT

GOLDEN = (math.sqrt(5.0) - 1.0) / 2.0

EDGE = 1e-7
"""Quantiles of N(0, 1) are taken no nearer to 0 and 1 than this, so within 5.2 deviations."""


def spread_codes(count: int, shift: Tensor) -> Tensor:
    """Codes ``(count, latent_dim)`` of one or two numbers that follow N(0, I) more evenly than independent draws.

    The quantiles at a lattice in the unit square, shifted. With a shift drawn uniformly each code follows N(0, I), so
    that a mean over all of them is unbiased (Cranley & Patterson 1976, "Randomization of number theoretic methods for
    multiple integration").

    Args:
        count: How many.
        shift: Of the lattice, in 0 … 1, ``(latent_dim,)``.
    """
    share = (
        (_lattice(count, len(shift), shift.device).to(shift) + shift).remainder(1.0).clamp(EDGE, 1.0 - EDGE)
    )
    return math.sqrt(2.0) * torch.erfinv(2.0 * share - 1.0)


@lru_cache(8)
def _lattice(count: int, latent_dim: int, device: torch.device) -> Tensor:
    """Points of the unit square, or of the unit interval, float64, or float32 on a device that has no float64.

    Kept where they are used: to bring them to a GPU waits for it, at which no step can be captured.
    """
    number = torch.arange(count, dtype=torch.float64)
    columns = (number / count, number * GOLDEN)[:latent_dim]
    lattice = torch.stack(columns, 1).remainder(1.0)
    return lattice.to(device, torch.float32 if device.type == "mps" else torch.float64)


@dataclass(frozen=True)
class Mixture:
    """p(x) as the mean of p(x|z) over ``m`` codes, exponential families all: log p(x|z) = η·x − A + s‖x‖² + c.

    Attributes:
        natural: η, ``(m, values)``.
        log_normalizer: A, ``(m,)``.
        square: s, 0-d.
        constant: c, 0-d.
    """

    natural: Tensor
    log_normalizer: Tensor
    square: Tensor
    constant: Tensor

    @torch.no_grad()
    def infer(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """The E step, for images ``(n, C, H, W)``.

        Returns:
            log p(x) in nats, ``(n,)``, and p(z|x) at the codes, ``(n, m)``, which sums to 1 over them.
        """
        flat = x.flatten(1)
        with torch.autocast(x.device.type, enabled=False):  # large numbers, of which the differences count
            logs = flat @ self.natural.T - self.log_normalizer
        most = logs.amax(1, keepdim=True)
        weights = logs.sub_(most).clamp_(min=LEAST_EXPONENT).exp_()
        total = weights.sum(1, keepdim=True)
        log_px = (most + total.log()).squeeze(1) - math.log(weights.shape[1])
        return log_px + self.square * flat.square().sum(1) + self.constant, weights.div_(total)

    def expected(self, x: Tensor, weights: Tensor) -> Tensor:
        """What the M step raises: Σ weights · log p(x|z) over codes, averaged over images, 0-d.

        With p(z|x) for weights its gradient is that of the mean log p(x) (Fisher's identity; Dempster, Laird & Rubin
        1977). Images count by their sum alone, weighed for each code, so that one product of ``(m, n)`` and
        ``(n, values)`` is all there is to do.
        """
        flat = x.flatten(1)
        explained = (weights.T @ flat).to(
            self.natural.dtype
        )  # rounded at most as any gradient under bfloat16 is
        found = (explained * self.natural).sum() - weights.sum(0) @ self.log_normalizer
        return found / len(x) + self.square * flat.square().sum(1).mean() + self.constant


def mixture_of(decoded: Distribution) -> Mixture:
    """The mean of p(x|z) over codes: Bernoulli pixels ``(m, C, H, W)``, or Gaussian ones of one deviation for all.

    Raises:
        TypeError: They are of another kind.
    """
    pixels = decoded.base_dist if isinstance(decoded, Independent) else decoded
    if isinstance(pixels, Bernoulli):
        logits = pixels.logits.flatten(1)
        zero = logits.new_zeros(())
        return Mixture(logits, functional.softplus(logits).sum(1), zero, zero)
    if not isinstance(pixels, Normal):
        raise TypeError(f"no exponential family that is known here: {type(pixels).__name__}")
    mean, scale = pixels.loc.flatten(1), pixels.scale.flatten()[0]
    precision = scale.square().reciprocal()
    return Mixture(
        precision * mean,
        0.5 * precision * mean.square().sum(1),
        -0.5 * precision,
        -mean.shape[1] * (scale.log() + 0.5 * math.log(2.0 * math.pi)),
    )
