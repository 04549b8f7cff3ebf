"""Saving a trainer's run at once, as a save that nobody waits for does on its own thread."""

from __future__ import annotations

from pathlib import Path

from vaeviewer.backend.runs.copying import copy_of_run
from vaeviewer.backend.runs.saving import save_run
from vaeviewer.backend.training.trainer import Trainer


def save(trainer: Trainer, folder: Path) -> None:
    """Write the trainer's run to ``folder``."""
    save_run(copy_of_run(trainer, folder))
