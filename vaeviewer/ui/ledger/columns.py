"""The columns of the ledger: what stands above each, what its cells say, and which of its ends is the worst."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from vaeviewer.analysis.ledger import ABOUT, Ledger, Rows
from vaeviewer.backend.data.base import ImageDataset
from vaeviewer.backend.models.interface import Metric
from vaeviewer.backend.models.registry import AnyFamily
from vaeviewer.ui.curves.value_axis import number_label

_TITLES = {"set": "Set", "row": "Row", "class": "Class"}
_HELP = {
    "set": "Whether an image is trained on, or held out: those the model never sees.",
    "row": "Which image of its set it is, counted from 0.",
    "class": "Its label in the data.",
}
_DIGITS = 4  # of a typical number of a column
_DECIMALS = 2  # of numbers right to a few hundredths
_CSV_ROWS = 2_000  # written between two looks at whatever else is asked


@dataclass(frozen=True)
class Column:
    """One of them.

    Attributes:
        key: As :meth:`Ledger.column` has it.
        title: What stands above it.
        unit: Of its numbers.
        better: Whether higher or lower ones are better, or neither says so.
        help: A sentence for a student.
        decimals: Most of them that say anything.
    """

    key: str
    title: str
    unit: str = ""
    better: Literal["higher", "lower", "neither"] = "neither"
    help: str = ""
    decimals: int = 6

    @property
    def numeric(self) -> bool:
        """Whether it is a number of a model."""
        return self.key not in ABOUT

    @property
    def worst_descends(self) -> bool:
        """Whether the worst images are those of the greatest numbers."""
        return self.better == "lower"

    @property
    def ends(self) -> tuple[str, str]:
        """What those of the lowest and those of the highest numbers are called."""
        return {"higher": ("Worst", "Best"), "lower": ("Best", "Worst")}.get(
            self.better, ("Lowest", "Highest")
        )


def columns_of(dataset: ImageDataset, family: AnyFamily, more: Sequence[Metric] = ()) -> tuple[Column, ...]:
    """Those of a kind of model: which image it is, then the family's metrics, then others that have an error."""
    about = [key for key in ABOUT if key != "class" or dataset.labelled]
    return (
        *(Column(key, _TITLES[key], help=_HELP[key]) for key in about),
        *(Column(m.key, m.title, m.unit, m.better, m.help) for m in family.metrics),
        *(Column(m.key, m.title, m.unit, m.better, m.help, _DECIMALS) for m in more),
    )


def headline(columns: Sequence[Column], family: AnyFamily) -> Column:
    """The one that says how good a model is for an image."""
    return next(column for column in columns if column.key == family.metrics.headline.key)


def decimals_of(ledger: Ledger, column: Column) -> int:
    """How many decimals the numbers of a column have, all of them alike: four digits in a typical one."""
    values = ledger.column(column.key)[:: len(ledger) // 1000 + 1]
    typical = float(np.median(np.abs(values[np.isfinite(values)]))) if np.isfinite(values).any() else 0.0
    return min(column.decimals, max(0, _DIGITS - 1 - math.floor(math.log10(typical)))) if typical > 0 else 2


def cell_text(ledger: Ledger, entry: int, key: str, decimals: int = 2) -> str:
    """What stands in a cell; nothing where a number is not known."""
    if key == "set":
        return "held out" if ledger.is_held_out(entry) else "training"
    if key == "row":
        return f"{ledger.row(entry):,}"
    if key == "class":
        return ledger.dataset.class_names[ledger.label(entry)]
    value = ledger.number(entry, key)
    return "" if math.isnan(value) else number_label(value, decimals)


def title_of(ledger: Ledger, entry: int) -> str:
    """An image in a sentence, such as ``"training image 12, class 7"``."""
    kind = "held-out" if ledger.is_held_out(entry) else "training"
    label = f", class {cell_text(ledger, entry, 'class')}" if ledger.dataset.labelled else ""
    return f"{kind} image {ledger.row(entry):,}{label}"


def table_text(
    ledger: Ledger, entries: Rows, columns: Sequence[Column], separator: str = ","
) -> Iterator[str]:
    """Lines for a file or the clipboard, some thousand at a time: a heading of keys, then numbers in full.

    Args:
        ledger: The numbers.
        entries: Which images, in order.
        columns: What of them.
        separator: Between two cells.
    """
    yield _written([[column.key for column in columns]], separator)
    for start in range(0, len(entries), _CSV_ROWS):
        some = entries[start : start + _CSV_ROWS]
        cells = [_cells(ledger, some, column.key) for column in columns]
        yield _written(list(zip(*cells, strict=True)), separator)


def _cells(ledger: Ledger, entries: Rows, key: str) -> list[str]:
    if key in ("set", "class"):
        return [cell_text(ledger, int(entry), key) for entry in entries]
    values = ledger.column(key)[entries]
    if key == "row":
        return [str(value) for value in values.tolist()]
    return ["" if math.isnan(value) else f"{value:.9g}" for value in values.tolist()]


def _written(rows: Sequence[Sequence[str]], separator: str) -> str:
    text = io.StringIO()
    csv.writer(text, delimiter=separator, lineterminator="\n").writerows(rows)
    return text.getvalue()
