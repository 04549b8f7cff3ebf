"""Training that explodes is told once, and one command leads back to a healthy run, from every state."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from pytestqt.qtbot import QtBot

from vaeviewer.backend.config import Settings, updated
from vaeviewer.backend.data.base import ImageDataset
from vaeviewer.backend.models.symptoms import Trouble
from vaeviewer.backend.runs.folder import load_run
from vaeviewer.backend.training.findings import Finding, Origin, Remedy
from vaeviewer.session.session import Session
from vaeviewer.session.states import Action, State

SETTINGS = updated(Settings(), hidden=(128, 64), epochs=10_000, threads=1)


class Told:
    """A session, and what it told of its health."""

    def __init__(self, qtbot: QtBot, session: Session) -> None:
        self.session, self.findings, self.changed = session, list[Finding | None](), list[str]()
        self.problems: list[str] = []
        self._qtbot = qtbot
        session.exploding.connect(self.findings.append)
        session.changed.connect(self.changed.append)
        session.problem.connect(lambda sentence, *_: self.problems.append(sentence))

    def wait(self, condition: Callable[[], bool]) -> None:
        def drained() -> bool:
            self.session.drain()
            return condition()

        self._qtbot.waitUntil(drained, timeout=60_000)

    def train_until_told(self) -> Finding:
        self.wait(lambda: self.session.state is State.READY)
        assert self.session.request(Action.TRAIN)
        self.wait(lambda: bool(self.findings))
        (finding,) = self.findings
        assert finding is not None
        return finding

    def wait_for_a_healthy_run(self, elbo: float = -240.0) -> None:
        """It trains, and its ELBO is one of a network that learns."""

        def healthy() -> bool:
            history = self.session.history
            if history is None or self.session.state is not State.RUNNING:
                return False
            rows = history.training.view()
            return len(rows) > 200 and float(rows["elbo"][-20:].mean()) > elbo

        self.wait(healthy)
        assert self.findings[-1] is None
        assert len(self.findings) == 2


@pytest.fixture
def start(qtbot: QtBot, digits: ImageDataset) -> Iterator[Callable[[Settings], Told]]:
    made: list[Session] = []

    def build(settings: Settings) -> Told:
        session = Session(settings)
        made.append(session)
        session._thread.start()
        session.use_data(digits, keep_model=False)
        return Told(qtbot, session)

    yield build
    for session in made:
        assert session.close()


Start = Callable[[Settings], Told]


@pytest.mark.slow
@pytest.mark.parametrize("state", [State.RUNNING, State.PAUSED, State.FINISHED])
def test_one_command_leads_back_to_a_healthy_run(start: Start, state: State) -> None:
    told = start(updated(SETTINGS, learning_rate=1.0))
    finding = told.train_until_told()
    assert re.fullmatch(
        r"the ELBO has fallen from −54\d\.\d to −(?:[\d.,]+|\d\.\d × 10[⁰¹²³⁴⁵⁶⁷⁸⁹]+) at step \d+: "
        r"learning rate 1 is probably too high\.",
        finding.sentence,
    )
    (remedy,) = finding.remedies
    assert remedy == Remedy("Start again with learning rate 0.003", Origin.GOOD, {"learning_rate": 0.003})
    if state is not State.RUNNING:
        told.session.request(Action.PAUSE if state is State.PAUSED else Action.STOP)
        thread = told.session._thread
        told.wait(lambda: thread._announcer.state is state and told.session.state is state)
    folder = told.session.folder
    told.session.treat(remedy)
    told.wait_for_a_healthy_run()
    assert told.session.settings.train.learning_rate == 0.003
    assert told.changed == ["learning_rate"]
    assert not told.problems

    told.session.request(Action.PAUSE)
    told.wait(lambda: told.session.saved_step == told.session.snapshot.step)  # type: ignore[union-attr]
    assert told.session.folder == folder
    assert folder is not None
    run = load_run(folder)
    assert [(c.step, c.field, c.value) for c in run.timeline] == [(0, "learning_rate", 0.003)]
    assert run.checkpoint.snapshot.step == told.session.saved_step
    lines = Path(folder, "log.txt").read_text(encoding="utf-8")
    assert lines.count("the ELBO has fallen") == 1
    assert "went back to step 0" in lines


@pytest.mark.slow
def test_a_large_beta_is_told_and_undone(start: Start) -> None:
    told = start(updated(SETTINGS, beta=1000.0))
    told.session.forget_run()
    finding = told.train_until_told()
    assert finding.trouble is Trouble.COLLAPSED
    assert re.fullmatch(
        r"β = 1000 weighs the KL so much that q\(z\|x\) says nothing of the image: "
        r"the KL is 0\.0\d\d nats per image \(posterior collapse\)\.",
        finding.sentence,
    )
    told.session.treat(finding.remedies[0])
    told.wait_for_a_healthy_run()
    assert told.session.settings.model.beta == 1.0


@pytest.mark.slow
def test_where_numbers_become_infinite_at_once_the_way_back_is_offered_too(start: Start) -> None:
    told = start(updated(SETTINGS, optimizer="sgd", learning_rate=1.0))
    told.session.forget_run()
    finding = told.train_until_told()
    told.wait(lambda: told.session.state is State.FAILED)
    assert len(told.problems) == 1
    assert "became infinite or undefined at step" in finding.sentence
    told.session.treat(Remedy("", Origin.GOOD, {"learning_rate": 1e-4}))
    told.wait_for_a_healthy_run(elbo=-400.0)


@pytest.mark.slow
def test_a_new_run_is_not_blamed_for_the_old_one(start: Start) -> None:
    told = start(updated(SETTINGS, learning_rate=1.0))
    told.session.forget_run()
    told.train_until_told()
    told.session.request(Action.PAUSE)
    told.wait(lambda: told.session.state is State.PAUSED)
    told.session.use_settings(SETTINGS)
    assert told.session.request(Action.RESET)
    told.wait(lambda: told.findings[-1] is None)
