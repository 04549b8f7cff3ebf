"""The linear Gaussian model: images are a plane in pixel space and noise alike in every direction.

Tipping & Bishop, "Probabilistic Principal Component Analysis" (1999).
"""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.distributions import Distribution, Independent, Normal

from vaeviewer.backend.models.interface import ImageSpec
from vaeviewer.backend.models.latent_model import LatentModel

LEAST_DEVIATION = 0.5 / 255
"""The noise's deviation is at least half a grey level: images that lie in the plane altogether have a density, too."""


class LinearGaussian(LatentModel):
    """x = W z + μ + ε with z ~ N(0, I) and ε ~ N(0, σ² I); equation 2 of the paper.

    The columns of W are orthogonal: along component i they are √(λᵢ − σ²) long (equation 7, R = I). So the posterior's
    covariance is diagonal. All is solved by :meth:`solve`; there are no parameters to descend.

    Args:
        image: Size of the images.
        latent_dim: Numbers in z. Those beyond an image's numbers of pixels do nothing.
    """

    mean: Tensor
    components: Tensor
    variances: Tensor
    noise_variance: Tensor

    def __init__(self, image: ImageSpec, latent_dim: int) -> None:
        super().__init__(latent_dim)
        self._shape = (image.height, image.width, image.channels)
        self.register_buffer("mean", torch.zeros(image.values))  # μ
        self.register_buffer("components", torch.zeros(latent_dim, image.values))  # of length 1, a row each
        self.register_buffer("variances", torch.ones(latent_dim))  # λ, of the images along each
        self.register_buffer("noise_variance", torch.ones(()))  # σ²

    @torch.no_grad()
    def solve(self, mean: Tensor, components: Tensor, variances: Tensor, total: float) -> None:
        """Take over the components with the largest variances, as maximum likelihood does (equations 7 and 8).

        Args:
            mean: Of the images, ``(values,)``.
            components: As many as there are, of length 1, ``(k, values)``.
            variances: Of the images along them, ``(k,)``, falling.
            total: Variance of the images in all directions together.
        """
        found, values = len(variances), len(mean)
        self.mean.copy_(mean)
        self.components.zero_()[:found] = components
        self.variances.zero_()[:found] = variances
        left = (total - float(variances.sum())) / max(1, values - found)  # σ²: the mean of what is left out
        self.noise_variance.fill_(max(left, LEAST_DEVIATION**2))

    def encode(self, x: Tensor, y: Tensor | None = None) -> Normal:
        """p(z|x) = N(M⁻¹ Wᵀ (x − μ), σ² M⁻¹) with M = Wᵀ W + σ² I, exactly; equation 6."""
        length, total = self._lengths()
        loc = self._along(x) * (length / total)
        scale = (self.noise_variance / total).sqrt()
        return Normal(loc, scale.expand_as(loc), validate_args=False)

    def decode(self, z: Tensor, y: Tensor | None = None) -> Distribution:
        """p(x|z) = N(W z + μ, σ² I); equation 2."""
        flat = (z * self._lengths()[0]) @ self.components + self.mean
        mean = flat.reshape(*z.shape[:-1], *self._shape).movedim(-1, -3)
        return Independent(
            Normal(mean, self.noise_variance.sqrt(), validate_args=False), 3, validate_args=False
        )

    def log_prob(self, x: Tensor) -> Tensor:
        """Density of images, log p(x) = log N(x; μ, W Wᵀ + σ² I), ``(n,)``, nats; equations 3 and 4.

        Along each component the variance is λ, in all other directions σ².
        """
        _, variance = self._lengths()
        along, others = self._along(x).square(), self.mean.numel() - self.latent_dim
        beside = self.distance(x) - along.sum(1)
        determinant = variance.log().sum() + others * self.noise_variance.log()
        squares = (along / variance).sum(1) + beside / self.noise_variance
        return -0.5 * (self.mean.numel() * math.log(2.0 * math.pi) + determinant + squares)

    def distance(self, x: Tensor) -> Tensor:
        """‖x − μ‖² of images, ``(n,)``."""
        return (self._flat(x) - self.mean).square().sum(1)

    def error(self, x: Tensor) -> Tensor:
        """‖x − x̂‖² of images, ``(n,)``, with x̂ the nearest point of the plane that the components span."""
        return self.distance(x) - self._along(x).square().sum(1)

    def _lengths(self) -> tuple[Tensor, Tensor]:
        """Of the columns of W, and the variance of x along each; each ``(latent_dim,)``."""
        length = (self.variances - self.noise_variance).clamp(min=0.0).sqrt()
        return length, length.square() + self.noise_variance

    def _along(self, x: Tensor) -> Tensor:
        """How far images lie from μ along each component, ``(n, latent_dim)``."""
        return (self._flat(x) - self.mean) @ self.components.T

    def _flat(self, x: Tensor) -> Tensor:
        return x.permute(0, 2, 3, 1).flatten(1)
