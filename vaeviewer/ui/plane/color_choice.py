"""By what points may be coloured: their class, how dense they lie, what a table says of them, or a metric. No Qt."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from vaeviewer.backend.data.base import ImageDataset
from vaeviewer.backend.data.columns import Column
from vaeviewer.backend.models.interface import Metric
from vaeviewer.backend.models.registry import AnyFamily

Kind = Literal["class", "density", "column", "metric", "ledger"]

NO_LABELS = "The images have no labels."


@dataclass(frozen=True)
class Choice:
    """One of them.

    Attributes:
        kind: What sort; a metric that the ledger alone computes is of the kind ``ledger``.
        name: Of the column, or the metric's key.
        title: What a user reads.
        unit: Of its numbers.
        column: Of a table.
    """

    kind: Kind
    name: str = ""
    title: str = ""
    unit: str = ""
    column: Column | None = None

    @property
    def key(self) -> str:
        """As ``ViewState.color_by`` has it."""
        return f"{self.kind}:{self.name}" if self.name else self.kind

    @property
    def continuous(self) -> bool:
        """Whether there are numbers, or classes or words."""
        return self.kind in ("density", "metric", "ledger") or (
            self.column is not None and not self.column.words
        )


def choices(
    dataset: ImageDataset, family: AnyFamily | None, more: Sequence[Metric] = ()
) -> tuple[Choice, ...]:
    """All there are, the usual one first.

    Args:
        dataset: The images.
        family: The kind of model, once that is known.
        more: What the ledger has beside its metrics.
    """
    found = [Choice("class", title="Class")] if dataset.labelled else []
    found.append(Choice("density", title="Density"))
    found += [Choice("column", column.name, column.name, column=column) for column in dataset.columns]
    if family is not None and family.capabilities.encodes:
        found += [Choice("metric", m.key, m.title, m.unit) for m in family.metrics]
        found += [Choice("ledger", m.key, m.title, m.unit) for m in more]
    return tuple(found)


def chosen(among: tuple[Choice, ...], key: str) -> Choice:
    """The one with this key, else the usual one."""
    return next((choice for choice in among if choice.key == key), among[0])
