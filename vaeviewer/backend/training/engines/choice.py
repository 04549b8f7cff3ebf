"""Which engine computes a run's steps, and why."""

from __future__ import annotations

import importlib
import sys
import threading
from types import ModuleType

from vaeviewer.backend.training.engines import captured
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
        return _eager(work), "as the settings say"
    if wanted == "compiled":
        from vaeviewer.backend.training.engines.compiled import CapturedCompiledEngine, CompiledEngine

        import_what_optimizers_do()
        captures = not captured.why_not(work.settings, work.device)
        return (CapturedCompiledEngine if captures else CompiledEngine)(work), "as the settings say"
    serves_not = captured.why_not(work.settings, work.device)
    if not serves_not and wanted in ("auto", "captured"):
        import_what_optimizers_do()
        return captured.CapturedEngine(
            work
        ), "the fastest on CUDA" if wanted == "auto" else "as the settings say"
    if wanted == "captured":
        raise SettingsError(
            f"engine: the captured step does not serve this run: {serves_not}; use auto or eager."
        )
    fused = fused_engine()
    reason = "this installation has none" if fused is None else fused.why_not(work.settings, work.device)
    if fused is not None and not reason:
        return fused.FusedEngine(work), "the fastest for this model"
    if wanted == "fused":
        raise SettingsError(f"engine: the fused step does not serve this run: {reason}; use auto or eager.")
    return _eager(work), f"no fused step: {reason}"


def _eager(work: Work) -> EagerEngine:
    import_what_optimizers_do()
    return EagerEngine(work)


def import_what_optimizers_do() -> None:
    """Let torch import, on a thread of its own, what its first optimizer does.

    That import keeps a frame for good (torch 2.14), and with it all frames that called: on this thread a model among
    them could never be freed.
    """
    if "torch._dynamo" not in sys.modules:
        thread = threading.Thread(target=importlib.import_module, args=("torch._dynamo",), name="import")
        thread.start()
        thread.join()


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
