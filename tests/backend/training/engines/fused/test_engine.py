"""Which way steps are taken, and that every way leads to the same weights."""

from __future__ import annotations

import sys
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import run_folders
import torch

from vaeviewer.backend.config import Settings, updated
from vaeviewer.backend.data.base import ImageDataset
from vaeviewer.backend.runs import restore
from vaeviewer.backend.runs.folder import load_run
from vaeviewer.backend.training import loop
from vaeviewer.backend.training.engines.fused import engine
from vaeviewer.backend.training.health import NonFiniteError
from vaeviewer.backend.training.trainer import Trainer
from vaeviewer.errors import SettingsError
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
    """Steps are fused from step 5 on."""
    monkeypatch.setattr(engine, "FUSED_FROM", 5)


@pytest.mark.slow
@needs_compiler
@pytest.mark.usefixtures("soon")
@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_a_run_switches_at_a_fixed_step(
    precision: str, digits: ImageDataset, small: Settings, tmp_path: Any
) -> None:
    settings = updated(small, precision=precision)
    whole = advance(Trainer(digits, settings), 5)
    assert "fused" not in whole.mode
    advance(whole, 1)
    assert whole.mode.endswith(", fused")
    advance(whole, 6)

    for stop in (3, 5, 9):  # before, at and after the switch
        part = advance(Trainer(digits, settings), stop)
        run_folders.save(part, tmp_path / str(stop))
        resumed = restore.trainer_of(load_run(tmp_path / str(stop)), digits)
        advance(resumed, 12 - stop)
        np.testing.assert_array_equal(weights(resumed), weights(whole))


@needs_compiler
@pytest.mark.usefixtures("soon")
def test_going_back_before_the_switch_takes_plain_steps_again(digits: ImageDataset, small: Settings) -> None:
    trainer = advance(Trainer(digits, updated(small)), 3)
    trainer.keep_good_state()
    first = weights(advance(trainer, 6))
    assert trainer.mode.endswith(", fused")
    assert trainer.restore_good_state() == 3
    assert "fused" not in advance(trainer, 1).mode
    assert trainer.restore_good_state() == 3
    assert "fused" not in trainer.mode
    np.testing.assert_array_equal(weights(advance(trainer, 6)), first)


@needs_compiler
@pytest.mark.usefixtures("soon")
@pytest.mark.parametrize("protocol", ["grey", "dynamic", "threshold"])
def test_steps_taken_together_lead_to_the_same_run(
    protocol: str, digits: ImageDataset, small: Settings
) -> None:
    settings = updated(small, protocol=protocol, schedule="cosine", epochs=3)
    single, together = (Trainer(digits, settings) for _ in range(2))
    advance(single, 2 * single.batches.per_epoch + 3)
    taken = []
    while together.step_count < single.step_count:
        before = together.step_count
        together.step(single.step_count - before)
        taken.append(together.step_count - before)
        assert together.step_count // together.batches.per_epoch in (
            before // together.batches.per_epoch,
            (before + taken[-1]) / together.batches.per_epoch,
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
    for name, column in rows.columns().items():
        np.testing.assert_array_equal(column, others.columns()[name])


@needs_compiler
@pytest.mark.usefixtures("soon")
@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_copies_between_fused_steps_are_exact_and_never_of_broken_weights(
    precision: str, digits: ImageDataset, small: Settings
) -> None:
    wide = updated(small, precision=precision, hidden=(64, 32))  # so that there are many weights
    trainer = advance(Trainer(digits, wide), 8)
    assert trainer.mode.endswith(", fused")
    first, live = trainer.checkpoint(), dict(trainer._model.named_parameters())
    assert list(first.snapshot.weights) == list(live)
    for name, parameter in live.items():
        np.testing.assert_array_equal(first.snapshot.weights[name], parameter.detach().numpy())
    for name, tensor in trainer.engine.optimizer_state().items():
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
    settings = updated(small, threads=2, epochs=1)
    trainer = Trainer(digits, settings)
    loop.train(trainer, go_on=lambda: loop.FREELY, after_block=lambda: None)
    assert trainer.mode.endswith(", fused")
    assert torch.get_num_threads() == 2


@needs_compiler
@pytest.mark.usefixtures("soon")
def test_fused_and_eager_steps_lead_to_about_the_same(digits: ImageDataset, small: Settings) -> None:
    settings = updated(small, precision="float32", epochs=50)
    fused, eager = Trainer(digits, settings), Trainer(digits, updated(settings, engine="eager"))
    advance(fused, 30)
    advance(eager, 30)
    assert (fused.mode, eager.mode) == ("float32, fused", "float32, eager")
    np.testing.assert_allclose(weights(fused), weights(eager), atol=2e-3)
    first, second = fused.evaluate(), eager.evaluate()
    assert first is not None
    assert second is not None
    assert abs(first.values["elbo"] - second.values["elbo"]) < 0.05


@needs_compiler
@pytest.mark.usefixtures("soon")
def test_a_run_goes_on_with_another_engine(digits: ImageDataset, small: Settings, tmp_path: Any) -> None:
    """Optimizers keep their state by parameter, whichever engine wrote it."""
    settings = updated(small, precision="float32")
    trainer = advance(Trainer(digits, settings), 8)
    run_folders.save(trainer, tmp_path / "run")
    run = load_run(tmp_path / "run")
    eager = restore.trainer_of(replace(run, settings=updated(run.settings, engine="eager")), digits)
    assert eager.mode == "float32, eager"
    advance(trainer, 4)
    advance(eager, 4)
    np.testing.assert_allclose(weights(eager), weights(trainer), atol=1e-4)


@pytest.mark.usefixtures("soon")
def test_without_a_compiler_it_stays_plain(
    digits: ImageDataset, small: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(object_code, "available", lambda: False)
    monkeypatch.setattr(engine, "step_code", lambda *_: MachineCode("fresh", ()))
    assert "fused" not in advance(Trainer(digits, small), 12).mode


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"likelihood": "gaussian"}, "Bernoulli"),
        ({"samples": 2}, "one sample"),
        ({"optimizer": "sgd", "learning_rate": 1e-5}, "Adam"),
        ({"family": "denoising"}, "variational autoencoder"),
    ],
)
def test_other_kinds_of_steps_are_eager_and_say_why(
    digits: ImageDataset,
    small: Settings,
    changes: dict[str, Any],
    reason: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(sys, "executable", "/nonexistent")
    monkeypatch.setattr(engine, "step_code", lambda *_: pytest.fail("was asked for"))
    settings = updated(small, **changes)
    trainer = advance(Trainer(digits, settings), 6)
    assert trainer.mode.endswith("eager")
    assert reason in trainer.engine_reason
    with pytest.raises(SettingsError, match=reason):
        Trainer(digits, updated(settings, engine="fused"))


@pytest.mark.parametrize("version", ["2.13.0", "2.99.0a0+git1234", "3.0", "nightly"])
def test_another_version_of_torch_is_not_called_blindly(
    version: str, digits: ImageDataset, small: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch, "__version__", version)
    trainer = Trainer(digits, small)
    assert trainer.mode.endswith("eager")
    assert f"this PyTorch ({version.partition('+')[0]}) was not tried with it" in trainer.engine_reason
