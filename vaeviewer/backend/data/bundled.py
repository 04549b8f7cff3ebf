"""The digits that come with the program."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from vaeviewer import paths
from vaeviewer.backend.data.base import DataSource, ImageDataset, checksum_of
from vaeviewer.backend.data.catalog import BUNDLED
from vaeviewer.backend.data.idx import read_images, read_labels

_HELD_OUT_EVERY = 10


def load_bundled() -> ImageDataset:
    """The first 10,000 training images of MNIST: 9,000 to train on and 1,000 held out.

    Raises:
        DataError: The bundled files are damaged.
        UserError: The installation lacks them.
    """
    images = read_images(paths.resource("mnist-10k", "train-images-idx3-ubyte.gz"))
    labels = read_labels(paths.resource("mnist-10k", "train-labels-idx1-ubyte.gz"))
    held_out = _held_out(labels)
    split = (images[~held_out], labels[~held_out], images[held_out], labels[held_out])
    return ImageDataset(
        f"MNIST, {len(images):,} bundled digits",
        DataSource(key=BUNDLED, checksum=checksum_of(*split)),
        *split,
        class_names=tuple(str(digit) for digit in range(10)),
    )


def _held_out(labels: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Which images are held out: every tenth once they are sorted by class, so each class gives its share.

    Nothing is drawn at random: a generator may change its numbers with a new NumPy, and then an old run
    would find images it was trained on among those held out.
    """
    by_class = np.argsort(labels, kind="stable")
    chosen = np.zeros(len(labels), dtype=np.bool_)
    chosen[by_class[_HELD_OUT_EVERY // 2 :: _HELD_OUT_EVERY]] = True
    return chosen
