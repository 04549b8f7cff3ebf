"""Tables of log p(x|z) from what torch decodes, and the derivatives of densities by autograd."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.distributions import Bernoulli, Distribution, Independent, Normal

from vaeviewer.backend.chunks import CHUNK_BYTES
from vaeviewer.backend.models.likelihood_table import (
    Array,
    LikelihoodTable,
    Seen,
    bernoulli_table,
    gaussian_table,
)


@dataclass(frozen=True, eq=False)
class DistributionTable(LikelihoodTable):
    """Of any distribution, whose density each image is held against.

    Attributes:
        decoded: p(x|z), parts of the codes at a time, each over ``(k, C, H, W)``.
    """

    decoded: Sequence[Distribution]

    def __len__(self) -> int:
        return sum(part.batch_shape[0] for part in self.decoded)

    @torch.no_grad()
    def of_pixels(self, x: Array) -> Array:
        """As there: one image after the other against all codes."""
        found = np.empty((len(x), len(self)), np.float32)
        start = 0
        for part in self.decoded:
            codes, (channels, height, width) = part.batch_shape[0], part.event_shape
            images = torch.tensor(x.reshape(len(x), height, width, channels)).permute(0, 3, 1, 2)
            at_once = max(1, CHUNK_BYTES // (4 * codes * part.event_shape.numel()))
            for first in range(0, len(x), at_once):
                some = part.log_prob(images[first : first + at_once, None])
                found[first : first + at_once, start : start + codes] = some.numpy()
            start += codes
        return found


def table_of(decoded: Sequence[Distribution], seen: Seen) -> LikelihoodTable:
    """The fastest table for p(x|z), parts of the codes at a time, each over ``(k, C, H, W)``."""
    pixels = [part.base_dist if isinstance(part, Independent) else part for part in decoded]
    bernoulli = [part for part in pixels if isinstance(part, Bernoulli)]
    if len(bernoulli) == len(decoded):
        return bernoulli_table(_rows(*(part.logits for part in bernoulli)), seen)
    normal = [part for part in pixels if isinstance(part, Normal)]
    scales = [part.scale for part in normal]
    if len(normal) == len(decoded) and all(bool((scale == scales[0].flatten()[0]).all()) for scale in scales):
        log_variance = 2.0 * scales[0].flatten()[0].double().log().item()
        return gaussian_table(_rows(*(part.loc for part in normal)), log_variance, seen)
    return DistributionTable(seen, tuple(decoded))


def _rows(*parts: Tensor) -> Array:
    """Values ``(k, C, H, W)`` as rows, pixels in the order of images."""
    found: Array = torch.cat([part.permute(0, 2, 3, 1).flatten(1) for part in parts]).numpy()
    return found


def log_prob_and_score(distribution: Distribution, value: Tensor, z: Tensor) -> tuple[Array, Array]:
    """A log-density ``(m,)`` of a value and its derivative by codes ``(m, latent_dim)``, which ask for gradients."""
    logs = distribution.log_prob(value)
    (score,) = torch.autograd.grad(logs.sum(), z)
    return logs.detach().float().numpy(), score.float().numpy()
