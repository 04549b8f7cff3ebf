"""Optimizers of one flat tensor: torch's own formulas and kernels without ``torch.optim``.

Building an optimizer of ``torch.optim`` imports torch's compiler, which takes a second and over 100 MB, and stepping it
costs a small network more than some of its products. Tests hold these against ``torch.optim`` bit for bit.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Protocol

import torch
from torch import Tensor


class Optimizer(Protocol):
    """Changes a flat tensor of parameters by their gradient.

    Attributes:
        state: Its tensors by the names ``torch.optim`` gives them; written in place, all zeros when fresh.
    """

    state: Mapping[str, Tensor]

    def step(self, learning_rate: float | Tensor) -> None:
        """Take one step. A captured graph needs the learning rate as a 0-d tensor on the device."""


class Adam:
    """Kingma & Ba, "Adam: A Method for Stochastic Optimization" (2014), with its recommended constants.

    Args:
        parameters: Changed in place.
        gradient: Read at every step, same shape.
        fused: Whether to use torch's kernel for all of the update in one pass; by default where there is one.
    """

    BETAS = (0.9, 0.999)
    EPSILON = 1e-8

    def __init__(self, parameters: Tensor, gradient: Tensor, fused: bool | None = None) -> None:
        self._parameters, self._gradient = parameters, gradient
        self._mean, self._square = torch.zeros_like(parameters), torch.zeros_like(parameters)
        self._step = torch.zeros((), device=parameters.device)
        self.state = {"step": self._step, "exp_avg": self._mean, "exp_avg_sq": self._square}
        self._fused = parameters.device.type in ("cpu", "cuda") if fused is None else fused

    @torch.no_grad()
    def step(self, learning_rate: float | Tensor) -> None:
        """Take one step."""
        self._step.add_(1.0)
        if self._fused:
            torch._fused_adam_(
                [self._parameters],
                [self._gradient],
                [self._mean],
                [self._square],
                [],
                [self._step],
                lr=learning_rate,
                beta1=self.BETAS[0],
                beta2=self.BETAS[1],
                weight_decay=0.0,
                eps=self.EPSILON,
                amsgrad=False,
                maximize=False,
            )
            return
        rate, step = float(learning_rate), float(self._step)
        first, second = self.BETAS
        self._mean.lerp_(self._gradient, 1 - first)
        self._square.mul_(second).addcmul_(self._gradient, self._gradient, value=1 - second)
        deviation = (self._square.sqrt() / math.sqrt(1 - second**step)).add_(self.EPSILON)
        self._parameters.addcdiv_(self._mean, deviation, value=-(rate / (1 - first**step)))


class Adagrad:
    """Duchi, Hazan & Singer, "Adaptive Subgradient Methods" (2011); arguments as for :class:`Adam`."""

    EPSILON = 1e-10

    def __init__(self, parameters: Tensor, gradient: Tensor) -> None:
        self._parameters, self._gradient = parameters, gradient
        self._sum, self._step = torch.zeros_like(parameters), torch.zeros(())
        self.state = {"step": self._step, "sum": self._sum}

    @torch.no_grad()
    def step(self, learning_rate: float | Tensor) -> None:
        """Take one step."""
        self._step.add_(1.0)
        self._sum.addcmul_(self._gradient, self._gradient, value=1.0)
        deviation = self._sum.sqrt().add_(self.EPSILON)
        self._parameters.addcdiv_(self._gradient, deviation, value=-float(learning_rate))


class GradientDescent:
    """Steps down the gradient, which has no state; arguments as for :class:`Adam`."""

    def __init__(self, parameters: Tensor, gradient: Tensor) -> None:
        self._parameters, self._gradient = parameters, gradient
        self.state: Mapping[str, Tensor] = {}

    @torch.no_grad()
    def step(self, learning_rate: float | Tensor) -> None:
        """Take one step."""
        self._parameters.add_(self._gradient, alpha=-float(learning_rate))


def build_optimizer(name: str, parameters: Tensor, gradient: Tensor) -> Optimizer:
    """The optimizer that the settings name: ``adam``, ``adagrad`` or ``sgd``."""
    kinds = {"adam": Adam, "adagrad": Adagrad, "sgd": GradientDescent}
    optimizer: Optimizer = kinds[name](parameters, gradient)
    return optimizer
