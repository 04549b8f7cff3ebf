"""log p(x|z), log p(z) and their derivatives of a Snapshot, against torch.distributions and finite differences."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from vaeviewer.backend.config import Settings, updated
from vaeviewer.backend.models import likelihoods, registry
from vaeviewer.backend.models.interface import DataSpec, ImageSpec
from vaeviewer.backend.models.latent_model import LatentModel
from vaeviewer.backend.models.networks import numpy_densities
from vaeviewer.backend.snapshot import NumpySnapshot, Snapshot, snapshot_of
from vaeviewer.errors import NoDensityError

IMAGE = ImageSpec(8, 9)
LIKELIHOODS = [
    {"likelihood": "bernoulli"},
    {"likelihood": "gaussian"},
    {"likelihood": "gaussian", "gaussian_variance": "fixed", "gaussian_scale": 0.03},
    {"likelihood": "logistic"},
]
FAMILIES: list[dict[str, Any]] = [
    *({"family": "vae", "activation": "tanh", **of} for of in LIKELIHOODS),
    {"family": "vae", "network": "conv", "likelihood": "gaussian"},
    {"family": "vae", "network": "conv", "likelihood": "logistic"},
    {"family": "flow"},
    {"family": "vampprior", "components": 3},
    {"family": "vampprior", "learned_prior": "mixture", "components": 3},
    {"family": "conditional", "latent_dim": 3, "activation": "relu"},
    {"family": "semi-supervised", "variant": "M2", "likelihood": "gaussian"},
    {"family": "pca"},
]


def fresh(settings: dict[str, Any]) -> tuple[Snapshot, LatentModel]:
    """A model with weights of every kind, as a Snapshot and as torch has it, in float64."""
    hidden = {} if settings["family"] == "pca" else {"hidden": (12, 10)}
    config = updated(Settings(), **hidden, **settings).model
    data = DataSpec(IMAGE, 4, 20)
    model = registry.family(config.family).build(config, data)
    generator = torch.Generator().manual_seed(2)
    model.initialize(generator)
    with torch.no_grad():
        for name, tensor in model.state_dict().items():
            if tensor.is_floating_point() and not name.endswith("noise_variance"):
                tensor += 0.3 * torch.rand(tensor.shape, generator=generator)
    weights = {name: tensor.numpy().copy() for name, tensor in model.state_dict().items()}
    return snapshot_of(config, data, weights), model.double().eval()


def some(snapshot: Snapshot, codes: int = 7) -> tuple[Any, Any, Any]:
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (5, 8, 9), dtype=np.uint8)
    images[0], images[1] = 0, 255
    z = rng.normal(size=(codes, snapshot.model.latent_dim)).astype(np.float32)
    classes = snapshot.family.capabilities.uses_labels
    return images, z, rng.integers(0, 4, codes) if classes else None


def named(settings: dict[str, Any]) -> str:
    return "-".join(str(value) for value in settings.values())


@pytest.mark.parametrize("settings", FAMILIES, ids=named)
def test_densities_are_those_of_torch(settings: dict[str, Any]) -> None:
    snapshot, model = fresh(settings)
    images, z, y = some(snapshot)
    x = torch.tensor(images).double()[:, None, None] / 255
    with torch.no_grad():
        p_x = model.decode(torch.tensor(z).double(), None if y is None else torch.tensor(y))
        expected = p_x.log_prob(x).numpy()
        prior = model.prior()
        if settings["family"] == "vampprior":
            log_prior = prior.log_prob(torch.tensor(z).double()).numpy()
        else:
            log_prior = torch.distributions.Normal(0.0, 1.0).log_prob(torch.tensor(z).double()).sum(1).numpy()
    np.testing.assert_allclose(snapshot.log_likelihood(images, z, y), expected, rtol=2e-5, atol=2e-4)
    np.testing.assert_allclose(snapshot.log_prior(z), log_prior, rtol=1e-5, atol=1e-5)
    joint = snapshot.log_joint(images, z, y)
    np.testing.assert_allclose(joint, expected + log_prior, rtol=2e-5, atol=2e-4)
    pairs = snapshot.densities(images, z[:5], None if y is None else y[:5])
    np.testing.assert_allclose(pairs.log_joint, np.diagonal(joint), rtol=2e-5, atol=4e-4)


@pytest.mark.parametrize("settings", FAMILIES, ids=named)
def test_the_score_is_what_finite_differences_say(settings: dict[str, Any]) -> None:
    snapshot, model = fresh(settings)
    images, z, y = some(snapshot)
    x, classes = torch.tensor(images[2:3]).double()[:, None] / 255, None if y is None else torch.tensor(y)

    def log_joint(codes: torch.Tensor) -> torch.Tensor:
        return model.decode(codes, classes).log_prob(x) + model.prior().log_prob(codes)

    score, step = snapshot.score(images[2], z, y), 1e-6
    assert score.shape == z.shape
    with torch.no_grad():
        for i in range(z.shape[1]):
            moved = torch.zeros(z.shape[1]).double()
            moved[i] = step
            codes = torch.tensor(z).double()
            expected = ((log_joint(codes + moved) - log_joint(codes - moved)) / (2 * step)).numpy()
            np.testing.assert_allclose(score[:, i], expected, rtol=1e-3, atol=2e-3)


def test_numpy_computes_what_it_can() -> None:
    by_hand = {named(of) for of in FAMILIES if fresh(of)[0].density_form is not None}
    torches = {named(of) for of in FAMILIES} - by_hand
    assert torches == {"vae-tanh-logistic", "vae-conv-gaussian", "vae-conv-logistic", "flow"}
    assert isinstance(fresh(FAMILIES[3])[0], NumpySnapshot)  # it decodes there all the same


def test_a_table_sees_images_as_the_protocol_says() -> None:
    snapshot, _ = fresh(FAMILIES[0])
    images, z, _ = some(snapshot)
    cut = snapshot_of(snapshot.model, snapshot.data, snapshot.weights, protocol="dynamic")
    table = cut.likelihood_table(z)
    assert len(table) == len(z)
    white = (images > 127).astype(np.float32)
    np.testing.assert_array_equal(table.log_likelihood(images), snapshot.log_likelihood(white, z))
    np.testing.assert_array_equal(table.log_likelihood(white.reshape(5, 72)), table.log_likelihood(images))
    np.testing.assert_array_equal(
        cut.densities(images, z[:5]).log_likelihood, snapshot.densities(white, z[:5]).log_likelihood
    )


def test_certain_pixels_stay_finite() -> None:
    """Where a probability rounds to one, its logarithm is taken of the logit."""
    snapshot, _ = fresh(FAMILIES[0])
    weights = {name: np.array(array) for name, array in snapshot.weights.items()}
    weights["decoder.2.bias"] = np.full(72, 200.0, np.float32)
    sure = snapshot_of(snapshot.model, snapshot.data, weights)
    black = np.zeros((1, 8, 9), np.uint8)
    z = np.zeros((1, 2), np.float32)
    assert -72 * 215 < sure.log_likelihood(black, z)[0, 0] < -72 * 185
    assert np.isfinite(sure.score(black[0], z)).all()


@pytest.mark.parametrize(
    ("key", "word"), [("gan", "likelihood"), ("autoencoder", "likelihood"), ("semi-supervised", "features")]
)
def test_models_without_a_density_say_so(key: str, word: str) -> None:
    snapshot, _ = fresh({"family": key, "latent_dim": 2})
    images, z, _ = some(snapshot)
    for ask in (
        lambda: snapshot.log_likelihood(images, z),
        lambda: snapshot.likelihood_table(z),
        lambda: snapshot.score(images[0], z),
    ):
        with pytest.raises(NoDensityError, match=word):
            ask()
    if key == "autoencoder":
        with pytest.raises(NoDensityError, match="no prior"):
            snapshot.log_prior(z)


def test_the_bound_of_gaussian_variances_is_the_same() -> None:
    assert numpy_densities.MIN_GAUSSIAN_LOG_VARIANCE == likelihoods.MIN_GAUSSIAN_LOG_VARIANCE
