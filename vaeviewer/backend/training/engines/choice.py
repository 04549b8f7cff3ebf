"""Which engine computes a run's steps, and why."""

from __future__ import annotations

import importlib
from types import ModuleType

from vaeviewer.backend.training.engines.eager import EagerEngine
from vaeviewer.backend.training.engines.interface import StepEngine, Work
from vaeviewer.errors import SettingsError


def choose_engine(work: Work) -> tuple[StepEngine, str]:
    """The engine that the settings ask for, or for ``auto`` the fastest that serves; and why, in words.

    Raises:
        SettingsError: The engine asked for does not serve this run; the sentence says why.
    """
    wanted = work.settings.compute.engine
    if wanted == "eager":
        return EagerEngine(work), "as the settings say"
    if wanted == "compiled":
        from vaeviewer.backend.training.engines.compiled import CompiledEngine

        return CompiledEngine(work), "as the settings say"
    fused = fused_engine()
    reason = "this installation has none" if fused is None else fused.why_not(work.settings, work.device)
    if fused is not None and not reason:
        return fused.FusedEngine(work), "the fastest for this model"
    if wanted == "fused":
        raise SettingsError(f"engine: the fused step does not serve this run: {reason}; use auto or eager.")
    return EagerEngine(work), f"no fused step: {reason}"


def fused_engine() -> ModuleType | None:
    """The accelerator for the fully connected VAE, or ``None``: training can do without."""
    name = "vaeviewer.backend.training.engines.fused"
    try:
        importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name != name:
            raise
        return None
    return importlib.import_module(f"{name}.engine")
