"""What :mod:`geometry` asks of decoders that torch computes: coordinates of Fisher information 1, and their slopes."""

from __future__ import annotations

import warnings
from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.distributions import Bernoulli, Distribution, Independent, Normal

from vaeviewer.backend.models.latent_model import LatentModel
from vaeviewer.backend.models.likelihoods import DiscretisedLogistic

Array = NDArray[np.float32]

_PLACES = 2041
"""Of a location in 0 … 1 between which the discretised logistic's information is interpolated: eight for each level."""


def coordinates_and_slopes(
    model: LatentModel, z: Array, y: NDArray[np.int64] | None, directions: tuple[Array, ...], fisher: bool
) -> tuple[Array, Array]:
    """Coordinates of p(x|z), ``(m, values)``, and their derivatives along directions, ``(m, values, c)``.

    Args:
        model: Has the decoder.
        z: Codes, ``(m, latent_dim)``.
        y: Their classes, for models that see them.
        directions: Each ``(latent_dim,)``; where there are none, there are no derivatives.
        fisher: Whether coordinates have Fisher information 1; else they are the mean's pixels.
    """
    codes, classes = torch.tensor(z), None if y is None else torch.tensor(y)

    def found(at: Tensor) -> Tensor:
        distribution = model.decode(at, classes)
        return (stabilised(distribution) if fisher else distribution.mean).flatten(1)

    if not directions:
        return found(codes).numpy(), z
    slopes, value = [], codes
    for (
        direction
    ) in directions:  # rows do not depend on one another: one product gives the derivatives of all
        value, slope = _slope(found, codes, torch.tensor(direction).expand_as(codes))
        slopes.append(slope)
    return value.numpy(), torch.stack(slopes, -1).numpy()


def _slope(of: Callable[[Tensor], Tensor], at: Tensor, way: Tensor) -> tuple[Tensor, Tensor]:
    """A function's value, and its derivative as its argument moves some way: forward-mode differentiation."""
    with warnings.catch_warnings():  # of what torch itself does at the first one
        warnings.simplefilter("ignore", FutureWarning)
        value, slope = torch.func.jvp(of, (at,), (way,))[:2]
    return value, slope


def stabilised(distribution: Distribution) -> Tensor:
    """Coordinates of a distribution's parameters of which each has the Fisher information 1, of the same shape.

    Raises:
        TypeError: There is no such coordinate known for its kind.
    """
    pixels = distribution.base_dist if isinstance(distribution, Independent) else distribution
    if isinstance(pixels, Bernoulli):
        return 2.0 * torch.atan(torch.tanh(0.25 * pixels.logits))
    if isinstance(pixels, Normal):
        return pixels.loc / pixels.scale.detach()
    if isinstance(pixels, DiscretisedLogistic):
        return _of_logistic(pixels)
    raise TypeError(f"the Fisher information of {type(pixels).__name__} pixels is not known")


def _of_logistic(pixels: DiscretisedLogistic) -> Tensor:
    """The integral of the root of the location's information, which has no closed form, from a table."""
    scale = pixels.scale.detach().flatten()[0].double()
    places = torch.linspace(0.0, 1.0, _PLACES, dtype=torch.float64)
    levels = torch.linspace(0.0, 1.0, 256, dtype=torch.float64)

    def log_prob(at: Tensor) -> Tensor:
        return DiscretisedLogistic(at[:, None], scale).log_prob(levels)

    logs, slopes = _slope(log_prob, places, torch.ones_like(places))
    roots = (logs.exp() * slopes.square()).sum(1).sqrt()
    table = torch.cumulative_trapezoid(roots, places)
    table = torch.cat([table.new_zeros(1), table]).float()
    place = pixels.loc.clamp(0.0, 1.0) * (_PLACES - 1)
    left = place.detach().floor().long().clamp(max=_PLACES - 2)
    return table[left] + (place - left) * (table[left + 1] - table[left])
