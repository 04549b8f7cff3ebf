"""Held-out figures with fixed noise, the same for every run, so that figures can be compared."""

from __future__ import annotations

import torch

from vaeviewer.backend.data.base import ImageDataset
from vaeviewer.backend.data.pixels import pixels
from vaeviewer.backend.models.vae import VAE
from vaeviewer.backend.runs.folder import HeldOut
from vaeviewer.backend.training.randomness import named_generator

HELD_OUT_DRAWS = 2_000
"""Held-out figures use at least this many draws of z in all: two per image for 1,000 images, one for 10,000."""

EVALUATION_SEED = 1312_6114
"""Seed of the fixed noise."""

CHUNK_ROWS = 4096
"""Rows decoded at a time."""


class HeldOutImages:
    """A data set's held-out images under a protocol, on a device, with their noise.

    Args:
        dataset: Its held-out images are copied to the device.
        protocol: ``grey``, ``dynamic`` (binarised once, by fixed draws) or ``threshold``.
        latent_dim: Of the models to evaluate.
        device: Where they compute.
    """

    def __init__(self, dataset: ImageDataset, protocol: str, latent_dim: int, device: torch.device) -> None:
        m = len(dataset.held_out_images)
        samples = -(-HELD_OUT_DRAWS // m)
        # Drawn on the CPU, so that every device sees the same binary images and noise.
        images = torch.tensor(dataset.held_out_images.reshape(m, -1))
        x = pixels(images, protocol, named_generator(EVALUATION_SEED, "pixels"))
        noise = torch.randn(samples, m, latent_dim, generator=named_generator(EVALUATION_SEED, "noise"))
        self._x = x.to(device)  # (m, pixels)
        self._noise = noise.to(device)  # (samples, m, latent_dim)

    @torch.no_grad()
    def evaluate(self, model: VAE) -> HeldOut:
        """The ELBO and its terms, float32 throughout, averaged over images; nats per image."""
        samples, m, _ = self._noise.shape
        totals = torch.zeros(2, dtype=torch.float64)
        chunk = max(1, CHUNK_ROWS // samples)
        for start in range(0, m, chunk):
            part = slice(start, start + chunk)
            terms = model.terms(self._x[part], self._noise[:, part])
            totals += torch.stack([terms.reconstruction.sum(), terms.kl.sum()]).cpu()
        reconstruction, kl = (totals / m).tolist()
        return HeldOut(reconstruction - kl, reconstruction, kl, samples)
