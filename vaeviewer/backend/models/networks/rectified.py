"""What rectified (ReLU) layers give while a model computes."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional
from torch.overrides import TorchFunctionMode


class RectifiedOutputs(TorchFunctionMode):
    """Within its ``with`` block, keeps the output of every ReLU of this thread, in the order of computation.

    Attributes:
        outputs: ``(..., units)``, or ``(n, C, H, W)`` of a convolution.
    """

    def __init__(self) -> None:
        super().__init__()
        self.outputs: list[Tensor] = []

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Sequence[type],
        args: Sequence[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        answer = func(*args, **(kwargs or {}))  # within it this mode is off, so that none is counted twice
        if func in (functional.relu, torch.relu):
            self.outputs.append(answer)
        return answer
