"""The states of a session and what each button does in them: one table for the window, the thread and the tests."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum


class State(Enum):
    """What a session is doing."""

    LOADING = "loading"
    READY = "ready"
    RUNNING = "running"
    PAUSED = "paused"
    FINISHED = "finished"
    SOLVED = "solved"
    FAILED = "failed"


class Action(Enum):
    """What a button asks for."""

    TRAIN = "train"
    PAUSE = "pause"
    STEP = "step"
    STOP = "stop"
    RESET = "reset"


@dataclass(frozen=True)
class Buttons:
    """What the four buttons do in one state; ``None`` is a disabled button."""

    train: Action | None
    train_text: str
    step: Action | None
    stop: Action | None
    reset: Action | None

    @property
    def allowed(self) -> frozenset[Action]:
        """The actions a session accepts in this state; all others are ignored."""
        return frozenset(a for a in (self.train, self.step, self.stop, self.reset) if a is not None)


BUTTONS: Mapping[State, Buttons] = {
    State.LOADING: Buttons(None, "Train", None, None, None),
    State.READY: Buttons(Action.TRAIN, "Train", Action.STEP, None, None),
    State.RUNNING: Buttons(Action.PAUSE, "Pause", None, Action.STOP, None),
    State.PAUSED: Buttons(Action.TRAIN, "Resume", Action.STEP, Action.STOP, Action.RESET),
    State.FINISHED: Buttons(Action.TRAIN, "Train further", Action.STEP, None, Action.RESET),
    State.SOLVED: Buttons(None, "Solved", None, None, None),
    State.FAILED: Buttons(Action.TRAIN, "Continue", None, None, Action.RESET),
}


RESULT: Mapping[Action, State] = {
    Action.TRAIN: State.RUNNING,
    Action.PAUSE: State.PAUSED,
    Action.STEP: State.PAUSED,
    Action.STOP: State.FINISHED,
    Action.RESET: State.READY,
}
"""The state each accepted action leads to, whatever state it was accepted in."""
