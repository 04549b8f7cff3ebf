"""Memory is used again, and never while anybody can see what lies there."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from vaeviewer.backend.training.copies import LEAST_BYTES, MOST_BYTES, Copies, copied

LARGE = LEAST_BYTES // 4


def copy_of(copies: Copies, tensor: torch.Tensor) -> np.ndarray:
    found = copies.of(tensor)
    assert found is not None
    return found[0]


@pytest.mark.parametrize("dtype", [torch.float32, torch.int32, torch.uint8])
@pytest.mark.parametrize("shape", [(3,), (4, LARGE // 2), (0, 2), ()])
def test_a_copy_is_equal_and_shares_nothing(dtype: torch.dtype, shape: tuple[int, ...]) -> None:
    tensor = torch.randint(0, 100, shape).to(dtype)
    expected, copy = tensor.clone().numpy(), copy_of(Copies(), tensor)
    tensor.fill_(101)
    assert copy.dtype == expected.dtype
    np.testing.assert_array_equal(copy, expected)


def test_small_ones_in_one_piece(monkeypatch: pytest.MonkeyPatch) -> None:
    """As from a GPU: each has its own numbers, and the piece is not used again while a part of it is seen."""
    monkeypatch.setattr("vaeviewer.backend.training.copies._alone", lambda tensor: tensor.numel() >= LARGE)
    copies, asked = Copies(), []
    small = [
        torch.randint(0, 100, shape).float() for shape in ((), (3, 2), (0,), (LARGE - 1,), (LARGE - 2, 1))
    ]
    tensors = [*small, torch.rand(LARGE), torch.arange(9, dtype=torch.int32)]
    copies._copy = lambda pairs: asked.append(len(pairs)) or copied(pairs)
    found = copies.of(*tensors)
    assert found is not None
    assert asked == [3]
    for copy, tensor in zip(found, tensors, strict=True):
        np.testing.assert_array_equal(copy, tensor.numpy(), strict=True)
    part = found[1]
    del found, copy
    for tensor in small:
        tensor.fill_(7)
    assert copies.of(*tensors) is not None
    assert not (part == 7).all()
    small[3][5] = float("nan")
    assert copies.of(*tensors) is None


def test_memory_nobody_holds_is_used_again() -> None:
    copies, tensor = Copies(), torch.zeros(LARGE)
    addresses = {copy_of(copies, tensor).ctypes.data for _ in range(5)}
    assert len(addresses) == 1


def as_part(copy: np.ndarray) -> object:
    return copy[10:20]


def as_tensor(copy: np.ndarray) -> object:
    return torch.from_numpy(copy)[10:20]


def as_array_of_a_tensor(copy: np.ndarray) -> object:
    return torch.from_numpy(copy)[10:20].numpy()


def as_bytes(copy: np.ndarray) -> object:
    return memoryview(copy)[10:20]


def frozen(copy: np.ndarray) -> object:
    copy.setflags(write=False)
    return copy.view()[10:20]


@pytest.mark.parametrize("seen", [as_part, as_tensor, as_array_of_a_tensor, as_bytes, frozen])
def test_memory_that_is_seen_is_left_alone(seen) -> None:
    copies, tensor = Copies(), torch.zeros(LARGE)
    held = seen(copy_of(copies, tensor))
    for _ in range(3):
        copies.of(tensor.add_(1.0))
    assert np.asarray(held).tolist() == [0.0] * 10
    del held
    addresses = {copy_of(copies, tensor).ctypes.data for _ in range(5)}
    assert len(addresses) <= 2, "and is used again afterwards"


def test_no_more_is_kept_than_said() -> None:
    copies, tensor = Copies(), torch.zeros(MOST_BYTES // 4 // 2)
    held = [copy_of(copies, tensor) for _ in range(4)]
    kept = {copy.ctypes.data for copy in held[:2]}
    del held
    again = [copy_of(copies, tensor) for _ in range(2)]
    assert {copy.ctypes.data for copy in again} == kept


def test_huge_copies_are_not_kept() -> None:
    copies = Copies()
    copies.of(torch.zeros(MOST_BYTES + 1, dtype=torch.uint8))
    assert copies._bytes == 0


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_numbers_that_are_not_finite_are_not_handed_out(bad: float) -> None:
    first, second = torch.zeros(5), torch.zeros(LARGE)
    assert Copies().of(first, second) is not None
    second[-1] = bad
    assert Copies().of(first, second) is None


def test_copies_made_together_are_apart() -> None:
    same = torch.zeros(LARGE)
    found = Copies().of(same, same)
    assert found is not None
    first, second = found
    first[:] = 1.0
    assert not second.any()
