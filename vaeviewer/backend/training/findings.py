"""What is found to go wrong in training: said in words with its evidence, and what may help. Imports no torch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

from vaeviewer.backend.config import Settings, fields, live_fields
from vaeviewer.backend.models.symptoms import Trouble


class Origin(Enum):
    """From where training goes on."""

    HERE = "here"
    GOOD = "good"
    """The last good state."""
    BEST = "best"
    """The state with the best held-out figures, where training rests."""
    NEW = "new"
    """New weights: a run of its own."""
    IMAGES = "images"
    """Other images."""


@dataclass(frozen=True)
class Remedy:
    """Something that may help, and that really happens when it is chosen.

    Attributes:
        label: What a button says.
        origin: From where training goes on …
        changes: … with which settings, by name.
    """

    label: str
    origin: Origin
    changes: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Finding:
    """One thing that goes wrong.

    Attributes:
        trouble: What.
        sentence: It, with its evidence in numbers.
        remedies: What may help, the first most likely; none where nobody knows.
        step: Where it was seen.
    """

    trouble: Trouble
    sentence: str
    remedies: tuple[Remedy, ...] = ()
    step: int = 0


def with_changes(settings: Settings, changes: Mapping[str, Any]) -> str:
    """Settings by name and value, as a sentence has them: ``β = 1``, ``learning rate 0.003``."""
    titles = {name: info.title or name for _, name, info in fields(settings)}
    said = []
    for name, value in changes.items():
        shown = (
            f"{value:,}"
            if isinstance(value, int)
            else f"{value:g}"
            if isinstance(value, float)
            else str(value)
        )
        said.append(
            f"{within_sentence(titles[name])} {shown}"
            if len(titles[name]) > 1
            else f"{titles[name]} = {shown}"
        )
    return " and ".join(said)


def remedy_by(settings: Settings, changes: Mapping[str, Any]) -> Remedy:
    """Other values: at once where these settings may change during a run, else in a new one."""
    words = with_changes(settings, changes)
    if live_fields(settings).issuperset(changes):
        return Remedy(f"Go on with {words}", Origin.HERE, changes)
    return Remedy(f"Start again with {words}", Origin.NEW, changes)


def within_sentence(title: str) -> str:
    """A title as it stands in the middle of a sentence: "squared error", but "KL"."""
    return title if title[1:2].isupper() else title[:1].lower() + title[1:]
