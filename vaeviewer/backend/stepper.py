"""One gradient step, in the fastest way there is: plain, fused into few passes, or on CUDA as a captured graph."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from vaeviewer.backend.captured import CapturedStep, warm_up
from vaeviewer.backend.config import Settings
from vaeviewer.backend.device import product_dtype
from vaeviewer.backend.fused.step import FusedStep, can_fuse, step_code
from vaeviewer.backend.models.gradient import ElboGradient, StepTerms
from vaeviewer.backend.models.vae import VAE
from vaeviewer.backend.optimizers import build_optimizer
from vaeviewer.backend.pixels import to_unit
from vaeviewer.native.object_code import MachineCode

COMPILE_FROM = 100
"""The step at which the fused step's machine code is asked for: a run of fewer does without."""

POLL_EVERY = 8
"""Steps between two looks whether it is there."""

FUSED_FROM = 1000
"""The step from which a repeatable run takes fused steps, after waiting for them if need be."""

COMPILE_SECONDS = 120.0
"""Longest wait for a compiler, which takes a few seconds."""


class Stepper:
    """Steps a model's weights.

    Args:
        settings: Validated settings.
        vae: The model, on its device; its parameters become views of :attr:`parameters`.
        device: Where it computes.

    Attributes:
        parameters: All weights in one tensor.
        views: Gives the weights by name, of such a tensor.
    """

    def __init__(self, settings: Settings, vae: VAE, device: torch.device) -> None:
        dtype = product_dtype(settings.train.precision, device)
        self._gradient = ElboGradient(settings.model, vae, dtype)
        self.parameters = self._gradient.parameters.values.detach()
        self.views = self._gradient.parameters.views
        config = settings.train
        self._captures = config.cuda_graph == "on" and device.type == "cuda" and config.optimizer == "adam"
        self._captured: CapturedStep | None = None
        self._optimizer = build_optimizer(config.optimizer, self.parameters, self._gradient.parameters.grad)
        self._learning_rate: float | Tensor = torch.zeros((), device=device) if self._captures else 0.0
        self._products = "bfloat16 products" if dtype == torch.bfloat16 else "float32"

        self._repeatable = config.repeatable == "on"
        self._hidden_layers = len(settings.model.hidden)
        self._code: MachineCode | None = None
        if can_fuse(settings, device):
            self._code = step_code(dtype, settings.model.activation)
        self._fused: FusedStep | None = None
        self._asked_at: int | None = None
        self._rounded_is_current = False

    @property
    def mode(self) -> str:
        """How steps are computed, in words."""
        if self._captures:
            return f"{self._products}, CUDA graph"
        return f"{self._products}, fused" if self._fused is not None else self._products

    def step(
        self, number: int, levels: Tensor, noise: Tensor, beta: float, learning_rate: float
    ) -> StepTerms:
        """Change the weights by one step of β·KL − reconstruction.

        Args:
            number: Steps taken before.
            levels: uint8 grey levels, ``(n, pixels)``.
            noise: Standard normal, ``(samples, n, latent_dim)``.
            beta: Weight of the KL term.
            learning_rate: Of this step.
        """
        fused = self._fused_step(number)
        if fused is not None:
            if not self._rounded_is_current:
                self._gradient.round_weights()
                self._rounded_is_current = True
            return fused(levels, noise, beta, learning_rate)
        self._rounded_is_current = False
        x = to_unit(levels)
        if not isinstance(self._learning_rate, Tensor):
            self._learning_rate = learning_rate
            return self._plain(x, noise, beta)
        self._learning_rate.fill_(learning_rate)  # a captured graph reads it from there
        if self._captured is None:
            self._captured = self._capture(x, noise, torch.tensor(beta, device=x.device))
        return self._captured(x, noise, beta)

    def prepare(self, *, wait: bool) -> None:
        """Have ready what makes steps fast, or wait until it is, so that none is slow for want of it."""
        if self._code is not None:
            self._code.prepare()
            if wait:
                self._code.wait(COMPILE_SECONDS)

    def state(self) -> Mapping[str, Tensor]:
        """The optimizer's tensors by name; live, so copy them."""
        return self._optimizer.state

    @torch.no_grad()
    def load_state(self, state: Mapping[str, Tensor]) -> None:
        """Take over the optimizer's tensors, from any device, after the weights; none means a fresh optimizer."""
        # In place, as a captured graph refers to these very tensors.
        for key, value in self.state().items():
            value.copy_(state[key]) if state else value.zero_()
        self._rounded_is_current = False

    def _fused_step(self, number: int) -> FusedStep | None:
        """The fused step if this step is one; asks for its machine code in time.

        Which steps of a repeatable run are fused depends on their number alone, never on the clock.
        """
        code = self._code
        if code is None or code.failed or number < COMPILE_FROM:
            return None
        if self._asked_at is None:
            self._asked_at = number
            code.prepare()
        if self._repeatable:
            if number < FUSED_FROM:
                return None
            code.wait(COMPILE_SECONDS)
        elif self._fused is None and (number - self._asked_at) % POLL_EVERY == 0:
            code.poll()
        if self._fused is None and code.addresses is not None:
            self._fused = FusedStep(self._gradient, self._optimizer, code.addresses, self._hidden_layers)
        return self._fused

    def _plain(self, x: Tensor, noise: Tensor, beta: float | Tensor) -> StepTerms:
        terms = self._gradient(x, noise, beta)
        self._optimizer.step(self._learning_rate)
        return terms

    def _capture(self, x: Tensor, noise: Tensor, beta: Tensor) -> CapturedStep:
        weights = self.parameters.clone()
        before = {key: value.clone() for key, value in self.state().items()}
        warm_up(self._plain, x, noise, beta)
        self.parameters.copy_(weights)
        self.load_state(before)
        return CapturedStep(self._plain, x, noise, beta)
