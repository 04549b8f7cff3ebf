"""The adversarial autoencoder: whether codes follow priors that are no Gaussians."""

from __future__ import annotations

import math

import numpy as np
import torch
from figures import Figure, trained

from vaeviewer.backend.models.networks.aae import discrepancy

CODES = 10_000
"""As many held-out codes at most, as many draws of the prior, and of a Gaussian."""

EPOCHS = 5


def measure(data: str) -> dict[str, Figure]:
    """The maximum mean discrepancy to the prior, of codes and of a Gaussian of their mean and covariance."""
    figures = {}
    for prior in ("swiss-roll", "mixture"):
        model, seconds = trained(data, "adversarial", prior, epochs=EPOCHS)
        found = model.snapshot().encode(model.dataset.held_out_images[:CODES])
        assert found is not None
        assert model.held_out is not None
        codes = found[0]
        gaussian = np.random.default_rng(0).multivariate_normal(codes.mean(0), np.cov(codes.T), len(codes))
        torch.manual_seed(0)
        drawn = model._model.prior().sample(torch.Size((len(codes),)))
        squared = {
            name: float(discrepancy(torch.tensor(points, dtype=torch.float32), drawn).mean())
            for name, points in (("codes", codes), ("gaussian", gaussian))
        }
        bar = math.sqrt(max(0.0, squared["gaussian"]))
        figures |= {
            f"{prior}: discrepancy of codes": Figure(math.sqrt(max(0.0, squared["codes"])), at_most=bar),
            f"{prior}: the same of a Gaussian": Figure(bar),
            f"{prior}: held-out squared error": Figure(model.held_out.values["squared_error"]),
            f"{prior}: seconds of training, {EPOCHS} epochs": Figure(seconds),
        }
    return figures
