"""log p(x|z) and log p(z) of a Snapshot, with their derivatives in z: NumPy where its form has them, else torch.

What asks for many images at fixed codes takes a table; what moves codes takes derivatives.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from vaeviewer.backend.asked import Array, Classes, OneOrEach, as_seen, each
from vaeviewer.backend.models.likelihood_table import LikelihoodTable
from vaeviewer.errors import NoDensityError

if TYPE_CHECKING:
    from vaeviewer.backend.snapshot import Snapshot

Answer = TypeVar("Answer")

LOG_2_PI = math.log(2.0 * math.pi)


@dataclass(frozen=True, eq=False)
class Densities:
    """Log-densities at ``m`` codes, nats, and their derivatives in z.

    Attributes:
        log_prior: log p(z), ``(m,)``.
        prior_score: Its derivative, ``(m, latent_dim)``.
        log_likelihood: log p(x|z), summed over pixels, ``(m,)``.
        likelihood_score: Its derivative, ``(m, latent_dim)``.
    """

    log_prior: Array
    prior_score: Array
    log_likelihood: Array
    likelihood_score: Array

    @property
    def log_joint(self) -> Array:
        """Log p(x, z), ``(m,)``."""
        return self.log_prior + self.log_likelihood

    @property
    def score(self) -> Array:
        """The derivative of log p(x, z), and so of log p(z|x), ``(m, latent_dim)``."""
        return self.prior_score + self.likelihood_score


def log_prior(snapshot: Snapshot, z: Array) -> Array:
    """As :meth:`Snapshot.log_prior`."""
    if _has_normal_prior(snapshot):
        return log_standard_normal(z)
    import torch

    return _ask_prior(snapshot, lambda prior: prior.log_prob(torch.tensor(z)).float().numpy())


def _log_prior_and_score(snapshot: Snapshot, z: Array) -> tuple[Array, Array]:
    """Log p(z), ``(m,)``, and its derivative in z, ``(m, latent_dim)``."""
    if _has_normal_prior(snapshot):
        return log_standard_normal(z), -z
    import torch

    from vaeviewer.backend.models.distribution_table import log_prob_and_score

    def of_prior(prior: Any) -> tuple[Array, Array]:
        with torch.enable_grad():
            codes = torch.tensor(z, requires_grad=True)
            return log_prob_and_score(prior, codes, codes)

    return _ask_prior(snapshot, of_prior)


def _has_normal_prior(snapshot: Snapshot) -> bool:
    if not snapshot.family.capabilities.generates:
        raise NoDensityError(f"{snapshot.family.title}: its codes have no prior p(z).")
    return snapshot.family.capabilities.normal_prior


def log_standard_normal(z: Array) -> Array:
    """Log N(z; 0, I) of codes ``(m, d)``, ``(m,)``, nats."""
    logs: Array = -0.5 * (np.square(z, dtype=np.float32).sum(1) + np.float32(z.shape[1] * LOG_2_PI))
    return logs


def _ask_prior(snapshot: Snapshot, told: Callable[[Any], Answer]) -> Answer:
    try:
        return snapshot.ask(lambda model: told(model.prior()))
    except (
        NotImplementedError,
        ValueError,
    ):  # the other one from those that refuse codes beyond their support
        raise NoDensityError(f"{snapshot.family.title}: its prior p(z) has no density.") from None


def table(snapshot: Snapshot, z: Array, y: OneOrEach = None) -> LikelihoodTable:
    """As :meth:`Snapshot.likelihood_table`."""
    _require_likelihood(snapshot)
    z, classes = np.ascontiguousarray(z, dtype=np.float32), each(y, len(z))
    seen = partial(as_seen, protocol=snapshot.protocol)
    if (by_hand := snapshot.density_form) is not None:
        form, pixels = by_hand
        return pixels.table(form.outputs(snapshot.weights, z, classes), seen)
    import torch

    from vaeviewer.backend.models.distribution_table import table_of

    def decoded(part: slice) -> Any:
        y_part = None if classes is None else torch.tensor(classes[part])
        return snapshot.ask(lambda model: model.decode(torch.tensor(z[part]), y_part))

    return table_of([decoded(part) for part in snapshot.parts(max(1, len(z)))], seen)


def at_codes(
    snapshot: Snapshot, images: NDArray[np.uint8] | Array, z: Array, y: OneOrEach = None
) -> Densities:
    """As :meth:`Snapshot.densities`."""
    _require_likelihood(snapshot)
    z, x, classes = np.ascontiguousarray(z, dtype=np.float32), snapshot.seen(images), each(y, len(z))
    found = [
        _likelihood(
            snapshot, x if len(x) == 1 else x[part], z[part], None if classes is None else classes[part]
        )
        for part in snapshot.parts(max(1, len(z)))
    ]
    logs, scores = (np.concatenate(arrays) for arrays in zip(*found, strict=True))
    return Densities(*_log_prior_and_score(snapshot, z), logs, scores)


def _require_likelihood(snapshot: Snapshot) -> None:
    if reason := snapshot.family.no_density(snapshot.model):
        raise NoDensityError(reason)


def _likelihood(snapshot: Snapshot, x: Array, z: Array, y: Classes | None) -> tuple[Array, Array]:
    """Log p(x|z) of images as the model sees them, one for each code or one for all, and its derivative in z."""
    if (by_hand := snapshot.density_form) is not None:
        form, pixels = by_hand
        flat = x.reshape(len(x), -1)
        outputs, pullback = form.outputs_and_pullback(snapshot.weights, z, y)
        return pixels.log_prob(outputs, flat), pullback(pixels.slope(outputs, flat))
    import torch

    from vaeviewer.backend.models.distribution_table import log_prob_and_score

    image, classes = snapshot.image, None if y is None else torch.tensor(y)
    x_first = torch.tensor(x).reshape(len(x), image.height, image.width, image.channels).permute(0, 3, 1, 2)

    def of_model(model: Any) -> tuple[Array, Array]:
        with torch.enable_grad():
            codes = torch.tensor(z, requires_grad=True)
            return log_prob_and_score(model.decode(codes, classes), x_first, codes)

    return snapshot.ask(of_model)
