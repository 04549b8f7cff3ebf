"""Data sets of a few tiny random images: in memory, and as the idx files a user would choose."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np

from vaeviewer.backend.data.base import ImageDataset
from vaeviewer.backend.data.folder import load_folder


def encode_idx(array: np.ndarray) -> bytes:
    """The bytes of an idx file with these values, uint8."""
    header = struct.pack(f">2x2B{array.ndim}I", 8, array.ndim, *array.shape)
    return header + array.astype(np.uint8).tobytes()


def write_idx_folder(folder: Path, *, train: int, height: int = 4, width: int = 5) -> ImageDataset:
    """Write random images of two classes, 10 of them held out, as four idx files, and load them."""
    rng = np.random.default_rng(train)
    folder.mkdir(parents=True)
    for part, count in (("train", train), ("t10k", 10)):
        images, labels = rng.integers(0, 256, (count, height, width)), np.arange(count) % 2
        (folder / f"{part}-images-idx3-ubyte").write_bytes(encode_idx(images))
        (folder / f"{part}-labels-idx1-ubyte").write_bytes(encode_idx(labels))
    return load_folder(folder)
