"""The flow posterior: KL(q(z|x) ‖ p(z|x)) = log p(x) − ELBO beside the Gaussian posterior's at equal epochs."""

from __future__ import annotations

import math

import torch
from figures import Figure, images_of, mean_log_px, trained

from vaeviewer.backend.models.families import flow, vae

EPOCHS, SEEDS = 5, (0, 1, 2)
IMAGES, DRAWS = 500, 100


def measure(data: str) -> dict[str, Figure]:
    """Held-out ELBO, log p(x) and the gap between them, nats, for three seeds."""
    images = images_of(data).held_out_images[:IMAGES]
    x = torch.tensor(images)[:, None] / 255
    figures = {}
    for seed in SEEDS:
        gaussian = math.inf
        for key, terms_of in (("vae", vae.elbo_terms), ("flow", flow.elbo_terms)):
            trainer, seconds = trained(data, key, epochs=EPOCHS, seed=seed)
            model = trainer._model.eval()
            with torch.no_grad():
                noise = torch.randn(DRAWS, len(x), 2, generator=torch.Generator().manual_seed(0))
                parts = [terms_of(model, x, part)[0] for part in noise.split(10)]
            elbo = sum((p["reconstruction"] - p["kl"]).mean().item() for p in parts) / len(parts)
            log_px = mean_log_px(trainer.snapshot(), images)
            name, gap = f"{key}_seed_{seed}", log_px - elbo
            figures[f"{name}_elbo"], figures[f"{name}_log_px"] = Figure(elbo), Figure(log_px)
            figures[f"{name}_gap"] = Figure(gap, at_most=gaussian)
            figures[f"{name}_seconds"] = Figure(seconds)
            gaussian = gap
    return figures
