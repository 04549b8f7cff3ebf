"""One gradient step, in the fastest way there is: plain, fused into few passes, or on CUDA as a captured graph."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from numpy.typing import NDArray
from torch import Tensor

from vaeviewer.backend.affinity import available_cores, no_thread_on_one_core, one_thread_per_core
from vaeviewer.backend.captured import CapturedStep, warm_up
from vaeviewer.backend.config import Settings
from vaeviewer.backend.copies import Pairs, copied
from vaeviewer.backend.device import product_dtype
from vaeviewer.backend.fused.step import FusedSteps, can_fuse, step_code
from vaeviewer.backend.fused.step_writer import Training
from vaeviewer.backend.models.gradient import ElboGradient, StepTerms
from vaeviewer.backend.models.vae import VAE
from vaeviewer.backend.openmp import PassiveWaiting
from vaeviewer.backend.optimizers import build_optimizer
from vaeviewer.backend.pixels import to_unit
from vaeviewer.backend.training_rows import TrainingRows
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
        rows: The training images there, and their posteriors.

    Attributes:
        parameters: All weights in one tensor.
    """

    def __init__(self, settings: Settings, vae: VAE, device: torch.device, rows: TrainingRows) -> None:
        dtype = product_dtype(settings.train.precision, device)
        self._gradient = ElboGradient(settings.model, vae, dtype)
        self.parameters = self._gradient.parameters.values.detach()
        config = settings.train
        self._captures = config.cuda_graph == "on" and device.type == "cuda" and config.optimizer == "adam"
        self._captured: CapturedStep | None = None
        self._optimizer = build_optimizer(config.optimizer, self.parameters, self._gradient.parameters.grad)
        self._learning_rate: float | Tensor = torch.zeros((), device=device) if self._captures else 0.0
        self._products = "bfloat16 products" if dtype == torch.bfloat16 else "float32"

        self._repeatable = config.repeatable == "on"
        self._threads = torch.get_num_threads()
        self._protocol = config.protocol
        self._training = Training(self._gradient, self._optimizer, rows, len(settings.model.hidden))
        self._code: MachineCode | None = None
        if can_fuse(settings, device):
            self._code = step_code(dtype, settings.model.activation)
        self._fused: FusedSteps | None = None
        self._asked_at: int | None = None
        self._is_fused = False  # the last step
        self._rounded_is_current = False
        self._stays: bool | None = None  # on cores, and whether a window goes first there
        self._waiting: PassiveWaiting | None = None

    @property
    def mode(self) -> str:
        """How steps are computed, in words."""
        if self._captures:
            return f"{self._products}, CUDA graph"
        return f"{self._products}, fused" if self._is_fused else self._products

    @property
    def mode_note(self) -> str:
        """What else there is to say about that, or empty."""
        why = self._code.not_kept if self._code is not None else ""
        return f"Compiled anew at each start, as {why}." if why else ""

    def step(self, levels: Tensor, noise: Tensor, beta: float, learning_rate: float) -> StepTerms:
        """Change the weights by one plain step of β·KL − reconstruction.

        Args:
            levels: uint8 grey levels, ``(n, pixels)``.
            noise: Standard normal, ``(samples, n, latent_dim)``.
            beta: Weight of the KL term.
            learning_rate: Of this step.
        """
        self._is_fused = self._rounded_is_current = False
        x = to_unit(levels)
        if not isinstance(self._learning_rate, Tensor):
            self._learning_rate = learning_rate
            return self._plain(x, noise, beta)
        self._learning_rate.fill_(learning_rate)  # a captured graph reads it from there
        if self._captured is None:
            self._captured = self._capture(x, noise, torch.tensor(beta, device=x.device))
        return self._captured(x, noise, beta)

    def fused(self, number: int, batch: int) -> FusedSteps | None:
        """What takes the next steps, or ``None`` if they are plain ones; asks for its machine code in time.

        Which steps of a repeatable run are fused depends on their number alone, never on the clock.

        Args:
            number: Steps taken before.
            batch: Images per step.
        """
        addresses = self._addresses(number)
        if addresses is None:
            return None
        if self._fused is None or self._fused.batch != batch:
            self._fused = FusedSteps(self._training, addresses, batch, self._threads, self._protocol)
            self._place_threads()
        self._is_fused = True
        if not self._rounded_is_current:
            self._gradient.round_weights()
            self._rounded_is_current = True
        return self._fused

    def stay_on_cores(self, *, give_way_to_window: bool) -> None:
        """Keep the threads of training on a core each, where they use all."""
        self._stays = give_way_to_window
        self._place_threads()

    def share_cores(self, share: bool) -> None:
        """Leave to other busy programs what is theirs, or use all cores again; the numbers stay the same."""
        if share == (self._waiting is not None):
            return
        if self._waiting is None:
            self._waiting = PassiveWaiting(available_cores())
        else:
            self._waiting.end()
            self._waiting = None
        self._place_threads()

    def prepare(self, *, wait: bool) -> None:
        """Have ready what makes steps fast, or wait until it is, so that none is slow for want of it."""
        if self._code is not None:
            self._code.prepare()
            if wait:
                self._code.wait(COMPILE_SECONDS)

    def weights(self, flat: NDArray[Any]) -> Mapping[str, NDArray[Any]]:
        """The weights by name, in the model's order, as parts of a copy of :attr:`parameters`."""
        parameters = self._gradient.parameters
        views = parameters.views(flat)
        return {name: views[name] for name in parameters.names}

    def copy(self, pairs: Pairs) -> bool:
        """Copy each tensor to its array; whether all numbers are finite."""
        return (copied if self._fused is None else self._fused.copy)(pairs)

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

    def _place_threads(self) -> None:
        if self._stays is None:
            return
        share = self._waiting is not None
        if self._fused is not None:
            self._fused.stay_on_cores(give_way_to_window=self._stays)
            self._fused.share_cores(share)
        elif share:
            no_thread_on_one_core(self._threads)
        else:
            one_thread_per_core(self._threads)

    def _addresses(self, number: int) -> Mapping[str, int] | None:
        """The fused step's machine code if the next step is to be fused."""
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
        return code.addresses

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
