"""Changes on their way to the training thread while a model of another family is opened."""

from __future__ import annotations

import pytest
from pytestqt.qtbot import QtBot

from vaeviewer.backend.config import Settings, updated
from vaeviewer.backend.data.base import ImageDataset
from vaeviewer.session.live_changes import LiveChanges
from vaeviewer.session.messages import Change
from vaeviewer.session.session import Session
from vaeviewer.session.states import Action, State


def test_what_was_sent_later_holds_and_what_is_known_does_not_count(small: Settings) -> None:
    changes = LiveChanges()
    changes.note(3, "beta", 2.0)
    changes.note(4, "learning_rate", 0.5)
    found = changes.onto(small, 3)
    assert (found.model.beta, found.train.learning_rate) == (1.0, 0.5)


def test_a_family_without_the_setting_is_left_as_it_is(small: Settings) -> None:
    changes = LiveChanges()
    changes.note(2, "beta", 2.0)
    changes.note(3, "learning_rate", 0.5)
    other = updated(small, family="denoising")
    assert changes.onto(other, 1) == updated(other, learning_rate=0.5)


@pytest.mark.parametrize("action", [None, Action.TRAIN])
def test_a_change_that_comes_after_another_family_is_no_failure(
    qtbot: QtBot, small: Settings, digits: ImageDataset, action: Action | None
) -> None:
    session = Session(small)
    problems: list[str] = []
    session.problem.connect(lambda sentence, *_: problems.append(sentence))
    session.use_data(digits, keep_model=False)
    session._thread.start()
    qtbot.waitUntil(lambda: session.state is State.READY, timeout=30_000)
    if action is not None:
        session.request(action)
    session.settings = updated(small, family="denoising")
    session.use_data(digits, keep_model=False)
    session._send(Change("beta", 3.0))  # as a field that was left a moment before
    qtbot.waitUntil(
        lambda: session.snapshot is not None and session.snapshot.model.family == "denoising", timeout=30_000
    )
    qtbot.waitUntil(lambda: session.state is State.READY, timeout=30_000)
    assert problems == []
    assert session._thread.close(30.0)
    assert session.close()
