"""One gradient step: the gradient, the optimizer, and on CUDA by choice a captured graph of both."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from vaeviewer.backend.captured import CapturedStep, warm_up
from vaeviewer.backend.config import Settings, TrainConfig
from vaeviewer.backend.device import product_dtype
from vaeviewer.backend.models.gradient import ElboGradient, StepTerms
from vaeviewer.backend.models.vae import VAE


class Stepper:
    """Steps a model's weights.

    Args:
        settings: Validated settings.
        vae: The model, on its device; its parameters become views of :attr:`parameters`.
        device: Where it computes.

    Attributes:
        parameters: All weights in one tensor.
        mode: How steps are computed, in words.
    """

    def __init__(self, settings: Settings, vae: VAE, device: torch.device) -> None:
        dtype = product_dtype(settings.train.precision, device)
        self._gradient = ElboGradient(settings.model, vae, dtype)
        self.parameters = self._gradient.parameters.values
        config = settings.train
        self._captures = config.cuda_graph == "on" and device.type == "cuda" and config.optimizer == "adam"
        self._captured: CapturedStep | None = None
        self._optimizer = _build_optimizer(config, self.parameters, capturable=self._captures)
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
        for group in self._optimizer.param_groups:
            if self._captures:
                group["lr"].fill_(learning_rate)
            else:
                group["lr"] = learning_rate
        if not self._captures:
            return self._plain(x, noise, beta)
        if self._captured is None:
            self._captured = self._capture(x, noise, torch.tensor(beta, device=x.device))
        return self._captured(x, noise, beta)

    def state(self) -> Mapping[str, Tensor]:
        """The optimizer's tensors by name; live, so copy them."""
        return dict(self._optimizer.state[self.parameters])

    def load_state(self, state: Mapping[str, Tensor]) -> None:
        """Take over the optimizer's tensors, on any device; none means a fresh optimizer."""
        groups = self._optimizer.state_dict()["param_groups"]
        # load_state_dict knows which of its tensors belong on the device.
        self._optimizer.load_state_dict({"state": {0: dict(state)} if state else {}, "param_groups": groups})
        self._captured = None  # a captured graph would go on writing to the old tensors

    def _plain(self, x: Tensor, noise: Tensor, beta: float | Tensor) -> StepTerms:
        terms = self._gradient(x, noise, beta)
        self._optimizer.step()
        return terms

    def _capture(self, x: Tensor, noise: Tensor, beta: Tensor) -> CapturedStep:
        weights = self.parameters.detach().clone()
        before = {key: value.clone() for key, value in self.state().items()}
        warm_up(self._plain, x, noise, beta)
        # In place, as the graph will refer to these very tensors: a fresh Adam's state is all zeros.
        with torch.no_grad():
            self.parameters.copy_(weights)
        for key, value in self.state().items():
            value.copy_(before[key]) if key in before else value.zero_()
        return CapturedStep(self._plain, x, noise, beta)


def _build_optimizer(
    config: TrainConfig, parameters: torch.nn.Parameter, *, capturable: bool
) -> torch.optim.Optimizer:
    rate = config.learning_rate
    if config.optimizer == "adam":
        fused = parameters.device.type in ("cpu", "cuda")
        if capturable:
            lr = torch.tensor(rate, device=parameters.device)
            return torch.optim.Adam([parameters], lr=lr, fused=True, capturable=True)
        return torch.optim.Adam([parameters], lr=rate, fused=fused)
    if config.optimizer == "adagrad":
        return torch.optim.Adagrad([parameters], lr=rate)
    return torch.optim.SGD([parameters], lr=rate)
