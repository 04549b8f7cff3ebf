"""All parameters of a model in one tensor, so that the optimizer, copies and casts are one operation each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

import torch
from numpy.typing import NDArray
from torch import Tensor, nn

Flat = TypeVar("Flat", Tensor, NDArray[Any])


class FlatParameters:
    """Moves a module's parameters into one flat tensor; the module goes on using them as views.

    Args:
        module: Its parameters must be of one dtype and on one device, and stay there.
        first: Names of parameters that shall lie at the start of the flat tensor, next to each other.

    Attributes:
        names: Of the parameters, in the module's order.
        values: The flat tensor, an ``nn.Parameter`` of shape ``(count,)``.
        grad: The gradient that the optimizer reads, same shape; allocated once.
    """

    def __init__(self, module: nn.Module, first: Sequence[str] = ()) -> None:
        parameters = dict(module.named_parameters())
        self.names = tuple(parameters)
        order = [*first, *(name for name in parameters if name not in first)]
        self._shapes = {name: parameters[name].shape for name in order}
        self.values = nn.Parameter(torch.cat([parameters[name].detach().reshape(-1) for name in order]))
        self.grad = self.values.grad = torch.zeros_like(self.values)
        for name, view in self.views(self.values.detach()).items():
            parameters[name].data = view

    def views(self, flat: Flat) -> Mapping[str, Flat]:
        """``flat`` as tensors or arrays of the parameters' shapes that share its memory.

        Args:
            flat: ``(count,)``, or shorter: then only the parameters that fit whole are given.
        """
        views: dict[str, Flat] = {}
        start = 0
        for name, shape in self._shapes.items():
            end = start + shape.numel()
            if end > len(flat):
                break
            views[name] = flat[start:end].reshape(shape)
            start = end
        return views

    def length(self, names: Sequence[str]) -> int:
        """How many numbers the parameters ``names`` hold in all."""
        return sum(self._shapes[name].numel() for name in names)
