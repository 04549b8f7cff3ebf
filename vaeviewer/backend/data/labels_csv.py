"""``labels.csv`` beside pictures: in each line a file, its label, and whatever else is known of it."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from vaeviewer.backend.data.columns import Column, column_of
from vaeviewer.backend.data.names import readable
from vaeviewer.limits import MAX_COLUMNS, MAX_LABELS_FILE_BYTES

NO_LABEL = "(no label)"
_FILE_COLUMNS = ("file", "filename", "file_name", "image", "path", "name", "id")
_LABEL_COLUMNS = ("label", "class", "target", "category", "y")


class LabelsFileError(ValueError):
    """It cannot be used; the text says why, to follow its name."""


@dataclass(frozen=True)
class LabelsTable:
    """What a ``labels.csv`` says.

    Attributes:
        rows: The cells of each file, by its name relative to the folder, with ``/``.
        label: Which cell is the label; ``None`` where the first line names other columns only.
        others: Which other cells there are, and their names.
        twice: A file that several lines name, of which the last counts; empty if there is none.
    """

    rows: dict[str, list[str]]
    label: int | None
    others: tuple[tuple[int, str], ...] = ()
    twice: str = ""

    def label_of(self, file: str) -> str | None:
        """The label of a file that is named; it may be empty."""
        row = self.rows.get(file)
        return None if row is None or self.label is None else readable(row[self.label].strip())

    def columns(self, files: Sequence[str]) -> tuple[tuple[Column, ...], tuple[str, ...]]:
        """What the other cells say of these files, and the names of columns that nothing can be coloured by."""
        found, left_out = [], []
        for cell, name in self.others[:MAX_COLUMNS]:
            rows = [self.rows.get(file, ()) for file in files]
            column = column_of(name, [readable(row[cell])[:200] if len(row) > cell else "" for row in rows])
            if column is None:
                left_out.append(name)
            else:
                found.append(column)
        return tuple(found), (*left_out, *(name for _, name in self.others[MAX_COLUMNS:]))


def read_labels_csv(path: Path) -> LabelsTable:
    """Read a table.

    The first line may name the columns, of which ``file`` and ``label`` (or the like) are taken. Where it names a
    file but no label, a single other column is the label, and with several there are none. Where it names no file,
    file and label are the first two. A line that ends early has empty cells there: its file has no label.

    Raises:
        LabelsFileError: It cannot be read, or no line has two columns.
    """
    lines = _lines(path)
    head = [cell.strip().lower() for cell in lines[0]]
    file = next((head.index(name) for name in _FILE_COLUMNS if name in head), None)
    label = next((head.index(name) for name in _LABEL_COLUMNS if name in head), None)
    if file is not None and len(head) == 2 and file != label:
        label = 1 - file
    if file is not None and len(head) > 1:
        names = [readable(cell.strip())[:60] for cell in lines.pop(0)]
    else:
        file, label, names = 0, 1, []
    found: dict[str, list[str]] = {}
    twice = ""
    needed = 1 + max(file, label or 0)
    if lines and all(len(row) < needed for row in lines):
        raise LabelsFileError(
            f"has no line with a file and a label; the first is {readable(','.join(lines[0]))[:60]!r}"
        )
    for row in lines:
        row += [""] * (needed - len(row))
        name = row[file].strip().replace("\\", "/").removeprefix("./")
        if name in found and not twice:
            twice = readable(name)
        found[name] = row
    width = len(names) or max(map(len, lines), default=0)
    others = [(cell, names[cell] if names else "") for cell in range(width) if cell not in (file, label)]
    return LabelsTable(
        found, label, tuple((cell, name or f"column {cell + 1}") for cell, name in others), twice
    )


def _lines(path: Path) -> list[list[str]]:
    """The cells of each line that is not empty."""
    try:
        if path.stat().st_size > MAX_LABELS_FILE_BYTES:
            raise LabelsFileError("is too large for a list of labels")
        text = path.read_bytes().decode("utf-8-sig")
    except OSError as error:
        raise LabelsFileError(f"cannot be read ({error.strerror})") from None
    except UnicodeDecodeError:
        raise LabelsFileError("is not UTF-8 text") from None
    try:
        # Strict, as a quotation mark that is never closed would swallow all lines after it.
        rows = csv.reader(io.StringIO(text, newline=""), delimiter=_delimiter(text), strict=True)
        lines = [row for row in rows if row]
    except csv.Error as error:
        raise LabelsFileError(f"is no table of commas ({error})") from None
    if not lines:
        raise LabelsFileError("is empty")
    return lines


def _delimiter(text: str) -> str:
    first = text.split("\n", 1)[0]
    return max(",;\t", key=first.count) if any(mark in first for mark in ",;\t") else ","
