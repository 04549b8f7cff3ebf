"""A captured step changes the weights as the plain one does. Needs CUDA."""

from __future__ import annotations

import pytest
import torch

from vaeviewer.backend.config import Settings, updated
from vaeviewer.backend.datasets.base import ImageDataset
from vaeviewer.backend.trainer import Trainer


@pytest.mark.skipif(not torch.cuda.is_available(), reason="this machine has no CUDA")
def test_captured_steps_are_plain_steps(digits: ImageDataset, small: Settings) -> None:
    settings = updated(small, device="cuda", precision="float32", epochs=100)
    trainers = [Trainer(digits, updated(settings, cuda_graph=graph)) for graph in ("off", "on")]
    for trainer in trainers:
        for _ in range(200):
            trainer.step()
        trainer.finish_block()
    plain, captured = (trainer.snapshot().weights for trainer in trainers)
    for name, array in plain.items():
        torch.testing.assert_close(
            torch.tensor(captured[name]), torch.tensor(array), rtol=1e-3, atol=1e-4, msg=name
        )


def test_capturing_is_for_cuda_alone(digits: ImageDataset, small: Settings) -> None:
    trainer = Trainer(digits, updated(small, cuda_graph="on", precision="float32"))
    trainer.step()
    assert trainer.mode == "float32"
