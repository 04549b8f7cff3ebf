"""``labels.csv`` beside pictures: a file and its label in each line."""

from __future__ import annotations

import csv
from pathlib import Path

from vaeviewer.backend.data.names import readable
from vaeviewer.limits import MAX_LABELS_FILE_BYTES

NO_LABEL = "(no label)"
_FILE_COLUMNS = ("file", "filename", "file_name", "image", "path", "name", "id")
_LABEL_COLUMNS = ("label", "class", "target", "category", "y")


class LabelsFileError(ValueError):
    """It cannot be used; the text says why, to follow its name."""


def read_labels_csv(path: Path) -> dict[str, str]:
    """The label of each file, by its name relative to the folder, with ``/``.

    The first line may name the columns, of which ``file`` and ``label`` (or the like) are taken; else they are the
    first two.

    Raises:
        LabelsFileError: It cannot be read, or has fewer than two columns.
    """
    try:
        if path.stat().st_size > MAX_LABELS_FILE_BYTES:
            raise LabelsFileError("is too large for a list of labels")
        text = path.read_bytes().decode("utf-8-sig")
    except OSError as error:
        raise LabelsFileError(f"cannot be read ({error.strerror})") from None
    except UnicodeDecodeError:
        raise LabelsFileError("is not UTF-8 text") from None
    try:
        lines = [row for row in csv.reader(text.splitlines(), delimiter=_delimiter(text)) if row]
    except csv.Error as error:
        raise LabelsFileError(f"is no table of commas ({error})") from None
    if not lines:
        raise LabelsFileError("is empty")
    head = [cell.strip().lower() for cell in lines[0]]
    file_column = next((head.index(name) for name in _FILE_COLUMNS if name in head), None)
    label_column = next((head.index(name) for name in _LABEL_COLUMNS if name in head), None)
    if file_column is not None and label_column is not None:
        lines = lines[1:]
    else:
        file_column, label_column = 0, 1
    found = {}
    for row in lines:
        if len(row) <= max(file_column, label_column):
            raise LabelsFileError(f"has a line without a file and a label: {readable(','.join(row))[:60]!r}")
        found[row[file_column].strip().replace("\\", "/").removeprefix("./")] = readable(
            row[label_column].strip()
        )
    return found


def _delimiter(text: str) -> str:
    first = text.split("\n", 1)[0]
    return max(",;\t", key=first.count) if any(mark in first for mark in ",;\t") else ","
