"""Training on a CUDA device: the same as on a processor, captured or not, also when its memory runs out."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from conftest import same_arrays
from run_folders import save

from vaeviewer.backend.config import Settings, updated
from vaeviewer.backend.data.base import ImageDataset
from vaeviewer.backend.models import registry
from vaeviewer.backend.models.interface import Batch, Objective
from vaeviewer.backend.runs.folder import load_run
from vaeviewer.backend.runs.restore import moved_to_cpu, trainer_of
from vaeviewer.backend.training import loop
from vaeviewer.backend.training.copies import Copies
from vaeviewer.backend.training.engines.captured import CapturedEngine
from vaeviewer.backend.training.failure import Failure, Kind, describe_failure
from vaeviewer.backend.training.recovery import Eased, with_smaller_batches
from vaeviewer.backend.training.trainer import Trainer

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no CUDA device"),
]

TRAINED = [key for key, family in registry.families().items() if family.capabilities.trains]

KINDS: list[dict[str, Any]] = [
    *({"family": key} for key in TRAINED),
    {"family": "vae", "warm_up": 100, "protocol": "dynamic", "precision": "bfloat16"},
    {
        "family": "vae",
        "network": "conv",
        "conv_channels": 8,
        "normalisation": "batch",
        "likelihood": "gaussian",
    },
    {"family": "gan", "objective": "wasserstein", "discriminator_steps": 2},
    {"family": "gan", "network": "conv", "conv_channels": 8, "spectral_norm": True},
    {"family": "flow", "flow": "planar"},
    {"family": "adversarial", "prior": "mixture", "labels": True},
    {"family": "adversarial", "prior": "swiss-roll"},
    {"family": "semi-supervised", "variant": "M2"},
    {"family": "vampprior", "learned_prior": "mixture"},
]
"""Every family that takes steps, and what else takes ways of its own."""


def name_of(values: Mapping[str, Any]) -> str:
    return "-".join(str(value) for value in values.values())


@pytest.fixture
def on_cuda(small: Settings) -> Settings:
    """With a learning rate that float32 has exactly: a captured step reads it from a tensor."""
    changes = {"learning_rate": 2.0**-9, "schedule": "constant", "precision": "float32", "epochs": 1000}
    return updated(small, device="cuda", engine="eager", **changes)


def steps(trainer: Trainer, count: int) -> Trainer:
    for _ in range(count):
        if trainer.block_full:
            trainer.finish_block()
        trainer.step()
    trainer.finish_block()
    return trainer


def weights(trainer: Trainer) -> dict[str, np.ndarray]:
    return dict(trainer.snapshot().weights)


def apart(found: Trainer, expected: Trainer) -> float:
    """How far two models are from each other, as a share of how far training has brought one."""

    def flat(values: Mapping[str, np.ndarray]) -> np.ndarray:
        return np.concatenate([np.ravel(array).astype(np.float64) for array in values.values()])

    here, there = flat(weights(found)), flat(weights(expected))
    start = flat(weights(Trainer(expected.dataset, expected.initial_settings)))
    return float(np.linalg.norm(here - there) / np.linalg.norm(there - start))


@pytest.mark.parametrize("values", KINDS, ids=name_of)
def test_a_captured_step_is_the_eager_one(
    values: dict[str, Any], on_cuda: Settings, digits: ImageDataset, figures: list[str]
) -> None:
    """Weights, metrics, held-out figures and the posteriors of 200 steps."""
    settings = updated(on_cuda, **values)
    eager = steps(Trainer(digits, settings), 200)
    captured = steps(Trainer(digits, updated(settings, engine="captured")), 200)
    assert captured.mode.endswith("captured"), captured.mode_note
    share = apart(captured, eager)
    figures.append(f"captured, {name_of(values)}: {share:.1e} of the way of 200 steps apart")
    assert share < 0.002
    for key, column in eager.history.training.view().stored.items():
        found = captured.history.training.view().stored[key]
        np.testing.assert_allclose(found[:20], column[:20], rtol=1e-3, atol=1e-3, err_msg=key)
    held_out, expected = captured.evaluate(), eager.evaluate()
    assert held_out is not None
    assert expected is not None
    for key, value in expected.values.items():
        assert held_out.values[key] == pytest.approx(value, rel=0.02, abs=0.05), key
    if eager.family.capabilities.encodes:
        table, there = captured.snapshot().posterior, eager.snapshot().posterior
        assert table is not None
        assert there is not None
        np.testing.assert_array_equal(table.row_steps, there.row_steps)
        np.testing.assert_allclose(table.loc, there.loc, atol=0.05)


def test_solved_at_once(on_cuda: Settings, digits: ImageDataset) -> None:
    trainer, there = (
        Trainer(digits, updated(on_cuda, family="pca", device=where)) for where in ("cuda", "cpu")
    )
    assert apart_numbers(trainer.evaluate(), there.evaluate()) < 1e-4


def apart_numbers(found: Any, expected: Any) -> float:
    return max(abs(found.values[k] - v) / (1.0 + abs(v)) for k, v in expected.values.items())


def test_the_same_again_bit_for_bit(on_cuda: Settings, digits: ImageDataset, tmp_path: Path) -> None:
    """Twice, and where it was saved and resumed in between."""
    settings = updated(on_cuda, engine="auto", protocol="dynamic", precision="auto")
    whole = steps(Trainer(digits, settings), 40)
    assert whole.mode.endswith("captured")
    again = steps(Trainer(digits, settings), 17)
    save(again, tmp_path / "run")
    resumed = trainer_of(load_run(tmp_path / "run"), digits)
    steps(again, 23), steps(resumed, 23)
    assert same_arrays(weights(again), weights(whole))
    assert same_arrays(weights(resumed), weights(whole))


def test_what_changes_while_it_trains_is_captured_anew(on_cuda: Settings, digits: ImageDataset) -> None:
    pair = [Trainer(digits, updated(on_cuda, engine=engine)) for engine in ("captured", "eager")]
    for trainer in pair:
        for field, value in (("beta", 4.0), ("learning_rate", 1e-3), ("beta", 0.5)):
            steps(trainer, 10)
            trainer.change(field, value)
        steps(trainer, 10)
    assert apart(*pair) < 1e-3


def test_a_halved_batch_is_captured_anew(on_cuda: Settings, digits: ImageDataset) -> None:
    pair = [Trainer(digits, updated(on_cuda, engine=engine)) for engine in ("captured", "eager")]
    for trainer in pair:
        steps(trainer, 10)
        trainer.keep_good_state()
        steps(trainer, 3)
        assert trainer.restore_good_state(25) == 10
        steps(trainer, 20)
    assert apart(*pair) < 1e-3
    assert pair[0].mode.endswith("captured")


def test_the_last_batches_of_an_epoch_and_the_next_one(on_cuda: Settings, digits: ImageDataset) -> None:
    trainer = steps(Trainer(digits, updated(on_cuda, engine="captured")), 24)
    posterior = trainer.snapshot().posterior
    assert posterior is not None
    assert np.bincount(posterior.row_steps)[12:].tolist() == [50] * 12
    assert trainer.epoch == 2.0


@pytest.mark.parametrize("noticed", [True, False])
def test_a_step_that_waits_for_the_device_stays_eager(
    noticed: bool, on_cuda: Settings, digits: ImageDataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A loss may do what it likes; the noise of the steps that were tried is drawn again."""
    if not noticed:  # as by what torch does not know of
        monkeypatch.setattr(CapturedEngine, "_waits", lambda _engine: "")
    trainer = Trainer(digits, updated(on_cuda, engine="auto"))
    eager = steps(Trainer(digits, on_cuda), 5)
    engine: Any = trainer.engine
    (player,) = engine._players

    def loss(batch: Batch, config: Any) -> Objective:
        objective: Objective = player.loss(batch, config)
        assert float(objective.loss.detach()) > 0.0
        return objective

    engine._players = [dataclasses.replace(player, loss=loss)]
    steps(trainer, 5)
    assert trainer.mode.endswith("eager")
    assert ("waits for the device" if noticed else "not captured: ") in trainer.mode_note
    assert apart(trainer, eager) < 1e-4


def test_what_was_saved_on_one_device_goes_on_on_the_other(
    on_cuda: Settings, digits: ImageDataset, tmp_path: Path
) -> None:
    for here, there in (("cuda", "cpu"), ("cpu", "cuda")):
        trainer = steps(Trainer(digits, updated(on_cuda, device=here, engine="auto")), 20)
        before = trainer.evaluate()
        save(trainer, tmp_path / here)
        moved = trainer_of(load_run(tmp_path / here), digits, {"device": there})
        assert moved.device.type == there
        assert same_arrays(weights(moved), weights(trainer))
        assert apart_numbers(moved.evaluate(), before) < 1e-3
        steps(moved, 100)
        assert moved.step_count == 120
        after = moved.evaluate()
        assert before is not None
        assert after is not None
        assert after.values["elbo"] > before.values["elbo"]


def test_a_lost_device_is_left_for_the_processor(on_cuda: Settings, digits: ImageDataset) -> None:
    trainer = steps(Trainer(digits, updated(on_cuda, engine="auto")), 20)
    trainer.keep_good_state()
    moved = moved_to_cpu(trainer)
    assert (moved.device.type, moved.step_count) == ("cpu", 20)
    steps(moved, 5)


@pytest.mark.parametrize("engine", ["eager", "captured"])
def test_where_memory_runs_out_batches_are_halved(
    engine: str, on_cuda: Settings, digits: ImageDataset, figures: list[str]
) -> None:
    """Really: a hundred samples of each image, and about a gigabyte for them."""
    many = dataclasses.replace(
        digits,
        train_images=np.tile(digits.train_images, (4, 1, 1)),
        train_labels=np.tile(digits.train_labels, 4),
    )
    settings = updated(on_cuda, engine=engine, samples=100, batch_size=2400, epochs=1)
    total = torch.cuda.get_device_properties(0).total_memory
    trainer = Trainer(many, settings)
    told: list[Eased] = []

    def attempt(action: Any) -> Failure | None:
        try:
            action()
        except Exception as error:
            return describe_failure(error)
        return None

    torch.cuda.empty_cache()
    try:
        torch.cuda.set_per_process_memory_fraction((torch.cuda.memory_reserved() + 1.5e9) / total)
        failure = with_smaller_batches(
            lambda: loop.train(trainer, go_on=lambda: loop.FREELY, after_block=lambda: None),
            lambda: trainer,
            attempt=attempt,
            tell=told.append,
        )
    finally:
        torch.cuda.set_per_process_memory_fraction(1.0)
    assert failure is None, failure.details
    assert told
    assert all(eased.failure.kind is Kind.MEMORY for eased in told)
    assert trainer.batch_size == told[-1].batch_size < 2400
    assert trainer.finished
    assert trainer.mode.endswith(engine)
    figures.append(f"{engine}: batches of {trainer.batch_size} where 2,400 do not fit")


def test_copies_are_those_of_each_tensor() -> None:
    """Small ones go together by type, large ones and those of the processor by themselves."""
    tensors = [torch.rand(shape, device="cuda") for shape in ((), (3,), (40, 7), (0,), (5_000_000,))]
    tensors += [torch.arange(11, dtype=torch.int32, device="cuda"), torch.ones(4, dtype=torch.uint8)]
    found = Copies().of(*tensors)
    assert found is not None
    for copy, tensor in zip(found, tensors, strict=True):
        np.testing.assert_array_equal(copy, tensor.cpu().numpy(), strict=True)
    for place, number in ((1, float("nan")), (4, float("inf"))):
        kept = tensors[place].clone()
        tensors[place][2] = number
        assert Copies().of(*tensors) is None
        tensors[place].copy_(kept)


def test_a_block_of_slow_steps_is_short(on_cuda: Settings, digits: ImageDataset) -> None:
    """Steps are launched long before they are done: whoever presses Pause does not wait for hundreds of them."""
    settings = updated(
        on_cuda, engine="captured", network="conv", conv_channels=64, batch_size=600, epochs=60
    )
    trainer = Trainer(digits, updated(settings, residual_blocks=2))
    ends: list[tuple[float, int]] = []
    loop.train(
        trainer,
        go_on=lambda: loop.FREELY,
        after_block=lambda: ends.append((time.perf_counter(), trainer.step_count)),
    )
    seconds = np.diff([end for end, _ in ends])[2:]
    assert np.median(seconds) < 3 * loop.GPU_BLOCK_SECONDS
