"""The optimizers are torch's, bit for bit, without what torch.optim imports."""

from __future__ import annotations

import subprocess
import sys

import pytest
import torch

from vaeviewer.backend.training.engines.fused.optimizers import Adagrad, Adam, GradientDescent, Optimizer

COUNT = 1_003  # not a multiple of any vector width


def pairs() -> dict[str, tuple[type, dict[str, bool], type[torch.optim.Optimizer], dict[str, bool]]]:
    return {
        "adam": (Adam, {}, torch.optim.Adam, {"fused": True}),
        "adam-unfused": (Adam, {"fused": False}, torch.optim.Adam, {"foreach": False}),
        "adagrad": (Adagrad, {}, torch.optim.Adagrad, {}),
        "sgd": (GradientDescent, {}, torch.optim.SGD, {}),
    }


@pytest.mark.parametrize("name", pairs())
def test_it_is_torchs(name: str) -> None:
    kind, options, torchs, torchs_options = pairs()[name]
    theirs = torch.nn.Parameter(torch.randn(COUNT))
    ours, gradient = theirs.detach().clone(), torch.zeros(COUNT)
    optimizer: Optimizer = kind(ours, gradient, **options)
    reference = torchs([theirs], lr=0.1, **torchs_options)  # type: ignore[call-arg]
    for step in range(20):
        rate = 0.1 / (1 + step)
        gradient.copy_(torch.randn(COUNT) * 10.0 ** (-step))
        theirs.grad = gradient.clone()
        reference.param_groups[0]["lr"] = rate
        reference.step()
        optimizer.step(rate)
    assert torch.equal(ours, theirs.detach())
    expected = reference.state[theirs]
    assert optimizer.state.keys() == expected.keys()  # saved runs name them so
    for key, value in optimizer.state.items():
        assert torch.equal(value, expected[key]), key


def test_training_imports_no_compiler() -> None:
    """It would cost every start a second and over 100 MB."""
    script = (
        "import sys\n"
        "from vaeviewer.backend.config import PRESETS\n"
        "from vaeviewer.backend.data import load_dataset\n"
        "from vaeviewer.backend.training.trainer import Trainer\n"
        "trainer = Trainer(load_dataset(), PRESETS['default'])\n"
        "trainer.step(); trainer.finish_block(); trainer.evaluate(); trainer.checkpoint()\n"
        "print([name for name in ('torch._dynamo', 'torch._inductor', 'sympy') if name in sys.modules])\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
