"""The flow posterior: KL(q(z|x) ‖ p(z|x)) = log p(x) − ELBO beside the Gaussian posterior's at equal epochs."""

from __future__ import annotations

import math

import torch
from figures import Figure, images_of, trained
from torch import Tensor

from vaeviewer.backend.models.families import flow, vae
from vaeviewer.backend.models.latent_model import LatentModel

EPOCHS, SEEDS = 5, (0, 1, 2)
IMAGES, DRAWS = 500, 100
REACH, SIDE, ROWS = 5.0, 600, 8_000
"""Log p(x) is a sum over a grid of SIDE × SIDE points from −REACH to REACH, 0.017 apart."""


@torch.no_grad()
def log_evidence(model: LatentModel, x: Tensor) -> Tensor:
    """log p(x) of Bernoulli images ``(n, 1, H, W)`` by quadrature over both numbers of z, ``(n,)``."""
    side, pixels = torch.linspace(-REACH, REACH, SIDE), x.flatten(1)
    log_cell = 2 * math.log(2 * REACH / (SIDE - 1))
    most, total = torch.full((len(x),), -torch.inf), torch.zeros(len(x))
    for z in torch.cartesian_prod(side, side).split(ROWS):
        logits = model.decode(z).base_dist.logits.flatten(1)  # type: ignore[attr-defined]
        fixed = model.prior().log_prob(z) - torch.nn.functional.softplus(logits).sum(1)
        log_joint = pixels @ logits.T + fixed
        more = torch.maximum(most, log_joint.amax(1))
        part = (log_joint - more[:, None]).clamp(min=-80.0).exp().sum(1)
        most, total = more, total * (most - more).exp() + part
    return most + total.log() + log_cell


def measure(data: str) -> dict[str, Figure]:
    """Held-out ELBO, log p(x) and the gap between them, nats, for three seeds."""
    x = torch.tensor(images_of(data).held_out_images[:IMAGES])[:, None] / 255
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
            evidence = log_evidence(model, x).mean().item()
            name, gap = f"{key}_seed_{seed}", evidence - elbo
            figures[f"{name}_elbo"], figures[f"{name}_log_px"] = Figure(elbo), Figure(evidence)
            figures[f"{name}_gap"] = Figure(gap, at_most=gaussian)
            figures[f"{name}_seconds"] = Figure(seconds)
            gaussian = gap
    return figures
