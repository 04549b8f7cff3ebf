"""The table of states, as the program promises it."""

from __future__ import annotations

import pytest

from vaeviewer.session.states import BUTTONS, RESULT, Action, State

T, P, S, O, R = Action.TRAIN, Action.PAUSE, Action.STEP, Action.STOP, Action.RESET

TABLE = {
    State.LOADING: (None, "Train", None, None, None),
    State.READY: (T, "Train", S, None, None),
    State.RUNNING: (P, "Pause", None, O, None),
    State.PAUSED: (T, "Resume", S, O, R),
    State.FINISHED: (T, "Train further", S, None, R),
    State.FAILED: (T, "Continue", None, None, R),
}


@pytest.mark.parametrize("state", State)
def test_buttons(state: State) -> None:
    b = BUTTONS[state]
    assert (b.train, b.train_text, b.step, b.stop, b.reset) == TABLE[state]
    assert b.allowed == {a for a in TABLE[state] if isinstance(a, Action)}


def test_every_action_leads_somewhere() -> None:
    assert set(RESULT) == set(Action)
    assert (RESULT[T], RESULT[P], RESULT[S], RESULT[O], RESULT[R]) == (
        State.RUNNING,
        State.PAUSED,
        State.PAUSED,
        State.FINISHED,
        State.READY,
    )
