"""Distributions draw from torch's own generator, which belongs to training. Elsewhere they may have one of theirs."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode

_DRAWS = frozenset(
    {
        *(torch.rand, torch.randn, torch.randint, torch.randperm, torch.rand_like, torch.randn_like),
        *(torch.normal, torch.bernoulli, torch.multinomial, torch.poisson),
        *(torch._standard_gamma, torch._sample_dirichlet),  # of Gamma and Dirichlet
        *(Tensor.normal_, Tensor.uniform_, Tensor.exponential_, Tensor.cauchy_, Tensor.log_normal_),
        *(Tensor.geometric_, Tensor.bernoulli_, Tensor.random_, Tensor.bernoulli, Tensor.multinomial),
    }
)


class OwnDraws(TorchFunctionMode):
    """Within it, and on this thread, everything that draws does so from one generator, repeatably.

    Args:
        generator: On the CPU.
    """

    def __init__(self, generator: torch.Generator) -> None:
        super().__init__()
        self._generator = generator

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Sequence[type],
        args: tuple[Any, ...] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        """Give a function that draws the generator, unless it has one."""
        named = dict(kwargs or {})
        if func in _DRAWS and named.get("generator") is None:
            named["generator"] = self._generator
        return func(*args, **named)
