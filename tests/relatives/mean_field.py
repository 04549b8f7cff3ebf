"""Mean-field inference: 1,000 held-out images, the posterior of each optimised alone, against the network's."""

from __future__ import annotations

import torch
from figures import Figure, trained
from torch import Tensor
from torch.distributions import Normal

from vaeviewer.backend.data.pixels import as_tensor, channels_first, to_unit
from vaeviewer.backend.models.networks.mean_field import MeanField, spread

EPOCHS = 5
IMAGES = 1000
DRAWS = 256
STEPS = 100
"""Of the search: many, so that it ends at the optimum."""


def measure(data: str) -> dict[str, Figure]:
    """See the module."""
    trainer, seconds = trained(data, "mean-field", epochs=EPOCHS)
    held_out, model = trainer.held_out, trainer._model
    assert held_out is not None
    assert isinstance(model, MeanField)
    x = to_unit(channels_first(as_tensor(trainer.dataset.held_out_images[:IMAGES]), trainer.dataset.image))
    model.eval()._steps = STEPS
    noise = spread(DRAWS, trainer.settings.model.latent_dim, seed=5)
    with torch.no_grad():
        optimum, network = (_elbo(model, x, q, noise) for q in (model.search(x), model.by_network(x)))
    ahead = optimum - network
    return {
        "per-image optimum, nats": Figure(float(optimum.mean()), at_least=float(network.mean())),
        "amortized ELBO of the same, nats": Figure(float(network.mean())),
        "images whose optimum is below, by more than 0.05 nats": Figure(
            int((ahead < -0.05).sum()), at_most=0
        ),
        "farthest below, nats": Figure(float(ahead.min())),
        "median ahead, nats": Figure(float(ahead.median())),
        "held-out ELBO, search as set, nats": Figure(held_out.values["elbo"]),
        f"seconds for {EPOCHS} epochs": Figure(seconds),
    }


def _elbo(model: MeanField, x: Tensor, q: Normal, noise: Tensor) -> Tensor:
    found = []
    for part in torch.arange(len(x)).split(100):
        terms = model.elbo_terms(x[part], Normal(q.loc[part], q.scale[part]), noise)
        found.append(terms["reconstruction"] - terms["kl"])
    return torch.cat(found)
