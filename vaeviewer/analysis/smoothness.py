"""How much the decoded image changes on a short way in z: what a high log p(x) may have been bought with."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from vaeviewer.analysis.prior import prior_codes
from vaeviewer.backend.snapshot import Snapshot
from vaeviewer.errors import NoDensityError

if TYPE_CHECKING:
    from torch import Tensor

    from vaeviewer.backend.models.latent_model import LatentModel

DISTANCE = 0.02
"""How far apart two codes are, of which the images are compared."""

PAIRS = 4096


def smoothness(snapshot: Snapshot, distance: float = DISTANCE, pairs: int = PAIRS) -> float:
    """The median of KL(p(x|z) ‖ p(x|z′)) in nats, z drawn from the prior, z′ near it in a direction drawn evenly.

    Small where neighbours resemble each other. A model with few numbers in z can raise its log p(x) by folding the
    plane many times, so that all images find room; then this is large. Where the decoder sees classes each has its
    share of the codes. Always the same draws.

    Args:
        snapshot: The model.
        distance: ‖z − z′‖.
        pairs: How many there are.

    Raises:
        NoDensityError: p(x|z) is no density, or of a kind whose divergence has no closed form.
    """
    import torch

    if reason := snapshot.family.no_density(snapshot.model):
        raise NoDensityError(reason)
    z = prior_codes(snapshot, pairs)
    step = np.random.default_rng(0).standard_normal(z.shape).astype(np.float32)
    step *= distance / np.linalg.norm(step, axis=1, keepdims=True)
    sees_classes = snapshot.family.capabilities.uses_labels and snapshot.data.classes
    y = np.arange(pairs) % snapshot.data.classes if sees_classes else None
    found = []
    for part in snapshot.parts(pairs):
        here, there = torch.tensor(z[part]), torch.tensor(z[part] + step[part])
        classes = None if y is None else torch.tensor(y[part])
        found.append(snapshot.ask(partial(_divergences, here=here, there=there, y=classes)))
    return float(np.median(np.concatenate(found)))


def _divergences(model: LatentModel, here: Tensor, there: Tensor, y: Tensor | None) -> NDArray[np.float32]:
    """KL(p(x|z) ‖ p(x|z′)) of pairs of codes, ``(n,)``."""
    from vaeviewer.backend.models.likelihoods import divergence

    p = model.decode(here, y)
    try:
        found: NDArray[np.float32] = divergence(p, model.decode(there, y)).numpy()
    except NotImplementedError:
        raise NoDensityError(
            "A divergence between such pixels has no closed form, so there is no smoothness."
        ) from None
    return found
