"""Which engine computes a run's steps, why, and that none of them holds a model."""

from __future__ import annotations

import subprocess
import sys

import pytest

from vaeviewer.backend.config import Settings, updated
from vaeviewer.backend.data.base import ImageDataset
from vaeviewer.backend.training.trainer import Trainer
from vaeviewer.errors import SettingsError


@pytest.mark.parametrize(
    ("changes", "mode", "reason"),
    [
        ({"engine": "eager"}, "eager", "as the settings say"),
        pytest.param({"engine": "compiled"}, "compiled", "as the settings say", marks=pytest.mark.slow),
        ({"likelihood": "gaussian"}, "eager", "no fused step: "),
        ({"network": "conv"}, "eager", "no fused step: "),
        ({"family": "denoising"}, "eager", "no fused step: "),
    ],
)
def test_it_says_which_and_why(
    digits: ImageDataset, small: Settings, changes: dict[str, object], mode: str, reason: str
) -> None:
    trainer = Trainer(digits, updated(small, **changes))
    assert trainer.mode.endswith(mode)
    assert trainer.engine_reason.startswith(reason)
    assert trainer.engine_reason != reason or "settings" in reason, "a reason follows"
    if changes.get("engine") is None:
        with pytest.raises(SettingsError, match="use auto or eager"):
            Trainer(digits, updated(small, engine="fused", **changes))


def test_what_is_made_for_a_gpu_is_refused_on_a_processor(digits: ImageDataset, small: Settings) -> None:
    with pytest.raises(SettingsError, match="made for CUDA, and this run is on cpu; use auto or eager"):
        Trainer(digits, updated(small, engine="captured"))


FIRST_MODEL = """
import gc, weakref
import numpy as np
from vaeviewer.backend.config import Settings, updated
from vaeviewer.backend.data import load_dataset
from vaeviewer.backend.training.trainer import Trainer

settings = updated(Settings(), engine="eager", hidden=(8,), threads=1, device="cpu")
trainer = Trainer(load_dataset(), settings)
trainer.step()
trainer.finish_block()
held = weakref.ref(trainer), weakref.ref(trainer._model)
del trainer
gc.collect()
print([part() is None for part in held])
"""


@pytest.mark.slow
def test_the_first_model_of_a_program_can_be_freed() -> None:
    """What torch imports for its first optimizer keeps the frame that asked for it."""
    done = subprocess.run([sys.executable, "-c", FIRST_MODEL], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "[True, True]"
