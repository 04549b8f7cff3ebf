"""The fused step as an engine: plain steps with a gradient written by hand until its machine code takes over."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from typing import Any

import torch
from numpy.typing import NDArray
from torch import Tensor

from vaeviewer.backend.config import Settings
from vaeviewer.backend.data.pixels import to_unit
from vaeviewer.backend.models.families import vae
from vaeviewer.backend.training.copies import Pairs, copied
from vaeviewer.backend.training.device import product_dtype
from vaeviewer.backend.training.engines.fused import torch_functions
from vaeviewer.backend.training.engines.fused.adam import Adam
from vaeviewer.backend.training.engines.fused.gradient import ElboGradient
from vaeviewer.backend.training.engines.fused.step import FusedSteps, step_code
from vaeviewer.backend.training.engines.fused.step_writer import Training
from vaeviewer.backend.training.engines.interface import StepEngine, Work

FUSED_FROM = 200
"""The step from which steps are fused, after waiting for the machine code if need be: it depends on no clock, so that
a run gives the same weights whether its code was compiled before or is now."""

COMPILING = "waiting for the compiler"
"""A part of the mode, while a step waits for its machine code: once on each computer."""


def why_not(settings: Settings, device: torch.device) -> str:
    """Why a run's steps are not of the kind written here, or nothing if they are."""
    model, train = settings.model, settings.train
    if not isinstance(model, vae.VaeConfig):
        return "it is made for the variational autoencoder"
    if model.network != "mlp":
        return "it is made for fully connected networks"
    if device.type != "cpu":
        return f"it is made for processors, and this run is on {device.type}"
    if model.likelihood != "bernoulli":
        return "it is made for Bernoulli pixels"
    if train.optimizer != "adam":
        return "it is made for Adam"
    if model.samples != 1:
        return "it is made for one sample per image"
    if model.warm_up or model.free_bits:
        return "it is made for a β that is there from the start, and no free bits"
    if not sys.platform.startswith("linux"):
        return "it is made for Linux"
    return torch_functions.problem()


class FusedEngine(StepEngine):
    """Steps the weights of a fully connected Bernoulli VAE, all of which lie in one tensor.

    Args:
        work: The live model and what its steps read.
    """

    key = "fused"
    fast_from = FUSED_FROM

    def __init__(self, work: Work) -> None:
        settings, config = work.settings, work.settings.model
        assert isinstance(config, vae.VaeConfig), "why_not would have said so"
        self._work = work
        work.rows.has_scale = True
        dtype = product_dtype(settings.compute.precision, work.device)
        self._gradient = ElboGradient(config, work.model, dtype)
        self._parameters = self._gradient.parameters.values.detach()
        self._optimizer = Adam(self._parameters, self._gradient.parameters.grad)
        self._products = "bfloat16 products" if dtype == torch.bfloat16 else "float32"
        self._threads = torch.get_num_threads()
        self._training = Training(self._gradient, self._optimizer, work.rows, len(config.hidden))
        self._code = step_code(dtype, config.activation)
        self._fused: FusedSteps | None = None
        self._is_fused = False  # the last step
        self._rounded_is_current = False

    @property
    def mode(self) -> str:
        """How steps are computed, in words."""
        if self._work.batches.step >= FUSED_FROM and self._code.under_way:
            return f"{self._products}, {COMPILING}"
        return f"{self._products}, fused" if self._is_fused else self._products

    @property
    def mode_note(self) -> str:
        """Whether there is no code of its kernels, or it could not be kept."""
        if self._code.failed:
            return "Fast mode could not be prepared on this computer, so steps stay plain."
        return f"Compiled anew at each start, as {self._code.not_kept}." if self._code.not_kept else ""

    @property
    def ready(self) -> bool:
        """Whether the next step is a plain one or its machine code is there, or never will be."""
        if self._work.batches.step < FUSED_FROM:
            return True
        self._code.prepare()
        self._code.poll()
        return not self._code.under_way

    def wait(self, timeout_s: float) -> None:
        """Wait for the machine code, but no longer than that."""
        self._code.poll(timeout_s)

    def step(self, most: int) -> Tensor:
        """Take a plain step, or up to ``most`` fused ones."""
        batches = self._work.batches
        fused = self._fused_steps(batches.step, batches.size)
        self._is_fused = fused is not None
        if fused is None:
            return self._plain_step()
        return self._step_fused(fused, min(most, fused.most, batches.left))

    def optimizer_state(self) -> Mapping[str, Tensor]:
        """Adam's live tensors by ``model.parameter.name``; all parameters share one count of steps."""
        flat, state = self._gradient.parameters, self._optimizer.state
        parts = {key: flat.views(state[key]) for key in ("exp_avg", "exp_avg_sq")}
        return {
            f"model.{name}.{key}": state["step"] if key == "step" else parts[key][name]
            for name in flat.names
            for key in ("step", "exp_avg", "exp_avg_sq")
        }

    def optimizer_shapes(self) -> Mapping[str, tuple[int, ...]]:
        """Shapes of all that :meth:`optimizer_state` has."""
        return {name: tuple(value.shape) for name, value in self.optimizer_state().items()}

    @torch.no_grad()
    def load_optimizer_state(self, state: Mapping[str, Tensor]) -> None:
        """Take over Adam's tensors, after the weights were loaded; none means a fresh optimizer."""
        for name, value in self.optimizer_state().items():  # in place: programs refer to these very tensors
            value.copy_(state[name]) if state else value.zero_()
        self._rounded_is_current = False

    def flat_state(self) -> tuple[Tensor, Callable[[NDArray[Any]], dict[str, NDArray[Any]]]]:
        """All weights in one tensor, and how to name the parts of a copy."""
        flat = self._gradient.parameters

        def named(copy: NDArray[Any]) -> dict[str, NDArray[Any]]:
            views = flat.views(copy)
            return {name: views[name] for name in flat.names}

        return self._parameters, named

    def copy(self, pairs: Pairs) -> bool:
        """Copy each tensor to its array; whether all numbers are finite."""
        return (copied if self._fused is None else self._fused.copy)(pairs)

    def prepare(self, *, wait: bool) -> None:
        """Compile the step, or fetch what was compiled before."""
        self._code.prepare()
        if wait:
            self._code.wait()

    def _plain_step(self) -> Tensor:
        work = self._work
        config, table, rows = work.settings.model, work.rows, work.batches.next()
        assert isinstance(config, vae.VaeConfig), "as when the engine was made"
        self._rounded_is_current = False
        x = to_unit(work.next_levels(rows))
        noise = torch.randn(1, len(rows), config.latent_dim, generator=work.noise)
        terms = self._gradient(x, noise, config.beta)
        self._optimizer.step(work.learning_rate())
        table.loc.index_copy_(0, rows, terms.loc)
        table.log_variance.index_copy_(0, rows, terms.log_variance)
        table.steps.index_fill_(0, rows, work.batches.step)
        work.advance()
        return torch.stack((terms.reconstruction, terms.kl)).unsqueeze(0)

    def _step_fused(self, fused: FusedSteps, count: int) -> Tensor:
        work = self._work
        config, step = work.settings.model, work.batches.step
        assert isinstance(config, vae.VaeConfig), "as when the engine was made"
        rows, rates = work.batches.next(count), []
        for slot, batch in enumerate(rows.view(-1, work.batches.size)):
            torch.randn(fused.noise.shape[1:], generator=work.noise, out=fused.noise[slot])
            if fused.levels is not None:
                fused.levels[slot] = work.next_levels(batch)
            rates.append(work.learning_rate())
            work.advance()
        return fused(step, rows, config.beta, rates)

    def _fused_steps(self, number: int, batch: int) -> FusedSteps | None:
        """What takes the next steps, or ``None`` if they are plain ones; asks for its machine code in time.

        Args:
            number: Steps taken before.
            batch: Images per step.
        """
        code = self._code
        if self._work.planned_epochs * self._work.batches.per_epoch > FUSED_FROM:
            code.prepare()  # a shorter run does without
        if number < FUSED_FROM:
            return None
        code.prepare()
        code.wait()
        addresses = code.addresses
        if addresses is None:
            return None
        if self._fused is None or self._fused.batch != batch:
            protocol = self._work.settings.train.protocol
            self._fused = FusedSteps(self._training, addresses, batch, self._threads, protocol)
            self._work.cores.use(self._fused)
        if not self._rounded_is_current:
            self._gradient.round_weights()
            self._rounded_is_current = True
        return self._fused
