"""The denoising autoencoder beside the plain one, both shown damaged images: Vincent et al. 2008."""

from __future__ import annotations

import torch
from figures import Figure, images_of, trained
from torch import Tensor

from vaeviewer.backend.models.families.denoising import DenoisingConfig, corrupted
from vaeviewer.backend.models.interface import Batch
from vaeviewer.backend.models.latent_model import LatentModel


def squares(a: Tensor, b: Tensor) -> float:
    """The mean over images of the squared error per pixel."""
    return float((a - b).square().mean())


def drawn(model: LatentModel, x: Tensor) -> Tensor:
    """What a model draws from the codes of images."""
    code = model.eval().encode(x)
    assert code is not None
    return model.decode(code.mean).mean


@torch.no_grad()
def measure(data: str) -> dict[str, Figure]:
    """Squared errors per pixel of what is drawn from damaged held-out images."""
    with torch.enable_grad():
        denoising, seconds = trained(data, "denoising")
        plain, _ = trained(data, "autoencoder")
    config = denoising.settings.model
    assert isinstance(config, DenoisingConfig)
    x = torch.tensor(images_of(data).held_out_images)[:, None] / 255
    noisy = corrupted(Batch(x, None, torch.arange(len(x)), torch.Generator().manual_seed(0)), config)
    own, of_plain = squares(noisy, x), squares(drawn(plain._model, noisy), x)
    return {
        "squared error per pixel": Figure(
            squares(drawn(denoising._model, noisy), x), at_most=min(own, of_plain)
        ),
        "the plain autoencoder's": Figure(of_plain),
        "the damaged images' own": Figure(own),
        "seconds of training": Figure(seconds),
    }
