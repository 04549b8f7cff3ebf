"""What a model without an encoder shows in the plane: codes drawn from its prior, and what their images look like."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vaeviewer.analysis.prior import prior_codes
from vaeviewer.backend.chunks import parts
from vaeviewer.backend.snapshot import PosteriorTable, Snapshot

MOST = 2_000
"""Codes drawn; fewer where images are large."""

_LEAST, _PIXELS, _ROWS = 200, 2**24, 64
_SEED = 1606_03657

Classify = Callable[[NDArray[np.uint8]], NDArray[np.int64]]


@dataclass(frozen=True)
class Generated:
    """Generated images.

    Attributes:
        table: Their codes, in the form in which the plane takes those of images.
        images: uint8, ``(n, *image_shape)``.
        classes: Which class each looks like, int64 ``(n,)``; all 0 where nothing tells.
        classified: Whether something does.
        y: The class that each was decoded with, int64 ``(n,)``, of families that have one to choose.
    """

    table: PosteriorTable
    images: NDArray[np.uint8]
    classes: NDArray[np.int64]
    classified: bool = True
    y: NDArray[np.int64] | None = None


def generated(
    snapshot: Snapshot, classify: Classify | None, class_names: tuple[str, ...] = ()
) -> Iterator[Generated | None]:
    """Draw, decode and classify, some at a time; at last all of them. The same draws at every call.

    Where the family has a class y to choose, as it has for images of these classes, that is drawn, too, all as often.
    """
    count = max(_LEAST, min(MOST, _PIXELS // snapshot.image.values))
    codes = prior_codes(snapshot, count)
    choices = len(snapshot.family.class_names(snapshot.model, class_names))
    y = np.random.default_rng(_SEED).integers(choices, size=count) if choices else None
    images = np.empty((count, *snapshot.image_shape), np.uint8)
    classes = np.zeros(count, np.int64)
    for part in parts(count, _ROWS):
        images[part] = snapshot.decode_levels(codes[part], None if y is None else y[part])
        if classify is not None:
            classes[part] = classify(images[part])
        yield None
    table = PosteriorTable(codes, None, np.full(count, snapshot.step, np.int32))
    yield Generated(table, images, classes, classify is not None, y)
