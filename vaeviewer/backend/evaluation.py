"""Held-out figures with fixed noise, the same for every run, so that figures can be compared."""

from __future__ import annotations

import torch

from vaeviewer.backend.chunks import MOST_ROWS, parts, rows_at_once, widest
from vaeviewer.backend.config import ModelConfig
from vaeviewer.backend.datasets.base import ImageDataset
from vaeviewer.backend.models.vae import VAE
from vaeviewer.backend.pixels import as_tensor, seen_levels, to_unit
from vaeviewer.backend.randomness import named_generator
from vaeviewer.backend.run_folder import HeldOut

HELD_OUT_DRAWS = 2_000
"""Held-out figures use at least this many draws of z in all: two per image for 1,000 images, one for 10,000."""

EVALUATION_SEED = 1312_6114
"""Seed of the fixed noise."""


class HeldOutImages:
    """A data set's held-out images under a protocol, on a device, with their noise.

    Args:
        dataset: Its held-out images are copied to the device, or read where they are on a CPU.
        protocol: ``grey``, ``dynamic`` (binarised once, by fixed draws) or ``threshold``.
        model: Settings of the models to evaluate.
        device: Where they compute.
    """

    def __init__(
        self, dataset: ImageDataset, protocol: str, model: ModelConfig, device: torch.device
    ) -> None:
        m = len(dataset.held_out_images)
        samples = -(-HELD_OUT_DRAWS // m)
        images = as_tensor(dataset.held_out_images.reshape(m, -1))
        self._rows = rows_at_once(samples * widest(model, images.shape[1]), most=max(1, MOST_ROWS // samples))
        # Drawn on the CPU, so that every device sees the same binary images and noise.
        draws = named_generator(EVALUATION_SEED, "pixels")
        levels = images if protocol == "grey" else torch.empty_like(images)
        if protocol != "grey":
            for part in parts(m, self._rows):
                levels[part] = seen_levels(images[part], protocol, draws)
        noise = torch.randn(samples, m, model.latent_dim, generator=named_generator(EVALUATION_SEED, "noise"))
        self._levels = levels.to(device)  # (m, pixels), uint8
        self._noise = noise.to(device)  # (samples, m, latent_dim)

    @torch.no_grad()
    def evaluate(self, model: VAE) -> HeldOut:
        """The ELBO and its terms, float32 throughout, averaged over images; nats per image."""
        samples, m, _ = self._noise.shape
        totals = torch.zeros(2, dtype=torch.float64)
        for part in parts(m, self._rows):
            terms = model.terms(to_unit(self._levels[part]), self._noise[:, part])
            totals += torch.stack([terms.reconstruction.sum(), terms.kl.sum()]).cpu()
        reconstruction, kl = (totals / m).tolist()
        return HeldOut(reconstruction - kl, reconstruction, kl, samples)
