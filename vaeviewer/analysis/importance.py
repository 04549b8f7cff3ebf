"""log p(x) in any number of latent dimensions by importance weighting: on average a lower bound.

Burda, Grosse & Salakhutdinov, "Importance Weighted Autoencoders" (2015), equation 8, with q(z|x) as the proposal. Where
q misses a mode of the posterior it stays far below, however many samples there are.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from vaeviewer.backend.asked import Array, Classes
from vaeviewer.backend.chunks import parts, rows_at_once
from vaeviewer.backend.snapshot import Snapshot, TorchSnapshot
from vaeviewer.errors import NoDensityError

Logs = NDArray[np.float64]

SEED = 1509_00519
"""Of the draws, the same at every call."""


def importance_in_steps(
    snapshot: Snapshot, images: NDArray[np.uint8] | Array, samples: int, y: Classes | None = None
) -> Iterator[float | Logs]:
    """Log of the mean of p(x, z)/q(z|x) over codes drawn from q(z|x), of each image, in small steps.

    Args:
        snapshot: The model.
        images: ``(n, *image_shape)``, as the model is to see them.
        samples: Codes drawn for each.
        y: Their classes, for a model that sees them: then it is log p(x|y). Given none such a model sums over all,
            log p(x) = log Σ p(x|y) / K.

    Yields:
        The share done, 0 … 1; at last the logarithms, ``(n,)``, nats.

    Raises:
        NoDensityError: The model has no density, no prior, or no q(z|x) that is one.
    """
    if y is None and snapshot.family.capabilities.uses_labels:
        yield from _summed_over_classes(snapshot, images, samples)
        return
    rng, n, d = np.random.default_rng(SEED), len(images), snapshot.model.latent_dim
    found = np.empty(n)
    at_once = max(1, rows_at_once(snapshot.model.widest(snapshot.image.values)) // samples)
    for part in parts(n, at_once):
        some, labels = images[part], None if y is None else y[part]
        totals = np.full(len(some), -np.inf)
        for batch in parts(samples, rows_at_once(snapshot.model.widest(snapshot.image.values))):
            count = len(range(samples)[batch])
            noise = rng.standard_normal((len(some), count, d), dtype=np.float32)
            z, log_q = _draws(snapshot, some, noise, labels)
            codes = z.reshape(-1, d)
            classes = None if labels is None else np.repeat(labels, count)
            # Every image at every code, of which only its own are wanted: the decoder costs more than the product.
            logs = snapshot.log_joint(some, codes, classes).reshape(len(some), len(some), count)
            own = logs[np.arange(len(some)), np.arange(len(some))].astype(np.float64)
            totals = np.logaddexp(totals, np.logaddexp.reduce(own - log_q, axis=1))
        found[part] = totals - math.log(samples)
        yield min(1.0, (part.start + len(some)) / max(1, n))
    yield found


def _summed_over_classes(
    snapshot: Snapshot, images: NDArray[np.uint8] | Array, samples: int
) -> Iterator[float | Logs]:
    count, totals = snapshot.data.classes, np.full(len(images), -np.inf)
    for label in range(count):
        for step in importance_in_steps(snapshot, images, samples, np.full(len(images), label)):
            if isinstance(step, float):
                yield (label + step) / count
            else:
                totals = np.logaddexp(totals, step)
    yield totals - math.log(count)


def _draws(
    snapshot: Snapshot, images: NDArray[np.uint8] | Array, noise: Array, y: Classes | None
) -> tuple[Array, Logs]:
    """Codes ``(n, k, d)`` that noise of that shape becomes under q(z|x), and log q(z|x) of each, ``(n, k)``."""
    if snapshot.family.capabilities.gaussian_posterior:
        encoded = snapshot.encode(images, y)
        loc, scale = encoded or (None, None)
        if loc is None or scale is None:
            raise NoDensityError(f"{snapshot.family.title}: it has no q(z|x) to draw from.")
        constant = 0.5 * math.log(2.0 * math.pi) + np.log(scale, dtype=np.float64)
        log_q = (-0.5 * np.square(noise, dtype=np.float64) - constant[:, None]).sum(-1)
        return loc[:, None] + scale[:, None] * noise, log_q
    assert isinstance(snapshot, TorchSnapshot), "only torch computes others"
    pairs = [
        (None if y is None else int(y[i]), image, one)
        for i, (image, one) in enumerate(zip(images, noise, strict=True))
    ]
    z = [snapshot.draw_posterior(image, one, label) for label, image, one in pairs]
    logs = [
        snapshot.log_posterior(image, codes, label) for (label, image, _), codes in zip(pairs, z, strict=True)
    ]
    return np.stack(z), np.stack(logs).astype(np.float64)
