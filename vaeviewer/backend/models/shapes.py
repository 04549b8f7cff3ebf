"""Priors p(z) of any shape in the plane: many small Gaussians, which can be drawn from and have a density.

Makhzani et al., "Adversarial Autoencoders" (2015), figures 2 and 4, show a mixture of ten Gaussians and a swiss roll.
"""

from __future__ import annotations

import math
from typing import Literal

import torch
from torch import Tensor, nn
from torch.distributions import Distribution

from vaeviewer.backend.models.interface import ImageSpec

Shape = Literal["mixture", "swiss-roll", "ring", "picture"]

TURNS = 1.5
"""Of the swiss roll."""

POINTS = 400
"""Gaussians along a curve; they lie closer together than they are wide."""

CURVE_SCALE = 0.08
"""Deviation of those, where the shape's own is 1."""

MIXTURE_SCALE = 0.18
"""Deviation of each Gaussian of the mixture, likewise."""


class Blobs(Distribution):
    """A mixture of Gaussians with diagonal covariances: the first make up class 0, the next class 1, and so on.

    Args:
        weights: Their shares, ``(k,)``; they need not add up to 1.
        loc: Their centres, ``(k, d)``.
        scale: Their deviations, ``(k, d)``.
    """

    arg_constraints = {}  # noqa: RUF012  # torch's own convention

    def __init__(self, weights: Tensor, loc: Tensor, scale: Tensor) -> None:
        self.weights, self.loc, self.scale = weights / weights.sum(), loc, scale
        super().__init__(event_shape=loc.shape[1:], validate_args=False)

    @property
    def mean(self) -> Tensor:
        """``(d,)``."""
        return self.weights @ self.loc

    @property
    def variance(self) -> Tensor:
        """Of each coordinate, ``(d,)``."""
        return self.weights @ (self.scale.square() + self.loc.square()) - self.mean.square()

    def sample(self, sample_shape: torch.Size | list[int] | tuple[int, ...] = ()) -> Tensor:
        """Draws, ``(*sample_shape, d)``."""
        shape = torch.Size(sample_shape)
        which = torch.multinomial(self.weights, max(1, shape.numel()), replacement=True)
        return self._around(which).view(*shape, *self.event_shape)

    def sample_of(self, y: Tensor, classes: int) -> Tensor:
        """A draw for each class in ``y``, int64 ``(n,)``, from that class's part of the mixture, ``(n, d)``."""
        ends = self.weights.cumsum(0)
        part = ((ends - 0.5 * self.weights) * classes).long().clamp(max=classes - 1)
        of_class = self.weights * (part == torch.arange(classes, device=y.device)[:, None])  # (classes, k)
        return self._around(torch.multinomial(of_class[y], 1).squeeze(1))

    def log_prob(self, value: Tensor) -> Tensor:
        """Density of ``(..., d)``, its logarithm in nats, ``(...)``."""
        standard = (value.unsqueeze(-2) - self.loc) / self.scale
        normal = -0.5 * standard.square() - self.scale.log() - 0.5 * math.log(2.0 * math.pi)
        return torch.logsumexp(normal.sum(-1) + self.weights.log(), -1)

    def _around(self, which: Tensor) -> Tensor:
        loc = self.loc[which]
        return loc + self.scale[which] * torch.randn_like(loc)


class ShapedPrior(nn.Module):
    """The buffers of such a prior, part of a model's state.

    The shape lies in the first two dimensions, with mean 0 and a variance of 1 on average; further ones are N(0, 1).

    Args:
        shape: Which.
        latent_dim: Dimensions of z.
        image: Size of the image of which ink makes the picture.
        parts: Gaussians of the mixture.
    """

    def __init__(self, shape: Shape, latent_dim: int, image: ImageSpec, parts: int = 10) -> None:
        super().__init__()
        match shape:
            case "mixture":
                loc, scale = _circle(parts), MIXTURE_SCALE
            case "ring":
                loc, scale = _circle(POINTS), CURVE_SCALE
            case "swiss-roll":
                loc, scale = _roll(), CURVE_SCALE
            case "picture":
                loc, scale = torch.zeros(image.height * image.width, 2), 1.0
        self.weights: Tensor
        self.loc: Tensor
        self.scale: Tensor
        self.register_buffer("weights", torch.ones(len(loc)))
        self.register_buffer("loc", _in_dimensions(loc, latent_dim, 0.0))
        self.register_buffer("scale", _in_dimensions(torch.full_like(loc, scale), latent_dim, 1.0))

    def distribution(self) -> Blobs:
        """p(z)."""
        return Blobs(self.weights, self.loc, self.scale)

    @torch.no_grad()
    def take_ink(self, image: Tensor) -> None:
        """Put the density where a picture ``(C, H, W)``, in 0 … 1, has ink: what is bright on dark or dark on bright.

        Raises:
            ValueError: All of it is of one colour.
        """
        ink = image.mean(0)
        ink = 1.0 - ink if ink.mean() > 0.5 else ink
        ink = ink - ink.min()
        if ink.max() <= 0.0:
            raise ValueError("is of one colour, so that it shows no shape")
        height, width = ink.shape
        y, x = torch.meshgrid(-torch.arange(height), torch.arange(width), indexing="ij")
        loc = torch.stack([x, y], -1).reshape(-1, 2).to(ink)
        weights = ink.flatten() / ink.sum()
        loc = loc - weights @ loc
        # A pixel's ink is spread over its square, whose variance is a twelfth.
        size = (0.5 * (weights @ loc.square()).sum() + 1.0 / 12.0).sqrt()
        dims = self.loc.shape[1]
        self.weights.copy_(weights)
        self.loc.copy_(_in_dimensions(loc / size, dims, 0.0))
        self.scale.copy_(_in_dimensions(torch.full_like(loc, 1.0 / 12.0**0.5) / size, dims, 1.0))


def _circle(points: int) -> Tensor:
    angle = 2.0 * math.pi * torch.arange(points) / points
    return math.sqrt(2.0) * torch.stack([angle.sin(), angle.cos()], -1)


def _roll() -> Tensor:
    """Points at equal distances along a spiral, of which the radius grows with the angle, from the inside."""
    # The length of a spiral up to an angle grows about as the angle's square.
    angle = 2.0 * math.pi * TURNS * torch.linspace(0.04, 1.0, POINTS).sqrt()
    loc = angle[:, None] * torch.stack([angle.cos(), angle.sin()], -1)
    loc = loc - loc.mean(0)
    return loc / (0.5 * loc.square().sum(1).mean()).sqrt()


def _in_dimensions(values: Tensor, dims: int, rest: float) -> Tensor:
    """The columns of ``(k, 2)`` that there are dimensions for, and so many more of one value."""
    return torch.nn.functional.pad(values[:, :dims], (0, max(0, dims - 2)), value=rest)
