"""The evidence log p(x) = log ∫ p(x|z) p(z) dz of images under a model with one or two latent dimensions, exactly.

In so few dimensions the integral for whose sake variational inference exists can be computed: ``quadrature.py`` has
how. Images of a binarised protocol are seen thresholded, unless they are given as the zeros and ones that were drawn.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from vaeviewer.analysis.prior import DRAWN, prior_codes
from vaeviewer.analysis.quadrature import At, Box, Integrals, Rows, integrate
from vaeviewer.backend.asked import Array, Classes
from vaeviewer.backend.chunks import parts, rows_at_once
from vaeviewer.backend.models.likelihood_table import NaturalTable
from vaeviewer.backend.snapshot import Snapshot
from vaeviewer.errors import NoDensityError

MOST_DIMENSIONS = 2

REACH = 6.0
"""How far a standard normal prior is looked at from 0 at first."""

ROOM = 0.5
"""How far beyond its draws another prior is looked at at first, of the range of these."""

MOST_IMAGES = 10_000
"""More images do not share points …"""

MOST_BYTES = 2**28
"""… nor such whose pixels, as float32, take more than this …"""

FEW_IMAGES = 64
"""… nor more than these where each is held against each point by itself: no product is shared, and steps stay short."""


@dataclass(frozen=True, eq=False)
class Evidence:
    """Of ``n`` images, nats.

    Attributes:
        log_px: log p(x), or log p(x|y) where classes were given, ``(n,)``.
        error: About by how much it may be off, ``(n,)``: the change when the spacing was halved last, as a rule far
            more than the error left.
    """

    log_px: NDArray[np.float64]
    error: NDArray[np.float64]


def evidence(
    snapshot: Snapshot,
    images: NDArray[np.uint8] | Array,
    y: Classes | None = None,
    *,
    workers: int = 1,
    cancelled: Callable[[], bool] = lambda: False,
) -> Evidence | None:
    """Log p(x) of each image by quadrature; arguments and errors as for :func:`evidence_in_steps`.

    Returns:
        ``None`` as soon as ``cancelled`` says so, which is asked often.
    """
    # Products are small, and their threads would wait for each other longer than they compute.
    with threadpool_limits(limits=1, user_api="blas"):
        for step in evidence_in_steps(snapshot, images, y, workers=workers):
            if isinstance(step, Evidence):
                return step
            if cancelled():
                break
    return None


def evidence_in_steps(
    snapshot: Snapshot,
    images: NDArray[np.uint8] | Array,
    y: Classes | None = None,
    *,
    workers: int = 1,
) -> Iterator[float | Evidence]:
    """Log p(x) of each image by quadrature, in small steps.

    Args:
        snapshot: The model, of one or two latent dimensions.
        images: ``(n, *image_shape)``, as :meth:`Snapshot.encode` has them.
        y: Their classes, ``(n,)``: then it is log p(x|y). A model that sees classes and is given none sums over all,
            log p(x) = log Σ p(x|y) / K.
        workers: Threads; more than one help where NumPy computes the model.

    Yields:
        The share done, 0 … 1; at last what was computed.

    Raises:
        NoDensityError: The model has no density or no prior, or more than two latent dimensions.
    """
    require_few_dimensions(snapshot)
    box, n = prior_box(snapshot), len(images)
    classes = snapshot.data.classes if snapshot.family.capabilities.uses_labels else 0
    log_px, error = np.full((n, max(1, classes if y is None else 1)), -np.inf), np.zeros(n)
    at_once = max(1, min(MOST_IMAGES, MOST_BYTES // (4 * snapshot.image.values)))
    origin = np.zeros((1, snapshot.model.latent_dim), np.float32)
    if not isinstance(snapshot.likelihood_table(origin, 0 if classes else None), NaturalTable):
        at_once = FEW_IMAGES
    # Which images, with what class, into which column.
    work: list[tuple[Rows, int | None, int]] = []
    for part in parts(n, at_once):
        rows = np.arange(n)[part]
        if not classes:
            work.append((rows, None, 0))
        elif y is None:
            work += [(rows, label, label) for label in range(classes)]
        else:
            work += [(rows[y[part] == label], int(label), 0) for label in np.unique(y[part])]
    for i, (rows, label, column) in enumerate(work):
        for step in integrate(joint(snapshot, images[rows], label), len(rows), box, workers=workers):
            if isinstance(step, Integrals):
                log_px[rows, column] = step.log_value
                error[rows] = np.maximum(error[rows], step.change)
            else:
                yield (i + step) / len(work)
    columns = log_px.shape[1]
    yield Evidence(np.logaddexp.reduce(log_px, axis=1) - np.log(columns), error)


def prior_box(snapshot: Snapshot) -> Box:
    """Where p(z) lies, and a good deal of room."""
    d = snapshot.model.latent_dim
    if snapshot.family.capabilities.normal_prior:
        return Box(np.full(d, -REACH), np.full(d, REACH))
    codes = prior_codes(snapshot, DRAWN).astype(np.float64)
    low, high = codes.min(0), codes.max(0)
    room = ROOM * (high - low).max()
    return Box(low - room, high + room)


def joint(snapshot: Snapshot, images: NDArray[np.uint8] | Array, y: int | None = None) -> At:
    """Log p(x, z) of images as a function of z, as :func:`integrate` asks for it."""
    x = snapshot.seen(images).reshape(len(images), -1)
    at_once = rows_at_once(x.shape[1])

    def at(z: Array) -> Callable[[Rows], Array]:
        table, log_prior = snapshot.likelihood_table(z, y), snapshot.log_prior(z)

        def of_images(rows: Rows) -> Array:
            found = np.empty((len(rows), len(z)), np.float32)
            for part in parts(len(rows), at_once):
                found[part] = table.of_pixels(x[rows[part]])
            found += log_prior
            return found

        return of_images

    return at


def require_few_dimensions(snapshot: Snapshot) -> None:
    """Let those pass whose integrals over z can be taken.

    Raises:
        NoDensityError: There are too many dimensions.
    """
    if snapshot.model.latent_dim > MOST_DIMENSIONS:
        raise NoDensityError(
            f"With {snapshot.model.latent_dim} latent dimensions log p(x) is an integral over as many numbers, which "
            "quadrature can't take: it can with one or two."
        )
