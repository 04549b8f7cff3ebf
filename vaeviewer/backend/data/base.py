"""What every data set is to the rest of the program."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field

from vaeviewer.backend.data.columns import Column
from vaeviewer.backend.data.pages import give_back
from vaeviewer.backend.data.reading import Reading
from vaeviewer.backend.data.report import LoadReport
from vaeviewer.backend.models.interface import DataSpec, ImageSpec
from vaeviewer.errors import UserError

_HASHED_BYTES = 2**26
"""How much a checksum looks at before it gives the memory back that a file was mapped into."""


class Cancelled(UserError):  # noqa: N818 (it is the user's wish, not an error)
    """The user stopped a download or an opening; nothing is left half done."""


class DataSource(BaseModel):
    """How a run names its data, so that it can be found again: written into run folders."""

    model_config = ConfigDict(defer_build=True, frozen=True, extra="forbid")

    key: str = Field(max_length=64)
    """Of the catalogue, such as ``mnist-10k`` or ``folder``."""
    path: str | None = Field(None, max_length=4096)
    """Absolute folder or file that was read; ``None`` for what the program finds itself."""
    checksum: str = Field("", max_length=64)
    """SHA-256 over all pixels and labels, to notice when a folder holds something else than it did."""
    reading: Reading | None = None
    """How the files were read; ``None`` for what is always read alike."""


@dataclass(frozen=True)
class ImageDataset:
    """Images with labels, split into those trained on and those held out. Arrays are read-only.

    Attributes:
        name: What a user sees, such as ``"MNIST, 10,000 bundled digits"``.
        source: How to find it again.
        train_images: uint8, shape ``(n, height, width)`` in grey, ``(n, height, width, 3)`` in colour.
        train_labels: Class of each image, int64 in ``0 … len(class_names) - 1``, shape ``(n,)``.
        held_out_images: Never trained on, uint8, likewise ``(m, …)``.
        held_out_labels: int64, shape ``(m,)``.
        class_names: A name per class; empty where there are no labels, and then all labels are 0.
        train_files: A name for each image trained on, relative to the source, where it has one.
        held_out_files: Likewise of those held out.
        report: What opening the data found.
        columns: What else is known of each image trained on.
    """

    name: str
    source: DataSource
    train_images: NDArray[np.uint8]
    train_labels: NDArray[np.int64]
    held_out_images: NDArray[np.uint8]
    held_out_labels: NDArray[np.int64]
    class_names: tuple[str, ...]
    train_files: Sequence[str] = ()
    held_out_files: Sequence[str] = ()
    report: LoadReport | None = None
    columns: tuple[Column, ...] = ()

    def __post_init__(self) -> None:
        for array in (self.train_images, self.train_labels, self.held_out_images, self.held_out_labels):
            array.setflags(write=False)

    @property
    def labelled(self) -> bool:
        """Whether the images have classes."""
        return bool(self.class_names)

    @property
    def image(self) -> ImageSpec:
        """Size of an image."""
        return ImageSpec(*self.image_shape)

    @property
    def spec(self) -> DataSpec:
        """What a model may know of them before it sees them."""
        return DataSpec(self.image, len(self.class_names), len(self.train_images))

    @property
    def image_shape(self) -> tuple[int, ...]:
        """Of an image's array: ``(height, width)`` in grey, ``(height, width, 3)`` in colour."""
        return self.train_images.shape[1:]

    def same_images(self, other: ImageDataset) -> bool:
        """Whether these are the images and labels of another data set, wherever both were read from."""
        checksum = self.source.checksum
        return bool(checksum) and (checksum, self.train_images.shape, self.held_out_images.shape) == (
            other.source.checksum,
            other.train_images.shape,
            other.held_out_images.shape,
        )


def checksum_of(*arrays: NDArray[np.uint8] | NDArray[np.int64]) -> str:
    """SHA-256 over shapes and values, the same on every machine.

    Args:
        arrays: Images and labels of both splits, in the order of :class:`ImageDataset`'s fields.

    Returns:
        64 hexadecimal digits.
    """
    digest = hashlib.sha256()
    for array in arrays:
        # The shape and the type come first: the same bytes cut into other images are other data.
        digest.update(f"{array.dtype.name}{array.shape}".encode())
        little_endian = array.astype(array.dtype.newbyteorder("<"), copy=False)
        step = max(1, len(array) * _HASHED_BYTES // max(1, array.nbytes))
        for start in range(0, len(array), step):
            digest.update(np.ascontiguousarray(little_endian[start : start + step]).data)
            give_back(array)
    return digest.hexdigest()
