"""Which way steps are taken, and that every way leads to the same weights."""

from __future__ import annotations

import sys
from typing import Any

import numpy as np
import pytest
import torch

from vaeviewer.backend import loop, restore, stepper
from vaeviewer.backend.config import Settings, updated
from vaeviewer.backend.datasets.base import ImageDataset
from vaeviewer.backend.run_folder import load_run
from vaeviewer.backend.trainer import NonFiniteError, Trainer
from vaeviewer.native import object_code
from vaeviewer.native.object_code import MachineCode

needs_compiler = pytest.mark.skipif(not object_code.available(), reason="no compiler is installed")


def advance(trainer: Trainer, steps: int) -> Trainer:
    for _ in range(steps):
        trainer.step()
    trainer.finish_block()
    return trainer


def weights(trainer: Trainer) -> np.ndarray[Any, Any]:
    return np.concatenate([array.reshape(-1) for array in trainer.snapshot().weights.values()])


@pytest.fixture
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """Compiling begins at step 2, and repeatable runs take fused steps from step 5 on."""
    monkeypatch.setattr(stepper, "COMPILE_FROM", 2)
    monkeypatch.setattr(stepper, "POLL_EVERY", 1)
    monkeypatch.setattr(stepper, "FUSED_FROM", 5)


@needs_compiler
@pytest.mark.usefixtures("soon")
@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_a_repeatable_run_switches_at_a_fixed_step(
    precision: str, digits: ImageDataset, small: Settings, tmp_path: Any
) -> None:
    settings = updated(small, repeatable="on", precision=precision)
    whole = advance(Trainer(digits, settings), 5)
    assert "fused" not in whole.mode
    advance(whole, 1)
    assert whole.mode.endswith(", fused")
    advance(whole, 6)

    for stop in (3, 5, 9):  # before, at and after the switch
        part = advance(Trainer(digits, settings), stop)
        restore.save(part, tmp_path / str(stop))
        resumed = restore.trainer_of(load_run(tmp_path / str(stop)), digits)
        advance(resumed, 12 - stop)
        np.testing.assert_array_equal(weights(resumed), weights(whole))


@needs_compiler
@pytest.mark.usefixtures("soon")
def test_going_back_before_the_switch_takes_plain_steps_again(digits: ImageDataset, small: Settings) -> None:
    trainer = advance(Trainer(digits, updated(small, repeatable="on")), 3)
    trainer.keep_good_state()
    first = weights(advance(trainer, 6))
    assert trainer.mode.endswith(", fused")
    assert trainer.restore_good_state() == 3
    assert "fused" not in advance(trainer, 1).mode
    assert trainer.restore_good_state() == 3
    np.testing.assert_array_equal(weights(advance(trainer, 6)), first)


@needs_compiler
@pytest.mark.usefixtures("soon")
@pytest.mark.parametrize("protocol", ["grey", "dynamic", "threshold"])
def test_steps_taken_together_lead_to_the_same_run(
    protocol: str, digits: ImageDataset, small: Settings
) -> None:
    settings = updated(small, repeatable="on", protocol=protocol, schedule="cosine", epochs=3)
    single, together = (Trainer(digits, settings) for _ in range(2))
    advance(single, 2 * single.steps_per_epoch + 3)
    taken = []
    while together.step_count < single.step_count:
        before = together.step_count
        together.step(single.step_count - before)
        taken.append(together.step_count - before)
        assert together.step_count // together.steps_per_epoch in (
            before // together.steps_per_epoch,
            (before + taken[-1]) / together.steps_per_epoch,
        ), "no step of the next epoch"
        if together.block_full:
            together.finish_block()
    together.finish_block()
    assert taken[:5] == [1] * 5, "plain steps"
    assert max(taken) > 4
    np.testing.assert_array_equal(weights(single), weights(together))
    first, second = single.snapshot(), together.snapshot()
    assert first.posterior is not None
    assert second.posterior is not None
    np.testing.assert_array_equal(first.posterior.loc, second.posterior.loc)
    np.testing.assert_array_equal(first.posterior.scale, second.posterior.scale)
    np.testing.assert_array_equal(first.posterior.row_steps, second.posterior.row_steps)
    rows, others = single.history.training.view(), together.history.training.view()
    for name in ("step", "epoch", "reconstruction", "kl"):
        np.testing.assert_array_equal(getattr(rows, name), getattr(others, name))


@needs_compiler
@pytest.mark.usefixtures("soon")
@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_copies_between_fused_steps_are_exact_and_never_of_broken_weights(
    precision: str, digits: ImageDataset, small: Settings
) -> None:
    wide = updated(
        small, repeatable="on", precision=precision, hidden=(64, 32)
    )  # so that there are many weights
    trainer = advance(Trainer(digits, wide), 8)
    assert trainer.mode.endswith(", fused")
    first, live = trainer.checkpoint(), dict(trainer._model.named_parameters())
    assert list(first.snapshot.weights) == list(live)
    for name, parameter in live.items():
        np.testing.assert_array_equal(first.snapshot.weights[name], parameter.detach().numpy())
    for name, tensor in trainer._stepper.state().items():
        np.testing.assert_array_equal(first.training.tensors[f"optimizer.{name}"], tensor.numpy())
    before = first.snapshot.weights["decoder.0.weight"].copy()
    advance(trainer, 2)
    np.testing.assert_array_equal(first.snapshot.weights["decoder.0.weight"], before)

    with torch.no_grad():
        live["decoder.0.weight"][0, 0] = torch.nan
    with pytest.raises(NonFiniteError, match="step 10"):
        trainer.snapshot()
    with pytest.raises(NonFiniteError, match="step 10"):
        trainer.keep_good_state()


@needs_compiler
@pytest.mark.usefixtures("soon")
def test_torch_has_its_threads_again_after_training(digits: ImageDataset, small: Settings) -> None:
    settings = updated(small, repeatable="on", threads=2, epochs=1)
    trainer = Trainer(digits, settings)
    loop.train(trainer, go_on=lambda: loop.FREELY, after_block=lambda: None)
    assert trainer.mode.endswith(", fused")
    assert torch.get_num_threads() == 2


@needs_compiler
@pytest.mark.usefixtures("soon")
def test_a_run_switches_as_soon_as_it_can(digits: ImageDataset, small: Settings) -> None:
    settings = updated(small, precision="float32", epochs=50)
    plain = Trainer(digits, updated(settings, threads=1))
    plain._stepper._code = None
    trainer = Trainer(digits, settings)
    assert trainer.mode == "float32"
    trainer.prepare(wait=True)
    advance(trainer, 2)
    assert trainer.mode == "float32"  # the first steps never wait
    advance(trainer, 28)
    assert trainer.mode == "float32, fused"
    advance(plain, 30)
    assert plain.mode == "float32"
    np.testing.assert_allclose(weights(trainer), weights(plain), atol=2e-3)
    assert abs(trainer.evaluate().elbo - plain.evaluate().elbo) < 0.05


@pytest.mark.usefixtures("soon")
def test_without_a_compiler_it_stays_plain(
    digits: ImageDataset, small: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(object_code, "available", lambda: False)
    for repeatable in ("off", "on"):
        monkeypatch.setattr(stepper, "step_code", lambda *_: MachineCode("fresh", ()))
        trainer = Trainer(digits, updated(small, repeatable=repeatable))
        assert "fused" not in advance(trainer, 12).mode


@pytest.mark.usefixtures("soon")
def test_other_kinds_of_steps_ask_for_no_compiler(
    digits: ImageDataset, small: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "executable", "/nonexistent")
    monkeypatch.setattr(stepper, "step_code", lambda *_: pytest.fail("was asked for"))
    for changes in ({"likelihood": "gaussian"}, {"samples": 2}, {"optimizer": "sgd", "learning_rate": 1e-5}):
        assert "fused" not in advance(Trainer(digits, updated(small, **changes)), 12).mode


@pytest.mark.skipif(not torch.cuda.is_available(), reason="this machine has no CUDA")
def test_captured_steps_are_plain_steps(digits: ImageDataset, small: Settings) -> None:
    settings = updated(small, device="cuda", precision="float32", epochs=100)
    trainers = [Trainer(digits, updated(settings, cuda_graph=graph)) for graph in ("off", "on")]
    for trainer in trainers:
        advance(trainer, 200)
    plain, captured = (trainer.snapshot().weights for trainer in trainers)
    for name, array in plain.items():
        torch.testing.assert_close(
            torch.tensor(captured[name]), torch.tensor(array), rtol=1e-3, atol=1e-4, msg=name
        )


def test_capturing_is_for_cuda_alone(digits: ImageDataset, small: Settings) -> None:
    trainer = Trainer(digits, updated(small, cuda_graph="on", precision="float32"))
    trainer.step()
    assert trainer.mode == "float32"
