"""Classes from whatever labels data bring: numbers, text, one column or one-hot rows."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vaeviewer.backend.data.names import readable
from vaeviewer.counts import counted
from vaeviewer.errors import DataError
from vaeviewer.limits import MAX_CLASSES


def classes_of(values: NDArray[Any], title: str, count: int) -> tuple[NDArray[np.int64], tuple[str, ...]]:
    """The class of each image, and the names of the classes in the order of their values.

    Args:
        values: Numbers or text, shape ``(count,)`` or ``(count, 1)``, or one-hot rows ``(count, classes)``.
        title: How a sentence calls them.
        count: Images there are.

    Raises:
        DataError: They are of another length or form.
    """
    if values.ndim == 0 or len(values) != count:
        given = len(values) if values.ndim else 1
        raise DataError(
            f"{title} has {counted(given, 'label')} for {counted(count, 'image')}; give one for each image."
        )
    if values.ndim > 1:
        values = _one_column(values.reshape(count, math.prod(values.shape[1:])), title)
    if values.dtype.kind == "S":
        values = np.char.decode(values, "utf-8", "backslashreplace")
    if values.dtype.kind == "f":
        # From 2⁵³ on not every whole number is a float, so that two labels could have become one.
        if not (np.abs(values) <= 2**53).all() or (values != np.rint(values)).any():
            raise DataError(f"{title} holds labels that are no whole numbers; round them, or give text.")
        values = values.astype(np.int64)
    if values.dtype.kind not in "biuU":
        raise DataError(f"{title} holds {values.dtype.name}, not labels; give whole numbers or text.")
    distinct, labels = np.unique(values, return_inverse=True)
    check_classes(len(distinct), title)
    return labels.astype(np.int64), tuple(readable(str(value))[:200] for value in distinct.tolist())


def check_classes(count: int, title: str) -> None:
    """Refuse more classes than anything can show.

    Raises:
        DataError: There are too many.
    """
    if count > MAX_CLASSES:
        raise DataError(
            f"{title} has {count:,} classes, more than {MAX_CLASSES:,}; choose fewer, or leave the labels out."
        )


def _one_column(rows: NDArray[Any], title: str) -> NDArray[Any]:
    if rows.shape[1] == 1:
        return rows[:, 0]
    if rows.dtype.kind in "biuf" and rows.shape[1]:
        one_hot = ((rows == 0) | (rows == 1)).all() and (rows.sum(1) == 1).all()
        if one_hot:
            found: NDArray[Any] = rows.argmax(1)
            return found
    raise DataError(f"{title} has {rows.shape[1]} labels for each image; give one for each.")
