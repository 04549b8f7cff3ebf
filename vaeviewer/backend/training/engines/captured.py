"""A training step replayed as one CUDA graph, so that a small network is not bound by the launching of kernels."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from vaeviewer.backend.training.engines.fused.gradient import StepTerms

WARM_UP = 3
"""Steps taken before capturing, as CUDA graphs require; whoever captures puts the weights back afterwards."""

Step = Callable[[Tensor, Tensor, Tensor], StepTerms]


class CapturedStep:
    """Replays ``step(x, noise, beta)`` with new numbers in the same memory.

    Args:
        step: Computes the gradient and applies the optimizer, with fixed shapes, on the device alone. The
            optimizer must be capturable, its learning rate a tensor, and its state must exist already.
        x: A batch, as an example of shape and device.
        noise: Likewise.
        beta: Likewise, 0-d.
    """

    def __init__(self, step: Step, x: Tensor, noise: Tensor, beta: Tensor) -> None:
        self._inputs = (x.clone(), noise.clone(), beta.clone())
        self._graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(self._graph):
            self._terms = step(*self._inputs)

    def __call__(self, x: Tensor, noise: Tensor, beta: float) -> StepTerms:
        """Take the step. The terms lie in memory that the next call writes over."""
        self._inputs[0].copy_(x)
        self._inputs[1].copy_(noise)
        self._inputs[2].fill_(beta)
        self._graph.replay()
        return self._terms


def warm_up(step: Step, x: Tensor, noise: Tensor, beta: Tensor) -> None:
    """Take :data:`WARM_UP` steps on a side stream, so that everything a capture needs is allocated."""
    stream = torch.cuda.Stream()  # type: ignore[no-untyped-call]  # torch leaves it so
    stream.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(stream):
        for _ in range(WARM_UP):
            step(x, noise, beta)
    torch.cuda.current_stream().wait_stream(stream)
