"""The real session with a real, small model: every state and action, pace, data and failure."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import run_folders
import torch
from conftest import same_arrays
from own_families import Mean
from PySide6.QtCore import QThread
from pytestqt.qtbot import QtBot

from vaeviewer import paths
from vaeviewer.backend.config import Settings, updated, value_of
from vaeviewer.backend.data import load_dataset
from vaeviewer.backend.data.base import ImageDataset
from vaeviewer.backend.models import registry
from vaeviewer.backend.runs import atomic_files
from vaeviewer.backend.runs.folder import load_run
from vaeviewer.backend.runs.listing import summary_of
from vaeviewer.backend.runs.lock import in_use
from vaeviewer.backend.training import loop
from vaeviewer.backend.training.trainer import Trainer
from vaeviewer.session.messages import Opened
from vaeviewer.session.session import Session
from vaeviewer.session.states import BUTTONS, RESULT, Action, State

MakeSession = Callable[[Settings], Session]


@pytest.fixture
def make(qtbot: QtBot, digits: ImageDataset) -> Iterator[MakeSession]:
    """Makes ready sessions on the small digits, and closes them."""
    made: list[Session] = []

    def build(settings: Settings) -> Session:
        session = Session(settings)
        made.append(session)
        session._thread.start()
        session.use_data(digits, keep_model=False)
        qtbot.waitUntil(lambda: session.state is State.READY, timeout=30_000)
        return session

    yield build
    for session in made:
        assert session.close()


def reach(qtbot: QtBot, session: Session, state: State) -> None:
    """Bring a ready session into ``state`` by what a user could do."""
    if state is State.READY:
        return
    if state is State.SOLVED:
        session.use_settings(updated(session.settings, family="mean-image"))
        settle(qtbot, session, state)
        return
    session.set_steps_per_second(50.0)
    session.request(Action.TRAIN)
    if state is State.PAUSED:
        session.request(Action.PAUSE)
    if state is State.FINISHED:
        session.request(Action.STOP)
    if state is State.FAILED:
        trainer = session._thread._driver.trainer
        assert trainer is not None
        next(trainer._model.parameters()).data.fill_(float("nan"))  # as a diverging run would
        session.set_steps_per_second(0.0)
    settle(qtbot, session, state)


def settle(qtbot: QtBot, session: Session, state: State) -> None:
    def settled() -> bool:
        session.drain()
        thread = session._thread
        done = thread._announcer.handled == session._sent and session.progress is not None
        return done and session.state is state is thread._announcer.state

    qtbot.waitUntil(settled, timeout=20_000)


@pytest.fixture
def solved_at_once() -> Iterator[None]:
    registry.register(Mean())
    yield
    registry.unregister("mean-image")


@pytest.mark.usefixtures("solved_at_once")
@pytest.mark.parametrize("action", Action)
@pytest.mark.parametrize("state", [s for s in State if s is not State.LOADING])
def test_the_table_of_states(
    qtbot: QtBot, make: MakeSession, small: Settings, state: State, action: Action
) -> None:
    session = make(updated(small, epochs=1000))
    reach(qtbot, session, state)
    allowed = action in BUTTONS[state].allowed
    step = session.progress.step if session.progress else 0
    assert session.request(action) is allowed
    settle(qtbot, session, RESULT[action] if allowed else state)
    session.drain()
    assert session.progress is not None
    if action is Action.STEP and allowed:
        qtbot.waitUntil(lambda: session.drain() or session.progress.step == step + 1)
    if action is Action.RESET and allowed:
        assert session.progress.step == 0
        assert len(session.progress.history.training) == 0


@pytest.mark.usefixtures("solved_at_once")
def test_what_is_solved_at_once_is_measured_and_gives_way_to_other_settings(
    qtbot: QtBot, make: MakeSession, small: Settings
) -> None:
    session = make(small)
    reach(qtbot, session, State.SOLVED)
    assert session.progress is not None
    assert len(session.progress.history.held_out) == 1
    assert session.snapshot is not None
    assert session.snapshot.posterior is not None
    session.use_settings(updated(session.settings, protocol="threshold"))
    qtbot.waitUntil(lambda: session.snapshot is not None and session.snapshot.protocol == "threshold")
    settle(qtbot, session, State.SOLVED)
    session.use_settings(small)
    settle(qtbot, session, State.READY)


def test_nothing_is_accepted_while_loading(qtbot: QtBot, small: Settings) -> None:
    session = Session(small)
    assert not any(session.request(action) for action in Action)
    assert session.close()


def test_training_ends_with_a_consistent_snapshot_of_the_last_step(
    qtbot: QtBot, make: MakeSession, small: Settings, digits: ImageDataset
) -> None:
    session = make(small)
    session.request(Action.TRAIN)
    settle(qtbot, session, State.FINISHED)
    assert session.snapshot is not None
    assert session.snapshot.step == 24
    assert session.snapshot.posterior is not None
    assert np.ptp(session.snapshot.posterior.row_steps) == 0
    # The window's thread and a plain loop give the same weights.
    trainer = Trainer(digits, small)
    loop.train(trainer, go_on=lambda: True, after_block=lambda: None)
    assert same_arrays(trainer.snapshot().weights, session.snapshot.weights)


@pytest.mark.slow
def test_pausing_and_stepping_change_no_weight(
    qtbot: QtBot, make: MakeSession, small: Settings, digits: ImageDataset
) -> None:
    session = make(small)
    session.request(Action.STEP)
    settle(qtbot, session, State.PAUSED)
    session.set_steps_per_second(100.0)
    session.request(Action.TRAIN)
    qtbot.wait(60)
    session.request(Action.PAUSE)
    settle(qtbot, session, State.PAUSED)
    session.set_steps_per_second(0.0)
    session.request(Action.TRAIN)
    settle(qtbot, session, State.FINISHED)
    trainer = Trainer(digits, small)
    loop.train(trainer, go_on=lambda: True, after_block=lambda: None)
    assert session.snapshot is not None
    assert same_arrays(trainer.snapshot().weights, session.snapshot.weights)


def test_training_further_adds_epochs(qtbot: QtBot, make: MakeSession, small: Settings) -> None:
    session = make(small)
    session.request(Action.TRAIN)
    settle(qtbot, session, State.FINISHED)
    session.request(Action.TRAIN)
    assert session.state is State.RUNNING
    settle(qtbot, session, State.FINISHED)
    assert session.progress is not None
    assert session.progress.epoch == 4.0


@pytest.mark.slow
def test_slow_motion_paces_steps_and_still_answers_at_once(
    qtbot: QtBot, make: MakeSession, small: Settings
) -> None:
    session = make(updated(small, epochs=1000))
    session.set_steps_per_second(1.0)
    session.request(Action.TRAIN)
    qtbot.wait(700)
    session.drain()
    assert session.progress is not None
    assert session.progress.step <= 2
    start = time.perf_counter()
    session.request(Action.PAUSE)
    settle(qtbot, session, State.PAUSED)
    assert time.perf_counter() - start < 0.7, "a pause waits for no slow step"


def test_slow_motion_moves_the_whole_plane(qtbot: QtBot, make: MakeSession, small: Settings) -> None:
    session = make(updated(small, epochs=1000))
    session.set_steps_per_second(5.0)
    session.request(Action.TRAIN)

    def moved() -> bool:
        session.drain()
        return session.snapshot is not None and session.snapshot.step >= 2

    qtbot.waitUntil(moved, timeout=10_000)
    assert session.snapshot is not None
    assert session.snapshot.posterior is not None
    assert np.ptp(session.snapshot.posterior.row_steps) == 0


def test_live_changes_reach_the_run(qtbot: QtBot, make: MakeSession, small: Settings) -> None:
    session = make(updated(small, epochs=1000))
    session.set_steps_per_second(50.0)
    session.request(Action.TRAIN)
    session.change("epochs", 3)
    session.change("beta", 4.0)
    session.set_steps_per_second(0.0)
    settle(qtbot, session, State.FINISHED)
    trainer = session._thread._driver.trainer
    assert trainer is not None
    assert trainer.epoch == 3.0
    assert trainer.settings.model.beta == 4.0
    assert {c.field for c in trainer.timeline} == {"epochs", "beta"}


def test_settings_before_the_first_step_make_a_new_model(
    qtbot: QtBot, make: MakeSession, small: Settings
) -> None:
    session = make(small)
    session.use_settings(updated(small, hidden=(16, 8)))
    settle(qtbot, session, State.READY)

    def rebuilt() -> bool:
        session.drain()
        return session.snapshot is not None and session.snapshot.model.hidden == (16, 8)

    qtbot.waitUntil(rebuilt)


def test_a_non_finite_loss_is_told_and_undone(qtbot: QtBot, make: MakeSession, small: Settings) -> None:
    session = make(updated(small, epochs=1000))
    told: list[str] = []
    session.problem.connect(lambda sentence, details: told.append(sentence))
    reach(qtbot, session, State.FAILED)
    assert "infinite or undefined at step" in told[0]
    assert "learning rate" in told[0]
    assert session.snapshot is not None
    assert all(np.isfinite(w).all() for w in session.snapshot.weights.values())
    session.request(Action.TRAIN)
    qtbot.wait(100)
    session.drain()
    assert session.state is State.RUNNING


def test_an_unexpected_exception_in_training_is_told_and_training_goes_on(
    qtbot: QtBot, make: MakeSession, small: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    session = make(updated(small, epochs=1000))
    told: list[tuple[str, str]] = []
    session.problem.connect(lambda sentence, details: told.append((sentence, details)))

    def broken(self: Trainer, _most: int) -> None:
        raise RuntimeError("the device went away")

    with monkeypatch.context() as patch:
        patch.setattr(Trainer, "step", broken)
        session.request(Action.TRAIN)
        settle(qtbot, session, State.FAILED)
    assert "the device went away" in told[0][0]
    assert "Traceback" in told[0][1]
    session.request(Action.TRAIN)
    qtbot.waitUntil(lambda: session.drain() and bool(session.progress and session.progress.step > 0))
    assert session.state is State.RUNNING


def test_other_data_keep_or_renew_the_model(
    qtbot: QtBot, make: MakeSession, small: Settings, digits: ImageDataset
) -> None:
    session = make(small)
    session.request(Action.TRAIN)
    settle(qtbot, session, State.FINISHED)
    assert session.snapshot is not None
    trained = session.snapshot
    other = replace(
        digits, name="half", train_images=digits.train_images[:300], train_labels=digits.train_labels[:300]
    )
    offered: list[ImageDataset] = []
    session.data_arrived.connect(offered.append)
    session.offer_data(other)
    assert offered == [other]
    session.use_data(other, keep_model=True)
    qtbot.waitUntil(lambda: session.dataset is other)
    settle(qtbot, session, State.FINISHED)
    assert session.snapshot.posterior is not None
    assert len(session.snapshot.posterior.loc) == 300
    assert same_arrays(trained.weights, session.snapshot.weights)
    session.use_data(other, keep_model=False)
    settle(qtbot, session, State.READY)
    assert session.snapshot.step == 0


@pytest.fixture
def large(digits: ImageDataset) -> ImageDataset:
    """Images for which the default layers are narrower."""
    pixels = np.random.default_rng(0).integers(0, 256, (40, 160, 160), np.uint8)
    return replace(
        digits, name="large", train_images=pixels[:30], train_labels=digits.train_labels[:30],
        held_out_images=pixels[30:], held_out_labels=digits.held_out_labels[:10],
    )  # fmt: skip


@pytest.mark.slow
def test_layers_that_nobody_set_suit_the_images(
    qtbot: QtBot, make: MakeSession, digits: ImageDataset, large: ImageDataset
) -> None:
    session = make(Settings())
    default = value_of(session.settings, "hidden")

    def use(dataset: ImageDataset) -> object:
        session.use_data(dataset, keep_model=False)
        qtbot.waitUntil(lambda: session.dataset is dataset, timeout=20_000)
        settle(qtbot, session, State.READY)
        assert session.snapshot is not None
        widths = value_of(session.settings, "hidden")
        assert session.snapshot.weights["encoder.0.weight"].shape[0] == widths[0]
        return widths

    assert use(large) == (128, 128, 128)
    assert use(digits) == default
    assert use(large) == (128, 128, 128)
    session.use_settings(updated(session.settings, hidden=(200,)))
    settle(qtbot, session, State.READY)
    assert use(digits) == (200,), "which somebody chose"
    session.use_settings(updated(session.settings, hidden=(128, 64)))
    settle(qtbot, session, State.READY)
    assert use(large) == (128, 64)
    session.use_settings(updated(session.settings, hidden=default))
    settle(qtbot, session, State.READY)
    assert use(replace(large, name="others")) == default, "which somebody chose for large images"


@pytest.mark.slow
def test_what_is_changed_while_images_are_prepared_is_for_these_images(
    qtbot: QtBot, make: MakeSession, digits: ImageDataset, large: ImageDataset
) -> None:
    session = make(updated(Settings(), epochs=1000))
    told: list[tuple[Opened, int]] = []
    session.opened.connect(lambda event: told.append((event, value_of(session.settings, "latent_dim"))))

    def in_use() -> ImageDataset | None:
        qtbot.waitUntil(lambda: bool(told) and told[-1][0].handled == session._sent, timeout=20_000)
        settle(qtbot, session, State.READY)
        return session.dataset

    session.use_data(large, keep_model=False)
    session.use_settings(updated(session.settings, latent_dim=3))
    session.use_settings(updated(session.settings, latent_dim=4))
    assert in_use() is large
    assert value_of(session.settings, "hidden") == (128, 128, 128)
    assert [latent_dim for _, latent_dim in told] == [4, 4, 4], "no model on the way takes a change back"
    for keep_model in (False, True):
        reach(qtbot, session, State.PAUSED)
        others = replace(large, train_images=large.train_images[::-1])
        session.use_data(others, keep_model=keep_model)
        assert session.request(Action.RESET)
        assert in_use() is others


def test_the_same_images_kept_leave_the_run_and_its_curves_as_they_were(
    qtbot: QtBot, make: MakeSession, small: Settings, digits: ImageDataset
) -> None:
    session = make(updated(small, epochs=50))
    session.request(Action.TRAIN)
    qtbot.waitUntil(lambda: session.drain() and session.progress.step > 20, timeout=20_000)
    session.request(Action.PAUSE)
    settle(qtbot, session, State.PAUSED)
    weights, steps = session.snapshot.weights, session.history.training.view().step.tolist()
    assert len(steps) > 20
    elsewhere = replace(
        digits, source=digits.source.model_copy(update={"key": "folder", "path": "/elsewhere"})
    )
    for chosen in (digits, elsewhere):
        session.use_data(chosen, keep_model=True)
        number = session._sent
        qtbot.waitUntil(
            lambda n=number: session._thread._announcer.handled >= n and session._thread._inbox.empty
        )
        qtbot.waitUntil(lambda source=chosen.source: session.dataset.source == source)
        settle(qtbot, session, State.PAUSED)
        assert session.history.training.view().step.tolist() == steps
        assert same_arrays(weights, session.snapshot.weights)
    session.request(Action.STEP)
    qtbot.waitUntil(lambda: (session.drain(), session.snapshot.step == steps[-1] + 1)[1])


def test_a_saved_run_opens_again(qtbot: QtBot, make: MakeSession, small: Settings, tmp_path: Path) -> None:
    session = Session(updated(small, epochs=1))
    session.start()
    qtbot.waitUntil(lambda: session.state is State.READY, timeout=30_000)
    session.request(Action.STEP)
    settle(qtbot, session, State.PAUSED)
    session.save(tmp_path / "run")
    qtbot.waitUntil(lambda: session.folder == tmp_path / "run", timeout=10_000)
    session.drain()
    assert session.snapshot is not None
    saved = session.snapshot
    assert session.close()

    again = Session(small)
    again.start(run=tmp_path / "run")
    qtbot.waitUntil(lambda: again.state is State.PAUSED, timeout=30_000)
    again.drain()
    assert again.snapshot is not None
    assert same_arrays(saved.weights, again.snapshot.weights)
    assert again.folder == tmp_path / "run"
    assert again.settings.model == small.model
    assert again.close()


def only_run() -> Path:
    (folder,) = paths.runs_dir().iterdir()
    return folder


@pytest.mark.slow
def test_a_run_has_its_folder_from_the_first_step_on(
    qtbot: QtBot, make: MakeSession, small: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    session = make(updated(small, epochs=1000))
    assert not paths.runs_dir().exists()
    session._thread.run_keeper._save_seconds = 0.1
    session.set_steps_per_second(50.0)
    with qtbot.waitSignal(session.saved) as first:
        session.request(Action.TRAIN)
    assert first.args[0].automatic
    assert session.folder == only_run()
    assert summary_of(only_run()).in_training
    qtbot.waitUntil(lambda: (session.saved_step or 0) > 0, timeout=10_000)

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(atomic_files, "sync", full)
        with qtbot.waitSignal(session.save_failed, timeout=10_000) as failed:
            pass
        assert str(only_run()) in failed.args[0]
        assert session.save_problem == failed.args[0]
        assert session.state is State.RUNNING
    qtbot.waitUntil(lambda: session.save_problem == "", timeout=10_000)
    session.request(Action.PAUSE)
    settle(qtbot, session, State.PAUSED)
    qtbot.waitUntil(lambda: not summary_of(only_run()).in_training, timeout=10_000)
    assert session.progress is not None
    assert summary_of(only_run()).step == session.progress.step


def test_reset_leaves_the_old_run_whole_and_the_new_one_begins_another(
    qtbot: QtBot, make: MakeSession, small: Settings
) -> None:
    session = make(small)
    session.request(Action.TRAIN)
    settle(qtbot, session, State.FINISHED)
    session.request(Action.RESET)
    settle(qtbot, session, State.READY)
    old = only_run()
    assert summary_of(old).step == 24
    assert not summary_of(old).in_training
    assert not in_use(old)
    assert session.folder is None
    session.request(Action.STEP)
    settle(qtbot, session, State.PAUSED)
    assert session.close()
    assert sorted(summary_of(folder).step for folder in paths.runs_dir().iterdir()) == [1, 24]


@pytest.mark.slow
def test_a_run_that_is_open_elsewhere_is_read_only_and_goes_on_as_another(
    qtbot: QtBot, small: Settings, tmp_path: Path
) -> None:
    first, second = Session(updated(small, epochs=1)), Session(small)
    first.start()
    qtbot.waitUntil(lambda: first.state is State.READY, timeout=30_000)
    first.request(Action.STEP)
    settle(qtbot, first, State.PAUSED)
    first.save(tmp_path / "run")
    qtbot.waitUntil(lambda: first.folder == tmp_path / "run", timeout=10_000)
    before = {path.name: path.read_bytes() for path in (tmp_path / "run").glob("[!.]*")}

    second.start(run=tmp_path / "run")
    qtbot.waitUntil(lambda: second.state is State.PAUSED, timeout=30_000)
    assert second.folder == tmp_path / "run"
    assert "is open in another window" in second.read_only
    second.request(Action.STEP)
    settle(qtbot, second, State.PAUSED)
    assert second.close()
    assert {path.name: path.read_bytes() for path in (tmp_path / "run").glob("[!.]*")} == before
    assert sorted(summary_of(folder).step for folder in paths.runs_dir().iterdir()) == [1, 2]

    first.open_run(tmp_path / "run")  # its own folder, once more
    settle(qtbot, first, State.PAUSED)
    assert first.folder == tmp_path / "run"
    assert first.read_only == ""
    assert first.close()
    assert not in_use(tmp_path / "run")


def test_a_run_that_cannot_be_opened_leaves_the_one_that_is_open(
    qtbot: QtBot, make: MakeSession, small: Settings, tmp_path: Path
) -> None:
    session = make(small)
    session.request(Action.STEP)
    settle(qtbot, session, State.PAUSED)
    with qtbot.waitSignal(session.problem):
        session.open_run(tmp_path)
    assert not list(tmp_path.iterdir())
    session.request(Action.STEP)
    settle(qtbot, session, State.PAUSED)
    assert session.close()
    assert summary_of(only_run()).step == 2


def test_a_damaged_run_is_opened_at_the_checkpoint_before_and_says_so(
    qtbot: QtBot, small: Settings, tmp_path: Path
) -> None:
    trainer = Trainer(load_dataset("mnist-10k"), small)
    for _ in range(2):
        trainer.step()
        run_folders.save(trainer, tmp_path)
    next(tmp_path.glob("step-00000002.weights*")).write_bytes(b"")
    session = Session(small)
    told: list[str] = []
    session.problem.connect(lambda sentence, details: told.append(sentence))
    with qtbot.waitSignal(session.problem, timeout=30_000):
        session.start(run=tmp_path)
    assert session.folder == tmp_path, "it is told once the run is on screen"
    assert "step-00000002.weights" in told[0]
    assert told[0].endswith("Step 1, saved before, was opened.")
    assert session.close()


def test_opening_nonsense_is_a_sentence_and_the_digits(qtbot: QtBot, small: Settings, tmp_path: Path) -> None:
    session = Session(small)
    told: list[str] = []
    session.problem.connect(lambda sentence, details: told.append(sentence))
    session.start(run=tmp_path)
    qtbot.waitUntil(lambda: session.state is State.READY, timeout=30_000)
    assert "not a run folder" in told[0]
    assert session.close()


def test_closing_keeps_what_was_trained(qtbot: QtBot, small: Settings) -> None:
    session = Session(small)
    session.start()
    qtbot.waitUntil(lambda: session.state is State.READY, timeout=30_000)
    session.request(Action.STEP)
    settle(qtbot, session, State.PAUSED)
    assert session.close()
    assert load_run(only_run()).checkpoint.snapshot.step == 1


def test_closing_an_untrained_model_keeps_nothing(make: MakeSession, small: Settings) -> None:
    assert make(small).close()
    assert not paths.runs_dir().exists()


def test_closing_is_quick_at_any_time(qtbot: QtBot, make: MakeSession, small: Settings) -> None:
    session = make(updated(small, epochs=100_000))
    session.set_steps_per_second(1.0)
    session.request(Action.TRAIN)
    qtbot.wait(50)
    start = time.perf_counter()
    assert session.close()
    assert time.perf_counter() - start < 1.0
    assert session.thread() is QThread.currentThread()


def test_a_torch_that_cannot_be_loaded_is_told(
    qtbot: QtBot, small: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "vaeviewer.backend.training.trainer", None)
    session = Session(small)
    told: list[str] = []
    session.problem.connect(lambda sentence, details: told.append(sentence))
    session.start()
    qtbot.waitUntil(lambda: bool(told))
    assert told[0].startswith("PyTorch could not be loaded")
    assert session.close()


@pytest.mark.slow
def test_the_import_comes_before_the_first_command(small: Settings) -> None:
    """Torch loads while the window waits for its data, in a process that has not loaded it yet."""
    script = (
        "import sys, time; from vaeviewer.session.mailbox import Mailbox;"
        "from vaeviewer.session.training_thread import TrainingThread;"
        "assert 'torch' not in sys.modules; t = TrainingThread(Mailbox(), print); t.start();"
        "t._imported.wait(60); assert 'torch' in sys.modules; assert t.close(5)"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


# What random orders found


def test_a_change_made_as_training_ends_does_not_hide_the_end(
    qtbot: QtBot, make: MakeSession, small: Settings
) -> None:
    session = make(small)
    session.request(Action.TRAIN)
    qtbot.waitUntil(lambda: session._thread._announcer.state is State.FINISHED, timeout=20_000)
    session.change("beta", 2.0)  # before what the thread said has arrived
    settle(qtbot, session, State.FINISHED)


def test_a_change_on_the_way_to_a_new_model_is_kept(
    qtbot: QtBot, make: MakeSession, small: Settings, digits: ImageDataset
) -> None:
    session = make(small)
    session.use_data(replace(digits, name="the same"), keep_model=False)
    session.change("beta", 4.0)
    qtbot.waitUntil(lambda: session.dataset is not None and session.dataset.name == "the same")
    settle(qtbot, session, State.READY)
    assert session.settings.model.beta == 4.0
    assert session._thread._driver.trainer.settings.model.beta == 4.0


def test_an_untrained_model_kept_for_other_data_can_be_trained(
    qtbot: QtBot, make: MakeSession, small: Settings, digits: ImageDataset
) -> None:
    session = make(small)
    session.use_data(digits, keep_model=True)
    settle(qtbot, session, State.READY)
    session.request(Action.TRAIN)
    settle(qtbot, session, State.FINISHED)
    assert session.progress is not None
    assert session.progress.epoch == 2.0


def test_a_device_that_is_not_there_costs_no_model(qtbot: QtBot, make: MakeSession, small: Settings) -> None:
    if torch.cuda.is_available():
        pytest.skip("wants a device that is not there")
    session = make(small)
    told: list[str] = []
    session.problem.connect(lambda sentence, _details: told.append(sentence))
    session.request(Action.STEP)
    settle(qtbot, session, State.PAUSED)
    session.use_settings(updated(session.settings, device="cuda"))
    session.request(Action.RESET)
    settle(qtbot, session, State.PAUSED)
    assert "cuda" in told[0]
    assert session.snapshot is not None
    assert session.snapshot.step == 1


def test_nothing_of_another_model_is_shown_with_new_data(
    qtbot: QtBot, make: MakeSession, small: Settings, digits: ImageDataset
) -> None:
    """What training put into the mailbox before or after is not taken for the model now in use."""
    session = make(updated(small, epochs=100_000))
    fewer = replace(digits, train_images=digits.train_images[:300], train_labels=digits.train_labels[:300])
    for dataset in (fewer, digits, fewer):
        session.request(Action.TRAIN)
        qtbot.waitUntil(lambda: session._thread._announcer.state is State.RUNNING)
        session.use_data(dataset, keep_model=False)
        qtbot.waitUntil(lambda new=dataset: getattr(session._thread._driver.trainer, "dataset", None) is new)
        session.drain()  # a frame is drawn before the window has heard of the new model
        assert session.dataset is not None
        if session.snapshot is not None and session.snapshot.posterior is not None:
            assert len(session.snapshot.posterior.loc) == len(session.dataset.train_images)
        settle(qtbot, session, State.READY)


def test_a_closed_session_starts_nothing(make: MakeSession, small: Settings, digits: ImageDataset) -> None:
    session = make(small)
    assert session.close()
    session.start()
    session.load_data("mnist-10k")
    session.use_data(digits, keep_model=False)
    assert not session.request(Action.TRAIN)
    assert not any(thread.name in ("training", "data") for thread in threading.enumerate())
