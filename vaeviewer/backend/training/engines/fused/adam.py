"""Adam of one flat tensor: torch's own kernel without ``torch.optim``.

Building an optimizer of ``torch.optim`` imports torch's compiler, which takes a second and over 100 MB, and stepping it
costs a small network more than some of its products. A test holds this against ``torch.optim`` bit for bit.
"""

from __future__ import annotations

import torch
from torch import Tensor


class Adam:
    """Kingma & Ba, "Adam: A Method for Stochastic Optimization" (2014), with its recommended constants.

    Args:
        parameters: Changed in place.
        gradient: Read at every step, same shape.

    Attributes:
        state: Its tensors by the names ``torch.optim`` gives them; written in place, all zeros when fresh.
    """

    BETAS = (0.9, 0.999)
    EPSILON = 1e-8

    def __init__(self, parameters: Tensor, gradient: Tensor) -> None:
        self._parameters, self._gradient = parameters, gradient
        self._mean, self._square = torch.zeros_like(parameters), torch.zeros_like(parameters)
        self._step = torch.zeros(())
        self.state = {"step": self._step, "exp_avg": self._mean, "exp_avg_sq": self._square}

    @torch.no_grad()
    def step(self, learning_rate: float) -> None:
        """Take one step."""
        self._step.add_(1.0)
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
