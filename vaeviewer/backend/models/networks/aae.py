"""The networks of an adversarial autoencoder, and how far its codes are from the prior."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor
from torch.distributions import Distribution
from torch.nn import functional

from vaeviewer.backend.models.interface import DataSpec
from vaeviewer.backend.models.latent_model import Autoencoder
from vaeviewer.backend.models.likelihoods import BernoulliPixels
from vaeviewer.backend.models.networks.mlp import MLP
from vaeviewer.backend.models.networks.waves import Waves
from vaeviewer.backend.models.shapes import Blobs, ShapedPrior

if TYPE_CHECKING:
    from vaeviewer.backend.models.families.adversarial import AdversarialConfig

DISCRIMINATOR = (256, 256)
"""Its hidden units."""

WAVES, WAVE_SCALE = 64, 3.0
"""Sines and cosines of a code that it sees: with the code alone it would be blind to how a swiss roll is wound."""

KERNEL_SCALES = (0.1, 0.2, 0.5, 1.0, 2.0)
"""Distances in the plane at which codes and prior are compared."""

ROWS = 512
"""Codes compared with each other at a time."""


class AdversarialAutoencoder(Autoencoder):
    """An encoder to a point, its mirror, and a discriminator between codes and draws from the prior.

    Args:
        config: Which networks, which prior, and whether classes have parts of it.
        data: Size of the images, and how many classes there are.
    """

    def __init__(self, config: AdversarialConfig, data: DataSpec) -> None:
        super().__init__(config, data.image, BernoulliPixels(), gaussian=False)
        self.classes = data.classes if config.uses_labels else 0
        self.waves = Waves(config.latent_dim, WAVES, WAVE_SCALE)
        inputs = self.waves.outputs + self.classes
        # A code has few numbers: all of it is float32 even under autocast, so that near ones stay apart.
        self.discriminator = MLP((inputs, *DISCRIMINATOR, 1), "silu")
        self.shape: ShapedPrior | None = None
        if config.prior != "gaussian":
            self.shape = ShapedPrior(config.prior, config.latent_dim, data.image, self.classes or 10)

    def prior(self) -> Distribution:
        """p(z): N(0, I), or a shape."""
        return super().prior() if self.shape is None else self.shape.distribution()

    def draw(self, n: int, y: Tensor | None) -> Tensor:
        """Draws from the prior, ``(n, latent_dim)``, with labels each from its class's part of it."""
        prior = self.prior()
        if self.classes and y is not None and isinstance(prior, Blobs):
            return prior.sample_of(y, self.classes)
        # The same numbers; but a normal distribution's sample waits for a GPU, to see that no deviation is negative.
        draws = prior.rsample if prior.has_rsample else prior.sample
        drawn: Tensor = draws(torch.Size((n,)))
        return drawn

    def judge(self, z: Tensor, y: Tensor | None) -> Tensor:
        """The discriminator's logits, ``(n, 1)``, that codes ``(n, latent_dim)`` of classes ``(n,)`` are drawn ones."""
        with torch.autocast(z.device.type, enabled=False):
            seen = self.waves(z.float() if z.dtype == torch.bfloat16 else z)
            if self.classes:
                assert y is not None, "a family that uses labels is given them"
                seen = torch.cat([seen, functional.one_hot(y, self.classes).to(seen)], 1)
            logits: Tensor = self.discriminator(seen)
        return logits


def discrepancy(codes: Tensor, drawn: Tensor) -> Tensor:
    """What each pair of a code and a draw adds to the squared maximum mean discrepancy between both, ``(n,)``.

    Its mean is the unbiased estimate of Gretton et al., "A Kernel Two-Sample Test" (2012), equation 4, which may be
    below 0; the kernel is the mean of s² / (s² + ‖a − b‖²) over some scales s (Tolstikhin et al. 2018, section 4).
    Many rows are compared some at a time.
    """
    return torch.cat(
        [_discrepancy(a, b) for a, b in zip(torch.split(codes, ROWS), torch.split(drawn, ROWS), strict=True)]
    )


def _discrepancy(codes: Tensor, drawn: Tensor) -> Tensor:
    n = len(codes)
    if n < 2:
        return torch.zeros(n, device=codes.device)
    same, other = _kernel(codes, codes) + _kernel(drawn, drawn), _kernel(codes, drawn)
    both = same - other - other.T
    return (both.sum(1) - both.diagonal()) / (n - 1)


def _kernel(a: Tensor, b: Tensor) -> Tensor:
    squares = torch.cdist(a, b, compute_mode="donot_use_mm_for_euclid_dist").square()
    values = [scale**2 / (scale**2 + squares) for scale in KERNEL_SCALES]
    return torch.stack(values).mean(0)
