"""The eager step captured as one CUDA graph: its kernels start together, not one by one from Python."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cache
from typing import Any

import torch
from torch import Tensor

from vaeviewer.backend.config import Settings
from vaeviewer.backend.models.interface import Player
from vaeviewer.backend.training.engines.eager import EagerEngine
from vaeviewer.backend.training.engines.interface import Work

REHEARSALS = 3
"""Steps taken and undone before one is captured: what is made once, such as handles of libraries, is there by then."""

_WAITS = "synchroniz"
"""In torch's words for an operation that waits for the device."""


def why_not(settings: Settings, device: torch.device) -> str:
    """Why a run's steps cannot be captured whatever its model does, or nothing if they can."""
    if device.type != "cuda":
        return f"it is made for CUDA, and this run is on {device.type}"
    if settings.train.optimizer != "adam":
        return "it is made for Adam"
    return ""


class CapturedEngine(EagerEngine):
    """Replays a whole step: taking the images, all players' losses, gradients and optimizers, and the posteriors.

    Whatever differs between steps lies in tensors that are written before each: which images, the number of the step,
    the learning rate; generators tell the graph where they stand. For batches of another size, other settings of the
    model and fresh optimizers it is captured anew. All steps are replayed from the first on, so that one that was
    resumed takes the same.

    Args:
        work: The live model and what its steps read.
    """

    key = "captured"

    def __init__(self, work: Work) -> None:
        self._rate = torch.zeros((), device=work.device)
        super().__init__(work)
        self._number = torch.zeros((), dtype=torch.int32, device=work.device)
        self._rows = torch.zeros(0, dtype=torch.int64, device=work.device)
        self._terms = torch.zeros(0, device=work.device)
        self._graph: torch.cuda.CUDAGraph | None = None
        self._of: Settings | None = None  # which were captured
        self._refused = ""  # why it could not be captured

    @property
    def mode_note(self) -> str:
        """Why steps are not captured, if so."""
        return f"Steps are not captured: {self._refused}." if self._refused else ""

    def step(self, most: int) -> Tensor:
        """Replay the step on the next batch."""
        work = self._work
        rows = work.batches.next()
        self._rate.fill_(work.learning_rate())
        if self._of is not work.settings or len(rows) != len(self._rows):
            self._follow(work.settings, rows)
        self._seed_draws()
        if self._graph is None:
            terms = self._descend(work.next_batch())
        else:
            self._rows.copy_(rows)
            self._number.fill_(work.batches.step)
            self._graph.replay()
            terms = self._terms
        work.advance()
        return terms

    def load_optimizer_state(self, state: Mapping[str, Tensor]) -> None:
        """Take over the optimizers' tensors; none means fresh optimizers."""
        self._graph = self._of = None  # it steps those of before
        super().load_optimizer_state(state)

    def _follow(self, settings: Settings, rows: Tensor) -> None:
        """Capture anew where something that was captured differs."""
        if self._of is None or self._of.model != settings.model or len(rows) != len(self._rows):
            self._graph = self._of = None  # before its successor needs the memory
            self._rows = rows.clone()
            self._capture()
        self._of = settings

    def _capture(self) -> None:
        work, side = self._work, _side_stream(self._work.device)
        generators = [work.noise, work.pixels]
        states = [generator.get_state() for generator in generators]
        # Detached, as a graph of gradients that began here would belong to this stream.
        before = {name: tensor.detach().clone() for name, tensor in self._changed().items()}
        side.wait_stream(torch.cuda.current_stream())
        try:
            with torch.cuda.stream(side):
                for _ in range(REHEARSALS):
                    self._descend(work.batch_of(self._rows, self._number))
                self._refused = self._waits()
            if not self._refused:
                self._graph = self._recorded(generators)
        finally:
            torch.cuda.current_stream().wait_stream(side)
            self._undo(before)
            for generator, state in zip(generators, states, strict=True):
                generator.set_state(state)
        self.key = "eager" if self._refused else type(self).key

    def _waits(self) -> str:
        """Take a step in which nothing may wait for the device, as nothing may in a graph; what to say if it does."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # that it does not notice all that waits
            torch.cuda.set_sync_debug_mode("error")
        try:
            self._descend(self._work.batch_of(self._rows, self._number))
        except RuntimeError as error:
            if _WAITS not in str(error):
                raise
            return "the model's objective waits for the device"
        finally:
            torch.cuda.set_sync_debug_mode("default")
        return ""

    def _recorded(self, generators: Sequence[torch.Generator]) -> torch.cuda.CUDAGraph | None:
        """A step as a graph, which takes none; ``None`` where something in it cannot be part of one."""
        try:
            with _recording(generators) as graph:
                self._terms = self._descend(self._work.batch_of(self._rows, self._number))
        except RuntimeError as error:
            self._refused = str(error).splitlines()[0].rstrip(".")
            # Generators still believe that they are recorded, until something else was.
            with _recording(generators):
                torch.zeros((), device=self._work.device)
            return None
        return graph

    def _changed(self) -> dict[str, Tensor]:
        """All that steps change, by name."""
        rows, model = self._work.rows, self._work.model
        tables = {
            "loc": rows.loc,
            "log_variance": rows.log_variance,
            "steps": rows.steps,
            "drawn": rows.drawn,
        }
        named = {
            **{f"rows.{name}": tensor for name, tensor in tables.items() if tensor is not None},
            **{f"model.{name}": tensor for name, tensor in model.named_parameters()},
            **{f"model.{name}": tensor for name, tensor in model.named_buffers()},
        }
        return {**named, **self.optimizer_state()}

    @torch.no_grad()
    def _undo(self, before: Mapping[str, Tensor]) -> None:
        """Put back what was there; Adam's tensors, which its first step makes, begin at zero."""
        for name, tensor in self._changed().items():
            if name in before:
                tensor.copy_(before[name])
            else:
                tensor.zero_()

    def _optimizer(self, player: Player[Any]) -> torch.optim.Optimizer:
        betas = (player.momentum, 0.999)
        return torch.optim.Adam(player.parameters, self._rate, betas, fused=True, capturable=True)


@contextmanager
def _recording(generators: Sequence[torch.Generator]) -> Iterator[torch.cuda.CUDAGraph]:
    """A graph of what is launched within, with these generators."""
    graph = torch.cuda.CUDAGraph()
    for generator in generators:
        graph.register_generator_state(generator)
    with torch.cuda.graph(graph, stream=_side_stream(generators[0].device)):
        yield graph


@cache
def _side_stream(device: torch.device) -> torch.cuda.Stream:
    """Where steps are rehearsed and captured: one for all, as libraries keep memory for each stream."""
    return torch.cuda.Stream(device)  # type: ignore[no-untyped-call]  # torch leaves it so
