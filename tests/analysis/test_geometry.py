"""The metric of all kinds of decoders, against Fisher information by definition, with finite differences of them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.distributions import Bernoulli, Independent, Normal

from vaeviewer.analysis.geometry import DecoderSurface, is_fisher, magnification, metric
from vaeviewer.analysis.latent_plane import LatentPlane, axes_plane, principal_plane
from vaeviewer.backend.config import Settings, updated
from vaeviewer.backend.models import registry
from vaeviewer.backend.models.interface import DataSpec, ImageSpec
from vaeviewer.backend.models.latent_model import LatentModel
from vaeviewer.backend.models.likelihoods import DiscretisedLogistic
from vaeviewer.backend.snapshot import Snapshot, snapshot_of

FAMILIES: list[dict[str, Any]] = [
    {"family": "vae"},
    {"family": "vae", "activation": "silu", "latent_dim": 4},
    {"family": "vae", "likelihood": "gaussian"},
    {"family": "vae", "likelihood": "logistic"},
    {"family": "vae", "network": "conv"},
    {"family": "vae", "network": "conv", "likelihood": "gaussian", "latent_dim": 3},
    {"family": "conditional", "activation": "tanh"},
    {"family": "semi-supervised", "variant": "M2"},
    {"family": "semi-supervised", "variant": "M1+M2"},
    {"family": "pca"},
    {"family": "autoencoder", "tied": True},
    {"family": "gan"},
    {"family": "gan", "network": "conv"},
    {"family": "vae", "latent_dim": 1},
]


def fresh(settings: dict[str, Any]) -> tuple[Snapshot, LatentModel, LatentPlane, int | None]:
    """A model as a Snapshot and as torch has it in float64, a plane of its codes and a class."""
    hidden = {} if settings["family"] == "pca" else {"hidden": (14, 12)}
    config = updated(Settings(), **hidden, **settings).model
    data = DataSpec(ImageSpec(8, 9), 4, 20)
    model = registry.family(config.family).build(config, data)
    generator = torch.Generator().manual_seed(5)
    model.initialize(generator)
    with torch.no_grad():
        for name, tensor in model.state_dict().items():
            if tensor.is_floating_point() and not name.endswith(("noise_variance", "running_var")):
                tensor += 0.1 * torch.randn(tensor.shape, generator=generator)
    weights = {name: tensor.numpy().copy() for name, tensor in model.state_dict().items()}
    snapshot = snapshot_of(config, data, weights)
    codes = np.random.default_rng(1).normal(size=(50, config.latent_dim)).astype(np.float32)
    plane = principal_plane(codes) if config.latent_dim > 2 else axes_plane(config.latent_dim)
    chooses = bool(snapshot.family.class_names(config, ("a", "b", "c", "d")))
    return snapshot, model.double().eval(), plane, 2 if chooses else None


def by_definition(model: LatentModel, fisher: bool, z: Tensor, directions: Tensor, y: int | None) -> Tensor:
    """E[s sᵀ] of the derivatives s of log p(x|z) along directions, by finite differences, summed over pixels.

    The expectation is over both values of a Bernoulli pixel, over the levels of a logistic one, and for a Gaussian one
    at the two places where its standardised square is 1. Without a density: the mean's squared differences.
    """
    step = 1e-4
    classes = None if y is None else torch.full((1,), y)

    def decoded(at: Tensor) -> Any:
        found = model.decode(at[None], classes)
        return found.base_dist if isinstance(found, Independent) else found

    here = decoded(z)
    ends = [(decoded(z + step * way), decoded(z - step * way)) for way in directions]
    if not fisher:
        slopes = torch.stack([(a.mean - b.mean).flatten() / (2 * step) for a, b in ends])
        return slopes @ slopes.T
    if isinstance(here, Bernoulli):
        values = [torch.zeros_like(here.probs), torch.ones_like(here.probs)]
        chances = [1 - here.probs, here.probs]
    elif isinstance(here, Normal):
        values = [here.mean - here.stddev, here.mean + here.stddev]
        chances = [torch.full_like(here.mean, 0.5)] * 2
    else:
        assert isinstance(here, DiscretisedLogistic)
        values = [torch.full_like(here.loc, level / 255) for level in range(256)]
        chances = [here.log_prob(value).exp() for value in values]
    total = torch.zeros(len(directions), len(directions), dtype=torch.float64)
    for value, chance in zip(values, chances, strict=True):
        scores = torch.stack(
            [((a.log_prob(value) - b.log_prob(value)) / (2 * step)).flatten() for a, b in ends]
        )
        total += (scores * chance.flatten()) @ scores.T
    return total


@pytest.mark.slow
@pytest.mark.parametrize("settings", FAMILIES, ids=lambda of: "-".join(map(str, of.values())))
@torch.no_grad()
def test_the_metric_is_the_fisher_information_pulled_back(settings: dict[str, Any]) -> None:
    snapshot, model, plane, y = fresh(settings)
    surface = DecoderSurface(snapshot, plane, y)
    points = np.random.default_rng(3).normal(size=(5, surface.coordinates)).astype(np.float32)
    found = metric(surface, points)
    directions = torch.tensor(np.stack([plane.u, plane.v])[: surface.coordinates]).double()
    codes = torch.tensor(surface.codes(points)).double()
    expected = np.stack([by_definition(model, is_fisher(snapshot), z, directions, y).numpy() for z in codes])
    assert np.abs(expected).min(axis=0).max() > 0.0
    np.testing.assert_allclose(found, expected, rtol=0.01, atol=0.002 * np.abs(expected).max())
    areas = np.sqrt(np.linalg.det(expected))
    np.testing.assert_allclose(magnification(surface, points), areas, rtol=0.01, atol=1e-3 * areas.max())
    np.testing.assert_array_equal(surface.at(points), surface.with_jacobian(points)[0])
