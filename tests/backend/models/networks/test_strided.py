"""Strided convolutions with the weights' gradient as a product are torch's own ones."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from vaeviewer.backend.models.networks.strided import Doubling, Halving, StridedByProducts

KINDS = pytest.mark.parametrize("transposed", [False, True], ids=["halving", "doubling"])


def example(transposed: bool) -> tuple[Tensor, Tensor, Tensor]:
    generator = torch.Generator().manual_seed(2)

    def draw(*shape: int) -> Tensor:
        return torch.randn(*shape, generator=generator, dtype=torch.float64).requires_grad_()

    if transposed:
        return draw(3, 2, 3, 2), draw(2, 4, 4, 4), draw(4)
    return draw(3, 2, 6, 4), draw(4, 2, 4, 4), draw(4)


@KINDS
def test_values_and_gradients_are_torchs(transposed: bool) -> None:
    inputs = example(transposed)
    convolve: Any = functional.conv_transpose2d if transposed else functional.conv2d
    expected = convolve(*inputs, stride=2, padding=1)
    found = StridedByProducts.apply(*inputs, transposed)
    torch.testing.assert_close(found, expected)
    seen = torch.randn_like(expected)
    for mine, theirs in zip(
        torch.autograd.grad(found, inputs, seen), torch.autograd.grad(expected, inputs, seen), strict=True
    ):
        torch.testing.assert_close(mine, theirs)


@pytest.mark.slow
@KINDS
def test_gradients_have_gradients(transposed: bool) -> None:
    """Penalties on gradients, such as those of GANs, differentiate twice."""

    def convolved(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
        return StridedByProducts.apply(x, weight, bias, transposed)

    assert torch.autograd.gradgradcheck(convolved, example(transposed))


@pytest.mark.parametrize("kind", [Halving, Doubling])
def test_under_autocast_they_are_the_same_up_to_rounding(kind: type[Halving] | type[Doubling]) -> None:
    torch.manual_seed(0)
    layer = kind(8, 16)
    x = torch.randn(4, 8, 6, 6)
    gradients = []
    for low in (False, True):
        layer.zero_grad()
        with torch.autocast("cpu", torch.bfloat16, enabled=low):
            y = layer(x)
        assert y.dtype == (torch.bfloat16 if low else torch.float32)
        y.float().square().sum().backward()
        gradients.append([p.grad.clone() for p in layer.parameters() if p.grad is not None])
    exact, rounded = gradients
    assert len(exact) == 2
    for a, b in zip(exact, rounded, strict=True):
        assert (a - b).norm() < 0.01 * a.norm()
