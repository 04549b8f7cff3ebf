"""A small untrained Snapshot and data set, and a way to read the pixels of a widget."""

from __future__ import annotations

import numpy as np
from PySide6.QtGui import QImage
from PySide6.QtWidgets import QWidget

from vaeviewer.backend.data.base import DataSource, ImageDataset
from vaeviewer.backend.models.families.vae import VaeConfig
from vaeviewer.backend.models.interface import DataSpec, ImageSpec
from vaeviewer.backend.models.networks.numpy_mlp import MlpForm
from vaeviewer.backend.snapshot import NumpySnapshot

SHAPE = (28, 28)


class CountingSnapshot(NumpySnapshot):
    """A real Snapshot that also counts the rows it encoded and decoded."""

    def __post_init__(self) -> None:
        super().__post_init__()
        object.__setattr__(self, "encoded", [])
        object.__setattr__(self, "decoded", [])

    def encode(self, images, y=None):
        self.encoded.append(len(images))
        return super().encode(images, y)

    def decode(self, z, y=None):
        self.decoded.append(np.array(z))
        return super().decode(z, y)


def make_snapshot(seed: int = 0, latent_dim: int = 2, shape: tuple[int, int] = SHAPE) -> CountingSnapshot:
    rng = np.random.default_rng(seed)
    pixels, hidden = shape[0] * shape[1], 16
    weights = {}
    for prefix, sizes in (
        ("encoder", (pixels, hidden, 2 * latent_dim)),
        ("decoder", (latent_dim, hidden, pixels)),
    ):
        for i in range(2):
            weights[f"{prefix}.{i}.weight"] = rng.normal(0, 1, (sizes[i + 1], sizes[i])).astype(np.float32)
            weights[f"{prefix}.{i}.weight"] /= np.float32(np.sqrt(sizes[i]))
            weights[f"{prefix}.{i}.bias"] = rng.normal(0, 0.5, sizes[i + 1]).astype(np.float32)
    model = VaeConfig(latent_dim=latent_dim, hidden=(hidden,), activation="tanh")
    return CountingSnapshot(0, 0.0, model, DataSpec(ImageSpec(*shape)), weights, form=MlpForm("tanh"))


def make_dataset(train: int = 30, held_out: int = 20, shape: tuple[int, int] = SHAPE) -> ImageDataset:
    rng = np.random.default_rng(1)
    return ImageDataset(
        name="noise",
        source=DataSource(key="noise"),
        train_images=rng.integers(0, 256, (train, *shape), dtype=np.uint8),
        train_labels=np.arange(train, dtype=np.int64) % 3,
        held_out_images=rng.integers(0, 256, (held_out, *shape), dtype=np.uint8),
        held_out_labels=np.arange(held_out, dtype=np.int64) % 3,
        class_names=("boot", "bag", "coat"),
    )


def grabbed(widget: QWidget) -> np.ndarray:
    """The widget's pixels, RGB uint8, shape ``(height, width, 3)``."""
    return pixels_of(widget.grab().toImage())


def pixels_of(image: QImage) -> np.ndarray:
    """RGB uint8, shape ``(height, width, 3)``."""
    image = image.convertToFormat(QImage.Format.Format_RGB888)
    rows = np.frombuffer(image.constBits(), dtype=np.uint8).reshape(image.height(), -1)  # padded rows
    return rows[:, : 3 * image.width()].reshape(image.height(), image.width(), 3).copy()


def holds_enlarged(picture: np.ndarray, grey: np.ndarray, factor: int) -> bool:
    """Whether ``grey``, each pixel repeated ``factor`` times, lies exactly so in the RGB ``picture``."""
    wanted = np.repeat(np.repeat(grey, factor, 0), factor, 1)
    height, width = wanted.shape
    flat = np.where((picture == picture[..., :1]).all(-1), picture[..., 0].astype(int), -1)
    for top in range(flat.shape[0] - height + 1):
        starts = np.flatnonzero(flat[top, : flat.shape[1] - width + 1] == wanted[0, 0])
        for left in starts:
            if (flat[top : top + height, left : left + width] == wanted).all():
                return True
    return False
