"""Exact maximum likelihood: log p(x) and smoothness beside those of a VAE and an IWAE trained for about as long."""

from __future__ import annotations

import torch
from figures import Figure, images_of, trained
from flow import log_evidence
from torch import Tensor

from vaeviewer.analysis.smoothness import smoothness
from vaeviewer.backend.data.pixels import as_tensor
from vaeviewer.backend.models.latent_model import LatentModel
from vaeviewer.backend.training.randomness import named_generator

RUNS = (("vae", "default", 40), ("iwae", "default", 14), ("exact", "binarised", 30))
"""Kinds of model, presets, epochs."""

TRAINING_IMAGES = 2_500
"""So many of those trained on are judged, too: such models overfit."""

AT_ONCE = 2_500

LEAST = {"vae": -132.0, "exact": -125.0}
ROUGHEST = 0.5


def measure(data: str) -> dict[str, Figure]:
    """log p(x) of all held-out images, binarised once, by quadrature; see the module."""
    images, draws = images_of(data), named_generator(7, "pixels")
    held_out = torch.bernoulli(as_tensor(images.held_out_images) / 255, generator=draws)[:, None]
    seen = torch.bernoulli(as_tensor(images.train_images[:TRAINING_IMAGES]) / 255, generator=draws)[:, None]
    figures: dict[str, Figure] = {}
    for family, preset, epochs in RUNS:
        trainer, seconds = trained(data, family, preset, protocol="dynamic", epochs=epochs)
        model, found = trainer._model.eval(), trainer.held_out

        def evidence(x: Tensor, model: LatentModel = model) -> float:
            return torch.cat([log_evidence(model, part) for part in torch.split(x, AT_ONCE)]).mean().item()

        assert found is not None
        figures |= {
            f"{family}, held-out log p(x), nats": Figure(
                evidence(held_out), at_least=LEAST.get(family) if data else None
            ),
            f"{family}, training log p(x), nats": Figure(evidence(seen)),
            f"{family}, held-out ELBO, nats": Figure(found.values["elbo"]),
            f"{family}, smoothness, nats": Figure(
                smoothness(trainer.snapshot()), at_most=ROUGHEST if family == "exact" else None
            ),
            f"{family}, seconds for {epochs} epochs": Figure(seconds, at_most=600.0),
        }
    return figures
