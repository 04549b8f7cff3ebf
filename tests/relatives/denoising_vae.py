"""The denoising VAE beside the plain one, both shown damaged images: Im et al. 2017."""

from __future__ import annotations

import torch
from figures import Figure, images_of, trained
from torch.distributions import Normal

from vaeviewer.backend.models.families.denoising import corrupted
from vaeviewer.backend.models.families.denoising_vae import DenoisingVaeConfig
from vaeviewer.backend.models.families.vae import kl_by_dimension
from vaeviewer.backend.models.interface import Batch
from vaeviewer.backend.models.latent_model import LatentModel

EPOCHS, DRAWS = 10, 20


def bound(model: LatentModel, x: torch.Tensor, seen: torch.Tensor) -> float:
    """A bound on log p(x), nats: the mean of E[log p(x|z)] − KL(q(z|x̃) ‖ p(z)) with what the encoder sees."""
    found = 0.0
    with torch.no_grad():
        q = model.eval().encode(seen)
        assert isinstance(q, Normal), "both have one"
        for _ in range(DRAWS):
            found += float(model.decode(q.rsample()).log_prob(x).mean()) / DRAWS
    return found - float(kl_by_dimension(q).sum(-1).mean())


def measure(data: str) -> dict[str, Figure]:
    """Bounds from damaged and from whole held-out images, of both kinds."""
    denoising, seconds = trained(data, "denoising-vae", epochs=EPOCHS)
    plain, _ = trained(data, "vae", epochs=EPOCHS)
    config = denoising.settings.model
    assert isinstance(config, DenoisingVaeConfig)
    x = torch.tensor(images_of(data).held_out_images)[:, None] / 255
    damaged = corrupted(Batch(x, None, torch.arange(len(x)), torch.Generator().manual_seed(0)), config)
    torch.manual_seed(0)
    of_plain = bound(plain._model, x, damaged)
    return {
        "bound from damaged images, nats": Figure(bound(denoising._model, x, damaged), at_least=of_plain),
        "the VAE's from the same": Figure(of_plain),
        "from whole images": Figure(bound(denoising._model, x, x)),
        "the VAE's": Figure(bound(plain._model, x, x)),
        f"seconds of training, {EPOCHS} epochs": Figure(seconds),
    }
