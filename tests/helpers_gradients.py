"""A loss's gradient against finite differences."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import pytest
import torch
from torch import Tensor, nn

STEP = 1e-6


def agrees_with_finite_differences(
    loss: Callable[[], Tensor], parameters: Iterable[nn.Parameter], places: int = 3
) -> None:
    """Fails where the gradient of a loss in float64 is not what central differences say, at some places of each.

    Args:
        loss: Gives the same at each call.
        parameters: Of float64.
        places: How many of each, evenly chosen.
    """
    parameters = list(parameters)
    for parameter in parameters:
        parameter.grad = None
    loss().backward()  # type: ignore[no-untyped-call]
    for parameter in parameters:
        assert parameter.grad is not None
        flat, gradient = parameter.detach().view(-1), parameter.grad.view(-1)
        for place in torch.linspace(0, len(flat) - 1, min(places, len(flat))).long():
            ends = []
            with torch.no_grad():
                for step in (STEP, -2 * STEP):
                    flat[place] += step
                    ends.append(loss().item())
                flat[place] += STEP
            expected = (ends[0] - ends[1]) / (2 * STEP)
            assert gradient[place].item() == pytest.approx(expected, rel=1e-4, abs=1e-7)
