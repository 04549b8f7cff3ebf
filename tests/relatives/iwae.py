"""The importance weighted autoencoder: its bound over the ELBO of the same weights, rising with k, and log p(x)."""

from __future__ import annotations

import torch
from figures import Figure, images_of, trained
from torch import Tensor

from vaeviewer.backend.models.families.iwae import log_mean, posterior, weighed
from vaeviewer.backend.models.families.vae import elbo_terms
from vaeviewer.backend.models.latent_model import LatentModel

EPOCHS = 10
IMAGES, DRAWS = 500, 2_000
SAMPLES = (1, 5, 50, 500)


@torch.no_grad()
def log_weights(model: LatentModel, x: Tensor) -> Tensor:
    """log w of many codes of each image, ``(DRAWS, n)``."""
    generator, model = torch.Generator().manual_seed(0), model.eval()
    q = posterior(model, x)
    parts = [
        weighed(model, x, q, torch.randn(10, *q.loc.shape, generator=generator))[1]
        for _ in range(DRAWS // 10)
    ]
    return torch.cat(parts)


def measure(data: str) -> dict[str, Figure]:
    """Bounds and log p(x) of held-out images, nats, of the IWAE and of a VAE trained for as many epochs."""
    x = torch.tensor(images_of(data).held_out_images[:IMAGES])[:, None] / 255
    figures = {}
    for family in ("iwae", "vae"):
        trainer, seconds = trained(data, family, epochs=EPOCHS)
        log_weight = log_weights(trainer._model, x)
        with torch.no_grad():
            terms, q = elbo_terms(trainer._model, x, torch.randn(50, len(x), 2))
        elbo = (terms["reconstruction"] - terms["kl"]).mean().item()
        bounds = {k: log_mean(log_weight.view(k, -1, len(x))).mean().item() for k in SAMPLES}
        figures[f"{family}_elbo"] = Figure(elbo)
        if family == "iwae":
            for fewer, more in zip((1, *SAMPLES[:-1]), SAMPLES, strict=True):
                least = elbo - 0.1 if more == 1 else bounds[fewer]
                figures[f"iwae_bound_of_{more}"] = Figure(bounds[more], at_least=least)
        evidence = log_mean(log_weight).mean().item()
        figures[f"{family}_log_px_{DRAWS}_samples"] = Figure(evidence, at_least=bounds[SAMPLES[-1]])
        figures[f"{family}_posterior_scale"] = Figure(q.scale.median().item())
        figures[f"{family}_seconds"] = Figure(seconds)
    return figures
