"""What each latent dimension carries: its part of the KL, whether it is active, and the values to look at it with."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vaeviewer.analysis.latent_plane import Array, some_rows
from vaeviewer.backend.snapshot import PosteriorTable

ACTIVE_VARIANCE = 0.01
"""A dimension is active whose posterior mean varies by more than this over the images: Burda et al. 2015, 5.2."""

COLUMNS = 7
"""Values that one number of z takes in a traversal."""

_NORMAL = np.linspace(-3.0, 3.0, COLUMNS, dtype=np.float32)
_STRAYS = 0.01  # share of all codes' numbers that may lie beyond the values on each side


@dataclass(frozen=True, eq=False)
class Dimensions:
    """Figures of each dimension of a latent space, arrays of shape ``(d,)``.

    Attributes:
        variance: Variance of the posterior mean over the images.
        kl: Mean KL(q(z_k|x) ‖ N(0, 1)) over the images, nats; ``None`` where codes are points.
    """

    variance: NDArray[np.float64]
    kl: NDArray[np.float64] | None

    @property
    def active(self) -> NDArray[np.bool_]:
        """Which dimensions are active, in the sense of Burda et al. 2015."""
        found: NDArray[np.bool_] = self.variance > ACTIVE_VARIANCE
        return found

    @property
    def size(self) -> NDArray[np.float64]:
        """What says how much a dimension carries: its KL, or the variance where codes are points."""
        return self.variance if self.kl is None else self.kl

    @property
    def order(self) -> NDArray[np.intp]:
        """All dimensions, the one that carries most first; of equal ones the first."""
        found: NDArray[np.intp] = np.argsort(-self.size, kind="stable")
        return found


def dimensions_of(posterior: PosteriorTable) -> Dimensions:
    """The figures of each dimension, from a few thousand images evenly chosen.

    The KL of one dimension of a diagonal Gaussian from N(0, 1) is ½ (μ² + σ² − 1 − log σ²): Kingma & Welling 2013,
    appendix B. Rows that are not finite are left out; without any, all figures are 0.
    """
    loc = some_rows(posterior.loc).astype(np.float64)
    finite = np.isfinite(loc).all(axis=1)
    log_variance = None
    if posterior.log_variance is not None:
        log_variance = some_rows(posterior.log_variance).astype(np.float64)
        finite &= np.isfinite(log_variance).all(axis=1)
    loc = loc[finite]
    nothing = np.zeros(loc.shape[1])
    if not len(loc):
        return Dimensions(nothing, None if log_variance is None else nothing)
    kl = None
    if log_variance is not None:
        log_variance = log_variance[finite]
        kl = 0.5 * (np.square(loc) + np.exp(log_variance) - 1.0 - log_variance).mean(axis=0)
    return Dimensions(loc.var(axis=0), kl)


def traversal_values(posterior: PosteriorTable | None, *, follows_normal: bool) -> Array:
    """What one number of z takes in turn, evenly apart and the same for all of them, float32 ``(COLUMNS,)``.

    From −3 to 3 where codes follow N(0, I), else across nearly all numbers of the codes of a few thousand images, in
    round numbers, so that they hardly change while codes move.
    """
    if follows_normal or posterior is None:
        return _NORMAL
    numbers = some_rows(posterior.loc)
    numbers = numbers[np.isfinite(numbers)]
    if not len(numbers):
        return _NORMAL
    low, high = np.quantile(numbers.astype(np.float64), (_STRAYS, 1.0 - _STRAYS))
    if not high > low:
        return _NORMAL
    unit = 0.5 * 10.0 ** np.floor(np.log10(high - low))
    low, high = unit * np.floor(low / unit), unit * np.ceil(high / unit)
    return np.linspace(low, high, COLUMNS).astype(np.float32)
