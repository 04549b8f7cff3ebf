"""A new model is built once nothing holds the one before it: the device need not have room for two."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Iterator

import pytest
from pytestqt.qtbot import QtBot

from vaeviewer.backend.config import Settings, updated
from vaeviewer.backend.data.base import ImageDataset
from vaeviewer.backend.training.trainer import Trainer
from vaeviewer.session.session import Session
from vaeviewer.session.states import Action, State


def reset(session: Session, wait: Callable[[State], None]) -> None:
    for action, state in ((Action.TRAIN, State.RUNNING), (Action.PAUSE, State.PAUSED)):
        session.request(action)
        wait(state)
    assert session.request(Action.RESET)


def another_setting_before_the_first_step(session: Session, _wait: Callable[[State], None]) -> None:
    session.use_settings(updated(session.settings, hidden=(16,)))


def a_new_run_while_it_trains(session: Session, wait: Callable[[State], None]) -> None:
    session.request(Action.TRAIN)
    wait(State.RUNNING)
    session.new_run()


def other_data_while_it_trains(session: Session, wait: Callable[[State], None]) -> None:
    session.request(Action.TRAIN)
    wait(State.RUNNING)
    assert session.dataset is not None
    session.use_data(session.dataset, keep_model=False)


Way = Callable[[Session, Callable[[State], None]], None]


@pytest.fixture
def session(
    qtbot: QtBot, digits: ImageDataset, small: Settings, request: pytest.FixtureRequest
) -> Iterator[Session]:
    session = Session(updated(small, epochs=100_000, engine=request.param))
    session._thread.start()
    session.use_data(digits, keep_model=False)
    qtbot.waitUntil(lambda: session.state is State.READY, timeout=30_000)
    yield session
    assert session.close()


@pytest.mark.parametrize("session", ["auto", "eager"], indirect=True)
@pytest.mark.parametrize(
    "way",
    [
        reset,
        another_setting_before_the_first_step,
        a_new_run_while_it_trains,
        other_data_while_it_trains,
    ],
    ids=lambda way: way.__name__,
)
def test_nothing_holds_the_old_model_when_a_new_one_is_built(
    qtbot: QtBot, session: Session, way: Way, monkeypatch: pytest.MonkeyPatch
) -> None:
    trainer = session._thread._driver.trainer
    assert trainer is not None
    held: list[weakref.ref[object]] = [
        weakref.ref(part)
        for part in (trainer, trainer._model, next(trainer._model.parameters()), trainer._rows.loc)
    ]
    del trainer
    left: list[list[str]] = []
    build = Trainer.__init__

    def look_and_build(new: Trainer, dataset: ImageDataset, settings: Settings) -> None:
        left.append([type(part()).__name__ for part in held if part() is not None])
        build(new, dataset, settings)

    def wait(state: State) -> None:
        def there() -> bool:
            session.drain()
            thread = session._thread
            stepped = state is not State.RUNNING or bool(session.progress and session.progress.step)
            return (
                session.state is state is thread._announcer.state
                and thread._announcer.handled == session._sent
                and stepped
            )

        qtbot.waitUntil(there, timeout=30_000)

    monkeypatch.setattr(Trainer, "__init__", look_and_build)
    way(session, wait)
    qtbot.waitUntil(lambda: bool(left), timeout=30_000)
    wait(State.READY)
    assert left == [[]]


@pytest.mark.parametrize("session", ["auto"], indirect=True)
def test_a_model_that_cannot_be_built_stops_no_training(qtbot: QtBot, session: Session) -> None:
    problems: list[str] = []
    session.problem.connect(lambda sentence, *_: problems.append(sentence))
    session.request(Action.TRAIN)
    session.settings = updated(session.settings, device="mps")  # no Mac is Linux or Windows
    session.new_run()
    qtbot.waitUntil(lambda: bool(problems), timeout=30_000)
    step = session._thread._driver.trainer.step_count  # type: ignore[union-attr]
    qtbot.waitUntil(lambda: session._thread._driver.trainer.step_count > step + 10, timeout=30_000)  # type: ignore[union-attr]
    assert session._thread._announcer.state is State.RUNNING
