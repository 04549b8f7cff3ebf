"""What training reads and leaves row by row: a row per training image."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.distributions import Distribution

from vaeviewer.backend.chunks import parts, rows_at_once
from vaeviewer.backend.config import Settings
from vaeviewer.backend.data.base import ImageDataset
from vaeviewer.backend.data.pixels import as_tensor, channels_first, pixels
from vaeviewer.backend.models.interface import ImageSpec
from vaeviewer.backend.models.latent_model import Bent, LatentModel, Point

_SEED = 1505_05770  # of the noise from which a code of each posterior is drawn


class TrainingRows:
    """The training images on a device, and the posteriors that steps leave while they pass.

    Args:
        images: uint8 grey levels, ``(n, values)`` in the order of ``(H, W, C)``, on the device.
        labels: Classes, int64 ``(n,)`` there, or ``None``.
        image: Size of an image.
        latent_dim: Of the posteriors.

    Attributes:
        images: As given.
        labels: As given.
        image: As given.
        loc: Posterior means, ``(n, latent_dim)``.
        log_variance: Logarithms of the posterior variances, likewise.
        has_scale: Whether posteriors have a variance, or are points.
        drawn: A code drawn from each posterior, from noise of its own that stays, likewise; ``None`` where means and
            variances say all.
        steps: How many steps had been taken when each row was written, ``(n,)``, int32.
    """

    def __init__(self, images: Tensor, labels: Tensor | None, image: ImageSpec, latent_dim: int) -> None:
        self.images, self.labels, self.image = images, labels, image
        self.loc = torch.zeros(len(images), latent_dim, device=images.device)
        self.log_variance = torch.zeros_like(self.loc)
        self.has_scale = False
        self.drawn: Tensor | None = None
        self._noise = torch.zeros(0)
        self.steps = torch.zeros(len(images), dtype=torch.int32, device=images.device)

    def __len__(self) -> int:
        return len(self.images)

    @torch.no_grad()
    def keep(self, rows: Tensor | slice, posterior: Distribution) -> None:
        """Note q(z|x) of some images."""
        self.loc[rows] = posterior.mean.float()
        if not isinstance(posterior, Point):
            self.has_scale = True
            self.log_variance[rows] = 2.0 * posterior.stddev.float().log()
        if isinstance(posterior, Bent):
            if self.drawn is None:
                generator = torch.Generator().manual_seed(_SEED)
                self._noise = torch.randn(self.loc.shape, generator=generator).to(self.loc.device)
                self.drawn = torch.zeros_like(self.loc)
            self.drawn[rows] = posterior.at(self._noise[rows])[0].float()

    @torch.no_grad()
    def encode(self, model: LatentModel, settings: Settings) -> None:
        """Note q(z|x) of every image, as a model that encodes has it now; without draws of pixels."""
        model.eval()
        for part in parts(len(self), rows_at_once(settings.model.widest(self.image.values))):
            found = model.remembered(part)
            if found is None:
                x = pixels(self.images[part], settings.train.protocol)
                found = model.encode(self.shaped(x), None if self.labels is None else self.labels[part])
            assert found is not None, "the family says that it encodes"
            self.keep(part, found)
        model.train()

    def shaped(self, levels: Tensor) -> Tensor:
        """Flat images as ``(n, C, H, W)``."""
        return channels_first(levels, self.image)


def rows_of(dataset: ImageDataset, settings: Settings, device: torch.device) -> TrainingRows:
    """A data set's training images on a device: on a CPU in its own memory, which nothing here writes to."""
    images = as_tensor(dataset.train_images.reshape(-1, dataset.image.values)).to(device)
    labels = None
    if settings.family.sees_labels(settings.model) and dataset.labelled:
        labels = torch.tensor(dataset.train_labels, device=device)
    return TrainingRows(images, labels, dataset.image, settings.model.latent_dim)


class SeenRows:
    """The training images as a model sees them, without draws: the interface's ``TrainingImages``.

    Args:
        rows: Has them.
        protocol: How a model sees pixels.
    """

    def __init__(self, rows: TrainingRows, protocol: str) -> None:
        self._rows, self._protocol = rows, protocol

    def __len__(self) -> int:
        return len(self._rows)

    def __getitem__(self, rows: slice | Tensor) -> Tensor:
        """Pixels in 0 … 1 of some, ``(k, C, H, W)``, on the device."""
        if isinstance(rows, Tensor):
            rows = rows.to(self._rows.images.device)
        return self._rows.shaped(pixels(self._rows.images[rows], self._protocol))
