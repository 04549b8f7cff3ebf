"""Copies made by a team of threads are those of torch, and nothing that is not finite passes."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from vaeviewer.backend.training.engines.fused import torch_functions
from vaeviewer.backend.training.engines.fused.copier import Copier
from vaeviewer.backend.training.engines.fused.layout import CHUNK_NUMBERS
from vaeviewer.backend.training.engines.fused.step import step_code
from vaeviewer.backend.training.engines.fused.team import Team
from vaeviewer.native.object_code import available

pytestmark = pytest.mark.skipif(
    not (available() and torch_functions.available()), reason="no compiler is installed"
)

LARGE = 2 * CHUNK_NUMBERS + 5
"""Numbers of a tensor that takes three tasks, the last one short."""


@pytest.fixture(params=[1, 2, 3])
def copier(request: pytest.FixtureRequest) -> Copier:
    code = step_code(torch.float32, "silu")
    code.prepare()
    code.wait(100)
    assert code.addresses is not None
    threads: int = request.param
    return Copier(Team(code.addresses, threads), code.addresses, threads)


def with_room(*tensors: torch.Tensor) -> list[tuple[torch.Tensor, np.ndarray]]:
    return [(tensor, np.full_like(tensor.numpy(), 77)) for tensor in tensors]


@pytest.mark.slow
def test_tensors_of_any_kind_arrive(copier: Copier) -> None:
    generator = torch.Generator().manual_seed(0)
    tensors = [
        torch.randn(LARGE, generator=generator),
        torch.randn(LARGE // 2, 2, generator=generator),
        torch.arange(LARGE, dtype=torch.int32) - 7,
        torch.randn(300, 100, generator=generator).t(),  # not row by row
        torch.randn((), generator=generator),
        torch.randint(0, 256, (LARGE,), generator=generator, dtype=torch.uint8),
        torch.zeros(0, 2),
    ]
    for _ in range(3):
        pairs = with_room(*tensors)  # elsewhere each time
        assert copier(pairs)
        for tensor, copy in pairs:
            np.testing.assert_array_equal(copy, tensor.numpy())
            assert not np.shares_memory(copy, tensor.numpy())
        for tensor in tensors:
            tensor.add_(1)


@pytest.mark.slow
def test_every_bit_is_kept(copier: Copier) -> None:
    tiny = torch.full((LARGE,), 1e-42)  # too small to be a normal number
    tiny[1::2] = -0.0
    pairs = with_room(tiny)
    assert copier(pairs)
    np.testing.assert_array_equal(pairs[0][1].view(np.uint32), tiny.numpy().view(np.uint32))


@pytest.mark.parametrize("bad", [np.nan, -np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("place", [0, CHUNK_NUMBERS - 1, CHUNK_NUMBERS, LARGE - 1])
def test_one_number_that_is_not_finite_is_found(copier: Copier, bad: float, place: int) -> None:
    first, second = torch.zeros(LARGE), torch.full((LARGE,), torch.finfo(torch.float32).max)
    assert copier(with_room(first, second)), "the greatest numbers are finite, and so is each of many"
    second[place] = bad
    assert not copier(with_room(first, second))
    second[place] = 0.0
    assert copier(with_room(first, second)), "what was found is forgotten"
    small = torch.tensor([bad])
    assert not copier(with_room(first, small))
