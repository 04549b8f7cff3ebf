"""The step through torch.compile: the eager step's numbers, from graphs captured once."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch._dynamo.utils import counters

from vaeviewer.backend.config import Settings, updated
from vaeviewer.backend.data.base import ImageDataset
from vaeviewer.backend.training.trainer import Trainer

pytestmark = pytest.mark.slow


@pytest.fixture(autouse=True)
def only_captured(monkeypatch: pytest.MonkeyPatch) -> None:
    """Graphs are captured as ever and run as they are: to make machine code of one takes half a minute."""
    compile_ = torch.compile

    def capture(function: Callable[..., Any], *, dynamic: bool) -> Callable[..., Any]:
        return compile_(function, backend="eager", dynamic=dynamic)  # type: ignore[no-any-return]

    monkeypatch.setattr(torch, "compile", capture)


def after_steps(trainer: Trainer, steps: int) -> dict[str, np.ndarray]:
    for _ in range(steps):
        trainer.step()
        trainer.finish_block()
    return dict(trainer.snapshot().weights)


@pytest.mark.parametrize(
    "values",
    [{"family": "vae", "warm_up": 5}, {"family": "gan", "r1": 0.0}],
    ids=lambda values: values["family"],
)
def test_what_changes_with_each_step_is_not_captured_anew(
    values: dict[str, Any], small: Settings, digits: ImageDataset
) -> None:
    """β that warms up, and the share that a GAN's average keeps."""
    settings = updated(small, precision="float32", **values)
    eager = Trainer(digits, updated(settings, engine="eager"))
    compiled = Trainer(digits, updated(settings, engine="compiled"))
    after_steps(eager, 1), after_steps(compiled, 1)
    captured = counters["stats"]["unique_graphs"]
    assert captured > 0
    expected, found = after_steps(eager, 6), after_steps(compiled, 6)
    assert counters["stats"]["unique_graphs"] == captured
    assert found.keys() == expected.keys()
    for name, weights in expected.items():
        np.testing.assert_allclose(found[name], weights, atol=1e-5, err_msg=name)
