"""What the window tells the training thread (commands) and what that answers (events). All frozen."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from vaeviewer.backend.config import Settings
from vaeviewer.backend.data.base import ImageDataset
from vaeviewer.backend.snapshot import Snapshot
from vaeviewer.backend.training.findings import Finding
from vaeviewer.session.mailbox import Mailbox
from vaeviewer.session.states import State

# Commands


@dataclass(frozen=True)
class Build:
    """New weights from the settings' seed, for this data set."""

    settings: Settings
    dataset: ImageDataset


@dataclass(frozen=True)
class UseData:
    """Go on with the same weights on other images of the same shape."""

    dataset: ImageDataset


@dataclass(frozen=True)
class OpenRun:
    """Load a saved run with its data, or with those in the folder ``data`` if they moved."""

    folder: Path
    data: Path | None = None


@dataclass(frozen=True)
class Train:
    """Train to the planned epochs; with ``further``, plan as many again first."""

    further: bool = False


@dataclass(frozen=True)
class Pause:
    """Stop between two steps and wait."""


@dataclass(frozen=True)
class Step:
    """One step, then paused."""


@dataclass(frozen=True)
class Stop:
    """End the run here: finished."""


@dataclass(frozen=True)
class Change:
    """Change a live setting."""

    field: str
    value: Any


@dataclass(frozen=True)
class Save:
    """Write the run to a folder."""

    folder: Path


@dataclass(frozen=True)
class ContinueOnCpu:
    """Train on from the last good state, on the CPU."""


@dataclass(frozen=True)
class GoBack:
    """Go back to the last good state and train on from there with other values of live settings, by name.

    With ``best`` go back to the state with the best held-out figures, and rest there.
    """

    changes: Mapping[str, Any] = field(default_factory=dict)
    best: bool = False


Command = Build | UseData | OpenRun | Train | Pause | Step | Stop | Change | Save | ContinueOnCpu | GoBack

# Events


@dataclass(frozen=True)
class Entered:
    """The training thread is in ``state`` and has handled every command up to number ``handled``."""

    state: State
    handled: int


@dataclass(frozen=True)
class Opened:
    """A run, or a data set, is now the one in use. ``folder`` is the run's folder, if it has one.

    The first snapshot and a mailbox of its own come along, so that nothing of another run is ever shown with
    these data. Commands numbered above ``handled`` came after what this answers. ``read_only`` says why nothing
    is written to the folder, or is empty: what is trained further then becomes a run of its own.
    """

    settings: Settings
    dataset: ImageDataset
    folder: Path | None
    device: str
    threads: int
    snapshot: Snapshot
    mailbox: Mailbox
    handled: int
    read_only: str = ""


@dataclass(frozen=True)
class Saved:
    """The run is on disk; ``automatic`` if nobody asked for it."""

    folder: Path
    step: int
    automatic: bool = False


@dataclass(frozen=True)
class SaveFailed:
    """The run is not on disk as it is; training goes on and the save is tried again. The sentence says why."""

    folder: Path
    sentence: str


@dataclass(frozen=True)
class Changed:
    """Recovering gave a setting of the run another value, such as a smaller batch size."""

    field: str
    value: Any


@dataclass(frozen=True)
class Exploding:
    """Training makes no sense any more, long before a number is infinite; ``None``: it does again."""

    finding: Finding | None


@dataclass(frozen=True)
class Problem:
    """Something the user should read.

    Attributes:
        sentence: What happened and what to do.
        details: For the curious, such as a traceback.
        key: What it is about: it takes the place of what was said of the same before.
        cpu_may_help: Whether it was a device that failed, so that the CPU can be offered.
    """

    sentence: str
    details: str = ""
    key: str = "problem"
    cpu_may_help: bool = False


@dataclass(frozen=True)
class DataMissing:
    """A run was not opened as its images are not where it says, or are others now; the sentence says why."""

    folder: Path
    sentence: str


@dataclass(frozen=True)
class Left:
    """The training thread was asked to end: it does so, or stays, as the run cannot be saved for this reason."""

    problem: str


FAILURE = "failure"
"""Key of why training stopped, or why there is no model."""

OPENING = "opening"
"""Key of what there is to say of opening a run, and of opening itself."""

DATA = "data"
"""Key of what there is to say of other images, and of loading them."""

PREPARING = "preparing"
"""Key of going over to other images."""

Event = Entered | Opened | Saved | SaveFailed | Changed | Exploding | Problem | DataMissing | Left
