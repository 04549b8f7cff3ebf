"""One gradient step: the gradient, the optimizer, and on CUDA by choice a captured graph of both."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from vaeviewer.backend.captured import CapturedStep, warm_up
from vaeviewer.backend.config import Settings
from vaeviewer.backend.device import product_dtype
from vaeviewer.backend.models.gradient import ElboGradient, StepTerms
from vaeviewer.backend.models.vae import VAE
from vaeviewer.backend.optimizers import build_optimizer


class Stepper:
    """Steps a model's weights.

    Args:
        settings: Validated settings.
        vae: The model, on its device; its parameters become views of :attr:`parameters`.
        device: Where it computes.

    Attributes:
        parameters: All weights in one tensor.
        views: Gives the weights by name, of such a tensor.
        mode: How steps are computed, in words.
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
        self.mode = "bfloat16 products" if dtype == torch.bfloat16 else "float32"
        if self._captures:
            self.mode += ", CUDA graph"

    def step(self, x: Tensor, noise: Tensor, beta: float, learning_rate: float) -> StepTerms:
        """Change the weights by one step of β·KL − reconstruction.

        Args:
            x: ``(n, pixels)``, values in 0 … 1.
            noise: Standard normal, ``(samples, n, latent_dim)``.
            beta: Weight of the KL term.
            learning_rate: Of this step.
        """
        if not isinstance(self._learning_rate, Tensor):
            self._learning_rate = learning_rate
            return self._plain(x, noise, beta)
        self._learning_rate.fill_(learning_rate)  # a captured graph reads it from there
        if self._captured is None:
            self._captured = self._capture(x, noise, torch.tensor(beta, device=x.device))
        return self._captured(x, noise, beta)

    def state(self) -> Mapping[str, Tensor]:
        """The optimizer's tensors by name; live, so copy them."""
        return self._optimizer.state

    @torch.no_grad()
    def load_state(self, state: Mapping[str, Tensor]) -> None:
        """Take over the optimizer's tensors, from any device; none means a fresh optimizer."""
        # In place, as a captured graph refers to these very tensors.
        for key, value in self.state().items():
            value.copy_(state[key]) if state else value.zero_()

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
