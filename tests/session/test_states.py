"""The table of states, as the program promises it."""

from __future__ import annotations

import pytest

from vaeviewer.session.states import BUTTONS, RESULT, Action, State

TRAIN, PAUSE, STEP, STOP, RESET = Action.TRAIN, Action.PAUSE, Action.STEP, Action.STOP, Action.RESET

TABLE = {
    State.LOADING: (None, "Train", None, None, None),
    State.READY: (TRAIN, "Train", STEP, None, None),
    State.RUNNING: (PAUSE, "Pause", None, STOP, None),
    State.PAUSED: (TRAIN, "Resume", STEP, STOP, RESET),
    State.FINISHED: (TRAIN, "Train further", STEP, None, RESET),
    State.SOLVED: (None, "Solved", None, None, None),
    State.FAILED: (TRAIN, "Continue", None, None, RESET),
}


@pytest.mark.parametrize("state", State)
def test_buttons(state: State) -> None:
    b = BUTTONS[state]
    assert (b.train, b.train_text, b.step, b.stop, b.reset) == TABLE[state]
    assert b.allowed == {a for a in TABLE[state] if isinstance(a, Action)}


def test_every_action_leads_somewhere() -> None:
    assert set(RESULT) == set(Action)
    assert (RESULT[TRAIN], RESULT[PAUSE], RESULT[STEP], RESULT[STOP], RESULT[RESET]) == (
        State.RUNNING,
        State.PAUSED,
        State.PAUSED,
        State.FINISHED,
        State.READY,
    )
