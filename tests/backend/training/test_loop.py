"""The training loop: blocks end when they are to, however many steps go together."""

from __future__ import annotations

import pytest

from vaeviewer.backend.config import Settings, updated
from vaeviewer.backend.data.base import ImageDataset
from vaeviewer.backend.training import loop
from vaeviewer.backend.training.loop import BLOCK_SECONDS, FREELY, train
from vaeviewer.backend.training.trainer import Trainer
from vaeviewer.native.object_code import available


class Clock:
    """Time passes with the steps of a trainer alone, each of which takes so many seconds."""

    def __init__(self, trainer: Trainer, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now, self.step_seconds = 100.0, 0.001
        self.together: list[int] = []
        step = trainer.step

        def timed_step(most: int = 1) -> None:
            before = trainer.step_count
            step(most)
            self.together.append(trainer.step_count - before)
            self.now += self.step_seconds * self.together[-1]

        monkeypatch.setattr(trainer, "step", timed_step)
        monkeypatch.setattr(loop.time, "perf_counter", lambda: self.now)


@pytest.fixture
def trainer(digits: ImageDataset, small: Settings) -> Trainer:
    trainer = Trainer(digits, updated(small, batch_size=8, epochs=16))
    trainer.engine.prepare(wait=True)
    return trainer


def blocks(trainer: Trainer, clock: Clock) -> list[float]:
    """How long each block lasted that no epoch ended."""
    found, begin = [], clock.now

    def after_block() -> None:
        nonlocal begin
        if not trainer.batches.at_epoch_start:
            found.append(clock.now - begin)
        begin = clock.now

    train(trainer, go_on=lambda: FREELY, after_block=after_block)
    return found


@pytest.mark.slow
@pytest.mark.skipif(not available(), reason="without a compiler no steps go together")
@pytest.mark.parametrize("step_seconds", [0.002, 0.0034, 0.0041, 0.011, 0.025])
def test_steps_that_go_together_end_with_their_block(
    trainer: Trainer, monkeypatch: pytest.MonkeyPatch, step_seconds: float
) -> None:
    clock = Clock(trainer, monkeypatch)
    clock.step_seconds = step_seconds
    lasted = blocks(trainer, clock)
    assert max(clock.together) > 1
    assert len(lasted) > 20
    latest = BLOCK_SECONDS + step_seconds / 2 + 1e-9
    assert all(0.75 * BLOCK_SECONDS <= seconds <= latest for seconds in lasted)


@pytest.mark.slow
def test_a_step_that_becomes_slow_holds_a_block_up_once(
    trainer: Trainer, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = Clock(trainer, monkeypatch)
    found: list[float] = []

    def go_on() -> int:
        clock.step_seconds = 0.004 if trainer.step_count < 200 else 0.02
        return FREELY

    begin = clock.now

    def after_block() -> None:
        nonlocal begin
        if not trainer.batches.at_epoch_start and trainer.step_count > 200:
            found.append(clock.now - begin)
        begin = clock.now

    train(trainer, go_on=go_on, after_block=after_block)
    assert sum(seconds > BLOCK_SECONDS + 0.01 + 1e-9 for seconds in found) <= 1


@pytest.mark.slow
def test_fewer_epochs_asked_for_between_two_of_them_end_it_there(trainer: Trainer) -> None:
    def go_on() -> int:
        if trainer.epoch == 3:
            trainer.change("epochs", 2)
        return 1

    train(trainer, go_on=go_on, after_block=lambda: None)
    assert trainer.epoch == 3
