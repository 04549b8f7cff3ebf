"""The torch networks and their NumPy forward passes are the same functions."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from vaeviewer.backend.models.networks import mlp as networks
from vaeviewer.backend.models.networks import numpy_mlp as forward
from vaeviewer.backend.models.networks.mlp import MLP
from vaeviewer.backend.training.randomness import named_generator


@pytest.mark.parametrize("activation", sorted(networks.ACTIVATIONS))
@pytest.mark.parametrize("sizes", [(5, 3), (7, 11, 2), (4, 6, 8, 3)])
def test_numpy_forward_is_torch_forward(activation: str, sizes: tuple[int, ...]) -> None:
    net = MLP(sizes, activation)
    net.initialize(named_generator(3, "weights"))
    x = 3 * torch.randn(9, sizes[0])
    weights = {f"net.{name}": p.detach().numpy() for name, p in net.named_parameters()}
    np.testing.assert_allclose(
        forward.mlp(weights, "net", activation, x.numpy()), net(x).detach().numpy(), rtol=1e-4, atol=1e-5
    )


def test_both_know_the_same_activations() -> None:
    assert forward.ACTIVATIONS.keys() == networks.ACTIVATIONS.keys()


def test_sigmoid_is_stable() -> None:
    x = np.array([-1e4, -50, 0, 50, 1e4], np.float32)
    with np.errstate(all="raise", under="ignore"):
        np.testing.assert_allclose(forward.sigmoid(x), [0, 0, 0.5, 1, 1], atol=1e-7)


def test_initial_weights_come_from_the_generator_alone() -> None:
    a, b = MLP((20, 10), "tanh"), MLP((20, 10), "tanh")
    a.initialize(named_generator(5, "weights"))
    torch.rand(100)  # the global generator plays no part
    b.initialize(named_generator(5, "weights"))
    assert torch.equal(a[0].weight, b[0].weight)


@pytest.mark.parametrize("activation", sorted(networks.ACTIVATIONS))
def test_initial_weights_keep_the_scale_of_activations(activation: str) -> None:
    net = MLP((256, 256, 256, 256, 256, 2), activation)
    net.initialize(named_generator(0, "weights"))
    x = torch.randn(2_000, 256)
    with torch.no_grad():
        for layer in list(net)[:-1]:
            x = networks.ACTIVATIONS[activation](layer(x))
    assert 0.3 < x.std() < 3.0
