"""Adam of one flat tensor is torch's, bit for bit, without what torch.optim imports."""

from __future__ import annotations

import subprocess
import sys

import pytest
import torch

from vaeviewer.backend.training.engines.fused.adam import Adam

COUNT = 1_003  # not a multiple of any vector width


def test_it_is_torchs() -> None:
    theirs = torch.nn.Parameter(torch.randn(COUNT))
    ours, gradient = theirs.detach().clone(), torch.zeros(COUNT)
    optimizer = Adam(ours, gradient)
    reference = torch.optim.Adam([theirs], lr=0.1, fused=True)
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


@pytest.mark.slow
def test_training_imports_no_compiler() -> None:
    """It would cost every start a second and over 100 MB."""
    script = (
        "import sys\n"
        "from vaeviewer.backend.config import Settings\n"
        "from vaeviewer.backend.data import load_dataset\n"
        "from vaeviewer.backend.training.trainer import Trainer\n"
        "trainer = Trainer(load_dataset(), Settings())\n"
        "trainer.step(); trainer.finish_block(); trainer.evaluate(); trainer.checkpoint()\n"
        "print([name for name in ('torch._dynamo', 'torch._inductor', 'sympy') if name in sys.modules])\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
