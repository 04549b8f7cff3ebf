"""Any order of what a user can ask for, at any moment: the real session with a tiny real model."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import hypothesis
import numpy as np
import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test
from PySide6.QtCore import QCoreApplication
from PySide6.QtWidgets import QApplication
from small_images import write_idx_folder

from vaeviewer.backend.config import Settings, updated, value_of
from vaeviewer.backend.data.base import ImageDataset
from vaeviewer.backend.training.trainer import Trainer
from vaeviewer.session.messages import Opened
from vaeviewer.session.session import Session
from vaeviewer.session.states import BUTTONS, RESULT, Action, State

PATIENCE_S = 10.0
CLOSE_S = 2.0

EXPECTED_PROBLEMS = (
    "is not a run folder",
    "does not exist",
    "there is no model yet",
    "pixels",  # other data do not fit the model
    "infinite or undefined",  # a learning rate beyond use
    "cannot be written",
    "was not saved",
    "the folder holds a run of another model",
    "no CUDA",
    "cuda",
)
"""Parts of the sentences that the odder wishes below are answered with."""

TINY = updated(Settings(), hidden=(8,), epochs=3, batch_size=10, threads=1, device="cpu")


class AnyOrder(RuleBasedStateMachine):
    """A user who presses anything at any time, while the events of what came before are half processed."""

    def __init__(self) -> None:
        super().__init__()
        self._place = tempfile.TemporaryDirectory()
        place = Path(self._place.name)
        self.runs = (place / "run-a", place / "run-b")
        self.folders = {name: place / name for name in ("forty", "thirty", "wide")}
        self.data = [
            write_idx_folder(self.folders["forty"], train=40),
            write_idx_folder(self.folders["thirty"], train=30),
            write_idx_folder(self.folders["wide"], train=25, width=6),
        ]
        self.problems: list[tuple[str, str]] = []
        self.last_step = 0
        self.session = Session(TINY)
        self.session.problem.connect(lambda sentence, details: self.problems.append((sentence, details)))
        self.session.opened.connect(self._begin_again)
        self.session.state_changed.connect(self._on_state)
        self.session.data_arrived.connect(lambda data: self.session.use_data(data, keep_model=True))

    @initialize(settled=st.booleans())
    def start(self, settled: bool) -> None:
        self.session.start(data=self.folders["forty"])
        if settled:
            self.everything_settles()

    # What a user does

    @rule(action=st.sampled_from(Action))
    def press(self, action: Action) -> None:
        allowed = action in BUTTONS[self.session.state].allowed
        if action is Action.RESET and allowed:
            self.last_step = 0
        assert self.session.request(action) is allowed
        if allowed:
            assert self.session.state is RESULT[action]

    @rule(rate=st.sampled_from((0.0, 3.0, 200.0)))
    def set_pace(self, rate: float) -> None:
        self.session.set_steps_per_second(rate)

    @rule(
        change=st.one_of(
            st.tuples(st.just("beta"), st.sampled_from((0.0, 4.0))),
            st.tuples(st.just("epochs"), st.sampled_from((1, 500))),
            st.tuples(st.just("learning_rate"), st.sampled_from((1e-4, 0.01, 10.0))),
        )
    )
    def change_live(self, change: tuple[str, float]) -> None:
        self.session.change(*change)

    @rule(hidden=st.sampled_from(((8,), (6, 4))), device=st.sampled_from(("cpu", "cpu", "cuda")))
    def edit_settings(self, hidden: tuple[int, ...], device: str) -> None:
        self.session.use_settings(updated(self.session.settings, hidden=hidden, device=device))

    @rule(which=st.integers(0, 2), keep_model=st.booleans())
    def use_data(self, which: int, keep_model: bool) -> None:
        self.session.use_data(self.data[which], keep_model=keep_model)

    @rule(name=st.sampled_from(("forty", "thirty", "wide", "nowhere")))
    def load_data(self, name: str) -> None:
        self.session.load_data("folder", self.folders.get(name, Path("nowhere")))

    @rule()
    def cancel_loading(self) -> None:
        self.session.cancel_loading()

    @rule(which=st.integers(0, 1))
    def save(self, which: int) -> None:
        self.session.save(self.runs[which])

    @rule(which=st.integers(0, 1))
    def open_run(self, which: int) -> None:
        self.session.open_run(self.runs[which])

    # What time does

    @rule(milliseconds=st.sampled_from((0, 1, 5, 30)))
    def time_passes(self, milliseconds: int) -> None:
        time.sleep(milliseconds / 1000)

    @rule()
    def events_arrive(self) -> None:
        QCoreApplication.processEvents()

    @rule()
    def a_frame_is_drawn(self) -> None:
        self.session.drain()

    @rule()
    def everything_settles(self) -> None:
        """All is handled and told; then window and thread agree."""
        wait_until(self._agreed, self._disagreement)

    # What always holds

    @invariant()
    def only_expected_problems(self) -> None:
        for sentence, details in self.problems:
            assert any(part in sentence for part in EXPECTED_PROBLEMS), (sentence, details)

    @invariant()
    def what_is_shown_fits_together(self) -> None:
        session = self.session
        snapshot, dataset = session.snapshot, session.dataset
        if snapshot is None:
            return
        assert dataset is not None
        assert snapshot.image_shape == dataset.image_shape
        assert snapshot.posterior is not None
        assert len(snapshot.posterior.loc) == len(dataset.train_images)
        for array in (*snapshot.weights.values(), snapshot.posterior.loc, snapshot.posterior.scale):
            assert np.isfinite(array).all()

    @invariant()
    def steps_are_counted_upwards(self) -> None:
        progress = self.session.progress
        if progress is not None:
            assert progress.step >= self.last_step
            self.last_step = progress.step
            history = progress.history.training.view()
            assert (np.diff(history.step) > 0).all()
            assert np.isfinite(history["elbo"]).all()

    def teardown(self) -> None:
        start = time.perf_counter()
        assert self.session.close()
        assert time.perf_counter() - start < CLOSE_S
        assert not self.session._thread._thread.is_alive()
        self._after_the_end()
        QCoreApplication.processEvents()
        self.only_expected_problems()
        self.session.deleteLater()
        self._place.cleanup()

    def _after_the_end(self) -> None:
        """Nothing that is asked of a closed session starts anything or fails."""
        for action in Action:
            self.session.request(action)
        self.change_live(("beta", 2.0))
        self.use_data(0, keep_model=False)
        self.load_data("forty")
        self.save(0)
        self.open_run(0)
        self.session.start()
        assert self.session.close()

    def _begin_again(self, _: Opened) -> None:
        self.last_step = 0

    def _on_state(self, state: State) -> None:
        if state is State.FAILED:  # back at the last good state
            self.last_step = 0

    def _agreed(self) -> bool:
        self.session.drain()
        return not self._disagreement()

    def _disagreement(self) -> list[str]:
        session, thread = self.session, self.session._thread
        trainer = thread._driver.trainer
        live = ("beta", "epochs", "learning_rate")
        loading = any(t.is_alive() for t in session._loader._threads)
        pairs = {
            "handled": (thread._announcer.handled, session._sent),
            "loading": (loading, False),
            "state": (thread._announcer.state, session.state),
            "folder": (thread.run_keeper.folder, session.folder),
        }
        if trainer is not None:
            pairs["same data"] = (trainer.dataset is session.dataset, True)
            pairs["snapshot"] = (session.snapshot is not None, True)
            for field in live:
                pairs[field] = (
                    value_of(trainer.settings, field),
                    value_of(session.settings, field),
                )
        return [f"{name}: {a} and {b}" for name, (a, b) in pairs.items() if a is not b and a != b]


def wait_until(condition: Callable[[], bool], explain: Callable[[], object]) -> None:
    end = time.perf_counter() + PATIENCE_S
    while not condition():
        assert time.perf_counter() < end, explain()
        QCoreApplication.processEvents()
        time.sleep(0.002)


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_any_order_is_safe(qapp: QApplication, digits: ImageDataset, exhaustive: bool) -> None:
    Trainer(digits, TINY).step()  # closing does not wait for the imports that a first step does
    run_state_machine_as_test(
        AnyOrder,
        settings=hypothesis.settings(
            max_examples=400 if exhaustive else 50,
            stateful_step_count=40 if exhaustive else 25,
            deadline=None,
            derandomize=True,
            phases=[hypothesis.Phase.generate],  # moments do not repeat exactly, so shrinking leads nowhere
            database=None,
            suppress_health_check=list(hypothesis.HealthCheck),
        ),
    )
