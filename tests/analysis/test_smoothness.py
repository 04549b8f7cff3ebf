"""Smoothness against the metric tensor of a decoder, torch's divergences, and what cannot have it."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from vaeviewer.analysis.prior import prior_codes
from vaeviewer.analysis.smoothness import smoothness
from vaeviewer.backend.config import Settings, updated
from vaeviewer.backend.models import registry
from vaeviewer.backend.models.interface import DataSpec, ImageSpec
from vaeviewer.backend.models.latent_model import Autoencoder, LatentModel
from vaeviewer.backend.snapshot import Snapshot, snapshot_of
from vaeviewer.errors import NoDensityError


def fresh(family: str, **settings: object) -> tuple[Snapshot, LatentModel]:
    config = updated(Settings(), family=family, hidden=(7,), **settings).model
    data = DataSpec(ImageSpec(4, 3), 10, 5)
    model = registry.family(family).build(config, data)
    model.initialize(torch.Generator().manual_seed(1))
    if isinstance(model, Autoencoder):
        with torch.no_grad():
            for parameter in model.decoder.parameters():
                parameter.mul_(2.0)
    weights = {name: tensor.numpy().copy() for name, tensor in model.state_dict().items()}
    return snapshot_of(config, data, weights), model


@pytest.mark.parametrize("likelihood", ["bernoulli", "gaussian"])
def test_nearby_it_is_the_fisher_information(likelihood: str) -> None:
    """½ δᵀ G δ, over directions d²/4 · tr G on average, with G = Jᵀ I J by torch's Jacobian, I = 1/(p(1−p)) or 1/σ²."""
    snapshot, model = fresh("vae", likelihood=likelihood, gaussian_variance="fixed")
    z, distance = torch.tensor(prior_codes(snapshot, 300)), 0.01

    def mean(code: torch.Tensor) -> torch.Tensor:
        return model.decode(code[None]).mean.flatten()

    jacobian = torch.func.vmap(torch.func.jacrev(mean))(z)
    p = torch.func.vmap(mean)(z)
    information = 1.0 / (p * (1 - p)) if likelihood == "bernoulli" else torch.full_like(p, 1 / 0.25**2)
    trace = torch.einsum("npd,np,npd->n", jacobian, information, jacobian).detach().numpy()
    low, high = np.quantile(trace, (0.4, 0.6)) * distance**2 / 4
    assert low < smoothness(snapshot, distance, 300) < high
    halved = smoothness(snapshot, distance / 2, 300)
    assert halved == pytest.approx(smoothness(snapshot, distance, 300) / 4, rel=0.05)


def test_certain_pixels_have_finite_divergences() -> None:
    snapshot, model = fresh("vae")
    weights = {name: tensor.numpy().copy() for name, tensor in model.state_dict().items()}
    weights["decoder.1.bias"][:] = 60.0
    found = smoothness(snapshot_of(snapshot.model, snapshot.data, weights))
    assert 0.0 <= found < 1e-3


@pytest.mark.parametrize("family", ["conditional", "vampprior", "exact"])
def test_other_kinds_have_it_too_always_the_same(family: str) -> None:
    snapshot, _ = fresh(family)
    assert smoothness(snapshot) == smoothness(snapshot) > 0


def test_what_has_none_says_why() -> None:
    with pytest.raises(NoDensityError, match="no likelihood"):
        smoothness(fresh("autoencoder")[0])
    with pytest.raises(NoDensityError, match="no closed form"):
        smoothness(fresh("vae", likelihood="logistic")[0])
