"""Training that fails, in every way that can be brought about: told soon, undone, and it goes on."""

from __future__ import annotations

import random
import time
import weakref
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from pytestqt.qtbot import QtBot

from vaeviewer.backend.config import Settings, updated
from vaeviewer.backend.data.base import ImageDataset
from vaeviewer.backend.runs.folder import load_run
from vaeviewer.backend.training.trainer import Trainer
from vaeviewer.session.session import Session
from vaeviewer.session.states import Action, State

TOLD_WITHIN_S = 1.0


class Watched:
    """A session in training, what it told, and a way to make its next step fail.

    Attributes:
        fault: Called after the next step on the training thread, once; it may raise or spoil the trainer.
        failed_at: When the fault was called, by :func:`time.perf_counter`.
        told: Sentence, details and time of each problem.
    """

    def __init__(self, qtbot: QtBot, session: Session, monkeypatch: pytest.MonkeyPatch) -> None:
        self.session = session
        self.fault: Callable[[Trainer], None] | None = None
        self.failed_at = 0.0
        self.told: list[tuple[str, str, float]] = []
        self._qtbot = qtbot
        session.problem.connect(lambda s, details: self.told.append((s, details, time.perf_counter())))
        step = Trainer.step

        def step_with_fault(trainer: Trainer, _most: int = 1) -> None:
            step(trainer)
            fault, self.fault = self.fault, None
            if fault is not None:
                self.failed_at = time.perf_counter()
                fault(trainer)

        monkeypatch.setattr(Trainer, "step", step_with_fault)

    @property
    def trainer(self) -> Trainer:
        found = self.session._thread._driver.trainer
        assert found is not None
        return found

    def wait(self, condition: Callable[[], bool]) -> None:
        def drained() -> bool:
            self.session.drain()
            return condition()

        self._qtbot.waitUntil(drained, timeout=20_000)

    def wait_for(self, state: State) -> None:
        """Wait until the session and its thread agree on ``state``, with nothing left to do."""
        thread = self.session._thread
        self.wait(
            lambda: (
                self.session.state is state
                and thread._announcer.state is state
                and thread._announcer.handled == self.session._sent
            )
        )

    def train_on(self) -> None:
        """Press Train or Continue unless it runs, and wait until steps were taken."""
        if self.session.state is not State.RUNNING:
            assert self.session.request(Action.TRAIN)
        start = self.step
        self.wait(lambda: self.step != start and self.session.state is State.RUNNING)

    @property
    def step(self) -> int:
        return self.session.progress.step if self.session.progress else 0

    def fail(self, fault: Callable[[Trainer], None]) -> tuple[str, str]:
        """Let a step fail; what was told, in time."""
        told = len(self.told)
        self.fault = fault
        self.wait(lambda: len(self.told) > told)
        sentence, details, when = self.told[told]
        assert when - self.failed_at < TOLD_WITHIN_S
        return sentence, details

    def assert_finite(self) -> None:
        assert self.session.snapshot is not None
        assert all(np.isfinite(w).all() for w in self.session.snapshot.weights.values())


@pytest.fixture
def make(
    qtbot: QtBot, digits: ImageDataset, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Callable[[Settings], Watched]]:
    """Makes sessions in training on the small digits, and closes them."""
    made: list[Session] = []

    def build(settings: Settings) -> Watched:
        session = Session(updated(settings, epochs=100_000))
        session.forget_run()
        made.append(session)
        watched = Watched(qtbot, session, monkeypatch)
        session._thread.start()
        session.use_data(digits, keep_model=False)
        watched.wait_for(State.READY)
        watched.train_on()
        return watched

    yield build
    for session in made:
        assert session.close()


Make = Callable[[Settings], Watched]


def raising(error: Exception) -> Callable[[Trainer], None]:
    def fault(_trainer: Trainer) -> None:
        raise error

    return fault


def out_of_memory(draw: random.Random) -> Callable[[Trainer], None]:
    return raising(
        draw.choice(
            [
                torch.cuda.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 MiB."),
                RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried …"),
                MemoryError(),
            ]
        )
    )


def a_nan_somewhere(draw: random.Random) -> Callable[[Trainer], None]:
    def fault(trainer: Trainer) -> None:
        weights = [parameter.data for parameter in trainer._model.parameters()]
        moments = [value for name, value in trainer.engine.optimizer_state().items() if "exp_avg" in name]
        spoilt = draw.choice(
            [draw.choice(weights), draw.choice(weights), draw.choice(moments), trainer._block.values]
        )
        number = draw.randrange(spoilt.numel()) if spoilt is not trainer._block.values else 0
        spoilt.view(-1)[number] = float("nan")

    return fault


@pytest.mark.slow
def test_nan_at_random_moments(qtbot: QtBot, make: Make, small: Settings, exhaustive: bool) -> None:
    draw = random.Random(1)
    watched = make(small)
    for _ in range(100 if exhaustive else 6):
        qtbot.wait(draw.randrange(30))
        sentence, _ = watched.fail(a_nan_somewhere(draw))
        assert "infinite or undefined at step" in sentence
        assert "press Continue" in sentence
        watched.wait_for(State.FAILED)
        watched.assert_finite()
        watched.train_on()
    watched.assert_finite()


@pytest.mark.slow
def test_out_of_memory_at_random_moments(qtbot: QtBot, make: Make, small: Settings, exhaustive: bool) -> None:
    draw = random.Random(2)
    watched = make(updated(small, batch_size=64))
    session = watched.session
    for _ in range(100 if exhaustive else 8):
        qtbot.wait(draw.randrange(30))
        before = watched.trainer.batch_size
        sentence, details = watched.fail(out_of_memory(draw))
        assert "memory" in sentence
        assert "Traceback" in details
        if before > 8:
            assert f"batches of {before} images. The batch size is now {before // 2};" in sentence
            watched.train_on()
            assert watched.trainer.batch_size == session.settings.train.batch_size == before // 2
        else:
            watched.wait_for(State.FAILED)
            watched.assert_finite()
            watched.train_on()
            assert session.request(Action.PAUSE)
            assert session.request(Action.RESET)
            watched.wait_for(State.READY)
            session.use_settings(updated(session.settings, batch_size=64))
            watched.wait_for(State.READY)
            watched.train_on()
        watched.assert_finite()


@pytest.mark.slow
def test_a_lower_learning_rate_saves_a_diverged_run(make: Make, small: Settings) -> None:
    watched = make(updated(small, optimizer="sgd", schedule="constant", learning_rate=1e-3))
    watched.session.change("learning_rate", 10.0)
    watched.wait_for(State.FAILED)
    assert "lower the learning rate" in watched.told[0][0]
    watched.session.change("learning_rate", 1e-4)
    failed = watched.step
    watched.session.request(Action.TRAIN)
    watched.wait(lambda: watched.step > failed + 200)
    assert watched.session.state is State.RUNNING
    assert len(watched.told) == 1


def test_held_out_figures_and_posteriors_that_are_not_finite(
    make: Make, small: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    watched = make(small)

    def spoil(trainer: Trainer) -> None:
        trainer.evaluate(record=False)  # copies the images to the device
        images = trainer._held_out_images
        assert images is not None
        with monkeypatch.context() as patch:
            patch.setattr(images, "_noise", torch.full_like(images._noise, float("nan")))
            trainer.evaluate()

    sentence, _ = watched.fail(spoil)
    assert "infinite or undefined" in sentence
    watched.wait_for(State.FAILED)
    watched.train_on()
    with monkeypatch.context() as patch:

        def undefined(trainer: Trainer) -> None:
            trainer._rows.loc.fill_(float("nan"))

        patch.setattr(Trainer, "refresh_posterior", undefined)
        watched.session.request(Action.PAUSE)
        watched.wait(lambda: len(watched.told) == 2)
    watched.wait_for(State.FAILED)
    watched.train_on()


def test_memory_is_free_before_training_recovers(
    make: Make, small: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An exception holds the frames it passed, and those hold tensors."""
    watched = make(small)
    held: list[weakref.ref[torch.Tensor]] = []
    freed: list[bool] = []
    restore = Trainer.restore_good_state

    def note(trainer: Trainer, batch_size: int | None = None) -> int:
        freed.append(held[0]() is None)
        return restore(trainer, batch_size)

    def run_out(_trainer: Trainer) -> None:
        large = torch.zeros(10)
        held.append(weakref.ref(large))
        raise torch.cuda.OutOfMemoryError("CUDA out of memory.")

    monkeypatch.setattr(Trainer, "restore_good_state", note)
    watched.fail(run_out)
    assert freed == [True]


def test_a_step_without_memory_is_taken_with_a_smaller_batch(make: Make, small: Settings) -> None:
    watched = make(small)
    watched.session.request(Action.PAUSE)
    watched.wait_for(State.PAUSED)
    step = watched.trainer.step_count
    watched.fault = raising(MemoryError())
    watched.session.request(Action.STEP)
    # The step that fails is counted until it is taken back.
    watched.wait(lambda: watched.trainer.batch_size == 25 and watched.trainer.step_count == step + 1)
    watched.wait_for(State.PAUSED)
    assert watched.trainer.step_count == step + 1


def lose(watched: Watched, monkeypatch: pytest.MonkeyPatch) -> Callable[[Trainer], None]:
    """The trainer's device, called CUDA, stops answering: whatever is asked of its tensors raises."""
    lost = watched.trainer
    copied = lost._live._copies.of
    weights = lost.engine.flat_state()
    assert weights is not None
    theirs = {t.data_ptr() for t in (lost._rows.loc, lost._rows.steps, weights[0])}

    def fault(_trainer: Trainer) -> None:
        lost.device = torch.device("cuda")
        error = getattr(torch, "AcceleratorError", RuntimeError)

        def dead(*_arguments: object) -> None:
            raise error("CUDA error: unspecified launch failure\nCUDA kernel errors might be …")

        def copied_if_alive(tensor: torch.Tensor) -> object:
            return dead() if tensor.data_ptr() in theirs else copied(tensor)

        monkeypatch.setattr(lost._live._copies, "of", copied_if_alive)
        for name in ("refresh_posterior", "snapshot", "finish_block", "evaluate", "restore_good_state"):
            setattr(lost, name, dead)
        dead()

    return fault


def test_a_device_that_disappears(
    make: Make, small: Settings, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    watched = make(updated(small, device="auto"))
    session = watched.session
    changed: list[str] = []
    offered: list[bool] = []
    session.changed.connect(changed.append)
    session.problem.connect(lambda _sentence, _details, _key, cpu_may_help: offered.append(cpu_may_help))
    lost = watched.trainer
    sentence, details = watched.fail(lose(watched, monkeypatch))
    assert sentence.startswith("Training stopped: CUDA does not answer any more (CUDA error: unspecified")
    assert "continue on the CPU, or save" in sentence
    assert "Traceback" in details
    watched.wait_for(State.FAILED)
    watched.assert_finite()
    assert offered == [True]
    assert changed == ["device"]
    assert session.settings.compute.device == "cpu"
    assert watched.trainer is not lost
    kept = watched.trainer.step_count

    session.save(tmp_path / "run")
    watched.wait(lambda: session.saved_step == kept)
    assert load_run(tmp_path / "run").checkpoint.snapshot.step == kept
    assert session.state is State.FAILED
    session.use_cpu()
    watched.train_on()
    assert offered == [True]


def test_a_device_without_memory_offers_the_cpu(make: Make, small: Settings) -> None:
    watched = make(updated(small, batch_size=8, device="auto"))
    session = watched.session
    watched.session.request(Action.PAUSE)
    watched.wait_for(State.PAUSED)
    on_device = watched.trainer
    on_device.device = torch.device("cuda")
    told_with: list[bool] = []
    session.problem.connect(lambda _sentence, _details, _key, cpu_may_help: told_with.append(cpu_may_help))
    # Its very step needs a CUDA that is not here, so it fails before it is taken.
    on_device.step = lambda _most: raising(torch.cuda.OutOfMemoryError("CUDA out of memory."))(on_device)
    session.request(Action.TRAIN)
    watched.wait_for(State.FAILED)
    sentence = watched.told[-1][0]
    assert "CUDA has not enough memory, even for batches of 8" in sentence
    assert told_with == [True]
    assert watched.trainer is on_device
    session.use_cpu()
    watched.train_on()
    assert watched.trainer.device.type == "cpu"
    assert watched.trainer.step_count > 0


def test_on_the_cpu_smaller_settings_are_the_advice(make: Make, small: Settings) -> None:
    watched = make(updated(small, batch_size=1))
    offered: list[bool] = []
    watched.session.problem.connect(lambda _sentence, _details, _key, helps: offered.append(helps))
    sentence, _ = watched.fail(raising(MemoryError()))
    assert "even for batches of 1" in sentence
    assert "fewer hidden units" in sentence
    assert not any(offered)


def test_a_recovery_that_fails_leaves_the_thread_alive(
    make: Make, small: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    watched = make(small)
    with monkeypatch.context() as patch:
        patch.setattr(Trainer, "restore_good_state", raising(OSError("no way back")))
        patch.setattr(Trainer, "restore", lambda *_: raising(OSError("nor there"))(watched.trainer))
        sentence, details = watched.fail(raising(ValueError("odd")))
        assert "odd" in sentence
        assert "nor there" in sentence
        assert "Reset" in sentence
        assert "ValueError: odd" in details
        watched.wait_for(State.FAILED)
    watched.session.request(Action.RESET)
    watched.wait_for(State.READY)
    watched.train_on()


def test_a_good_state_that_cannot_be_put_back_is_put_elsewhere(
    make: Make, small: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    watched = make(small)
    with monkeypatch.context() as patch:
        patch.setattr(Trainer, "restore_good_state", raising(OSError("no way back")))
        watched.fail(raising(ValueError("odd")))
        watched.wait_for(State.FAILED)
    watched.assert_finite()
    watched.train_on()


def test_what_fails_beside_training_leaves_it_running(
    make: Make, small: Settings, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    watched = make(small)
    with monkeypatch.context() as patch:
        patch.setattr(Trainer, "checkpoint", raising(MemoryError()))
        watched.session.save(tmp_path / "run")
        watched.wait(lambda: bool(watched.told))
    assert watched.told[0][0].startswith("This could not be done: MemoryError")
    assert watched.session.state is State.RUNNING
    watched.train_on()


def test_a_command_that_meets_a_failure_is_not_lost(make: Make, small: Settings, tmp_path: Path) -> None:
    watched = make(small)
    saved: list[object] = []
    watched.session.saved.connect(saved.append)

    def spoil_and_save(trainer: Trainer) -> None:
        trainer._block.values.fill_(float("nan"))
        watched.session.save(tmp_path / "run")  # so that it lies in the queue before the block is looked at

    watched.fail(spoil_and_save)
    watched.wait(lambda: bool(saved))
    assert load_run(tmp_path / "run").checkpoint.snapshot.step == watched.trainer.step_count


def test_a_model_that_cannot_be_made_leaves_the_settings_free(
    qtbot: QtBot, digits: ImageDataset, small: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    session = Session(small)
    told: list[str] = []
    session.problem.connect(lambda sentence, _: told.append(sentence))
    session._thread.start()
    with monkeypatch.context() as patch:
        patch.setattr(Trainer, "refresh_posterior", raising(MemoryError()))
        session.use_data(digits, keep_model=False)
        qtbot.waitUntil(lambda: bool(told), timeout=20_000)
        assert "not enough memory for it and its images" in told[0]
        qtbot.waitUntil(lambda: session.waiting_for.startswith("other settings"))
    assert session.state is State.LOADING
    assert session.suited_to == digits.image, "so that defaults are those of the images asked for"
    session.use_settings(updated(small, hidden=(16,)))
    qtbot.waitUntil(lambda: session.state is State.READY)
    assert session.close()
