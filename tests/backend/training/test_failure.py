"""What a failure is, told by exceptions that torch and NumPy really raise, or would on a machine with a device."""

from __future__ import annotations

import gc
import weakref

import numpy as np
import pytest
import torch

from vaeviewer.backend.training.failure import Failure, Kind, describe_failure, smaller_batches
from vaeviewer.backend.training.health import NonFiniteError

ACCELERATOR_ERROR = getattr(torch, "AcceleratorError", RuntimeError)


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (NonFiniteError(7), Kind.NON_FINITE),
        (torch.cuda.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB."), Kind.MEMORY),
        (ACCELERATOR_ERROR("CUDA error: out of memory"), Kind.MEMORY),
        (RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate`"), Kind.MEMORY),
        (RuntimeError("MPS backend out of memory (MPS allocated: 8 GB)"), Kind.MEMORY),
        (MemoryError(), Kind.MEMORY),
        (ACCELERATOR_ERROR("CUDA error: device-side assert triggered\nmore"), Kind.DEVICE),
        (RuntimeError("CUDA error: unspecified launch failure"), Kind.DEVICE),
        (RuntimeError("cuDNN error: CUDNN_STATUS_EXECUTION_FAILED"), Kind.DEVICE),
        (RuntimeError("mat1 and mat2 shapes cannot be multiplied"), Kind.OTHER),
        (ValueError("out of memory, says somebody else"), Kind.OTHER),
        (ZeroDivisionError(), Kind.OTHER),
    ],
    ids=str,
)
def test_kinds(error: Exception, kind: Kind) -> None:
    assert describe_failure(error).kind is kind


@pytest.mark.parametrize("ask", [lambda: torch.empty(10**15), lambda: np.empty(10**15)])
def test_too_large_for_this_machine(ask: object) -> None:
    assert callable(ask)
    with pytest.raises((RuntimeError, MemoryError)) as caught:
        ask()
    assert describe_failure(caught.value).kind is Kind.MEMORY


def test_the_text_holds_no_memory() -> None:
    def fail() -> Failure:
        large = torch.zeros(1000)
        alive.append(weakref.ref(large))
        try:
            raise RuntimeError("first line.\nsecond line")
        except RuntimeError as error:
            return describe_failure(error)

    alive: list[weakref.ref[torch.Tensor]] = []
    gc.disable()
    try:
        failure = fail()
        assert alive[0]() is None
    finally:
        gc.enable()
    assert failure.reason == "first line"
    assert "Traceback" in failure.details


@pytest.mark.parametrize(("size", "tried"), [(128, [64, 32, 16, 8]), (11, [8]), (8, []), (1, []), (0, [])])
def test_batches_are_halved_down_to_the_smallest(size: int, tried: list[int]) -> None:
    assert list(smaller_batches(size)) == tried
