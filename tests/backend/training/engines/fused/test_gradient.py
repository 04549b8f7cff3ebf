"""The gradient written by hand is the gradient of the model's terms, for every shape of network."""

from __future__ import annotations

import itertools

import pytest
import torch

from vaeviewer.backend.models.families.vae import FAMILY, VaeConfig, elbo_terms
from vaeviewer.backend.models.interface import DataSpec, ImageSpec
from vaeviewer.backend.models.latent_model import LatentModel
from vaeviewer.backend.training.engines.fused.flat import FlatParameters
from vaeviewer.backend.training.engines.fused.gradient import ElboGradient
from vaeviewer.backend.training.randomness import named_generator


def make(model: VaeConfig, pixels: int, dtype: torch.dtype) -> LatentModel:
    vae = FAMILY.build(model, DataSpec(ImageSpec(1, pixels)))
    vae.initialize(named_generator(4, "weights"))
    with torch.no_grad():
        for parameter in vae.parameters():  # biases start at zero, where a mistake could hide
            parameter.add_(0.1 * torch.randn(parameter.shape, generator=named_generator(4, "more")))
    return vae.to(dtype)


def by_autograd(
    vae: LatentModel, x: torch.Tensor, noise: torch.Tensor, beta: float
) -> dict[str, torch.Tensor]:
    """The plain path."""
    terms, q = elbo_terms(vae, x.view(len(x), 1, 1, -1), noise)
    loss = (beta * terms["kl"] - terms["reconstruction"]).mean()
    grads = torch.autograd.grad(loss, list(vae.parameters()))
    found = dict(zip(dict(vae.named_parameters()), grads, strict=True))
    found |= {key: values.mean().detach() for key, values in terms.items()}
    found["loc"], found["log_variance"] = q.loc.detach(), 2 * q.scale.log().detach()
    return found


def by_hand(
    model: VaeConfig, vae: LatentModel, x: torch.Tensor, noise: torch.Tensor, beta: float, dtype: torch.dtype
) -> dict[str, torch.Tensor]:
    gradient = ElboGradient(model, vae, dtype)
    gradient.parameters.grad.fill_(float("nan"))  # every number must be written
    terms = gradient(x, noise, beta)
    return {**gradient.parameters.views(gradient.parameters.grad), **terms._asdict()}


@pytest.mark.parametrize(
    ("activation", "hidden"),
    [*itertools.product(["tanh", "relu", "silu"], [(24,), (24, 12), (24, 12, 6)])],
)
@pytest.mark.parametrize(("samples", "dim", "beta"), [(1, 2, 1.0), (3, 5, 4.0)])
def test_it_is_the_gradient(
    activation: str, hidden: tuple[int, ...], samples: int, dim: int, beta: float
) -> None:
    model = VaeConfig(latent_dim=dim, hidden=hidden, activation=activation)
    vae = make(model, 30, torch.float64)
    x = torch.rand(16, 30, dtype=torch.float64)
    noise = torch.randn(samples, 16, dim, dtype=torch.float64)
    expected = by_autograd(vae, x, noise, beta)
    found = by_hand(model, vae, x, noise, beta, torch.float64)
    assert found.keys() == expected.keys()
    for name in expected:
        torch.testing.assert_close(found[name], expected[name], rtol=1e-9, atol=1e-12, msg=name)


def test_bounded_log_variances_have_no_gradient_beyond_the_bound() -> None:
    model = VaeConfig(hidden=(8,))
    vae = make(model, 10, torch.float64)
    with torch.no_grad():
        vae.encoder[-1].bias.copy_(torch.tensor([0.0, 0.0, 30.0, -30.0]))
    x, noise = torch.rand(4, 10, dtype=torch.float64), 1e-4 * torch.randn(1, 4, 2, dtype=torch.float64)
    expected = by_autograd(vae, x, noise, 1.0)
    found = by_hand(model, vae, x, noise, 1.0, torch.float64)
    for name in expected:
        torch.testing.assert_close(found[name], expected[name], rtol=1e-9, atol=1e-12, msg=name)


@pytest.mark.parametrize("logit", [-200.0, -30.0, 0.0, 30.0, 200.0])
def test_extreme_logits_keep_their_log_density(logit: float) -> None:
    model = VaeConfig(hidden=(4,))
    vae = make(model, 6, torch.float32)
    with torch.no_grad():
        vae.decoder[-1].weight.zero_()
        vae.decoder[-1].bias.fill_(logit)
    x, noise = torch.rand(3, 6), torch.randn(1, 3, 2)
    expected = by_autograd(vae, x, noise, 1.0)["reconstruction"]
    found = by_hand(model, vae, x, noise, 1.0, torch.float32)["reconstruction"]
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-5)


def test_bfloat16_products_leave_the_direction_and_the_posterior() -> None:
    model = VaeConfig(hidden=(64, 32))
    vae = make(model, 100, torch.float32)
    x, noise = torch.rand(64, 100), torch.randn(1, 64, 2)
    expected = by_autograd(vae, x, noise, 1.0)
    found = by_hand(model, vae, x, noise, 1.0, torch.bfloat16)
    for name in dict(vae.named_parameters()):
        a, b = found[name].flatten(), expected[name].flatten()
        assert torch.cosine_similarity(a, b, dim=0) > 0.999, name
        assert a.dtype == torch.float32
    assert abs(found["reconstruction"] - expected["reconstruction"]) < 0.1
    # Means of float32, not multiples of a bfloat16 step.
    assert not torch.equal(found["loc"], found["loc"].bfloat16().float())


def test_flat_parameters_are_the_models() -> None:
    vae = make(VaeConfig(hidden=(8,)), 12, torch.float32)
    before = {name: p.detach().clone() for name, p in vae.named_parameters()}
    flat = FlatParameters(vae, first=["decoder.1.weight"])
    assert all(torch.equal(p, before[name]) for name, p in vae.named_parameters())
    with torch.no_grad():
        flat.values.mul_(2.0)
    assert all(torch.equal(p, 2 * before[name]) for name, p in vae.named_parameters())
    assert next(iter(flat.views(flat.grad))) == "decoder.1.weight"
    assert sum(p.numel() for p in vae.parameters()) == len(flat.values)


@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16])
def test_memory_that_is_used_again_leaves_no_trace(dtype: torch.dtype) -> None:
    model = VaeConfig(hidden=(12, 6))
    own = torch.float32 if dtype == torch.bfloat16 else dtype
    gradient = ElboGradient(model, make(model, 30, own), dtype)
    for n in (16, 16, 7, 16):
        x, noise = torch.rand(n, 30, dtype=own), torch.randn(1, n, 2, dtype=own)
        fresh = ElboGradient(model, make(model, 30, own), dtype)
        for found, expected in zip(gradient(x, noise, 1.0), fresh(x, noise, 1.0), strict=True):
            assert torch.equal(found, expected)
        assert torch.equal(gradient.parameters.grad, fresh.parameters.grad)
