"""Names of files, hundreds of thousands of them, without a Python object for each; and names made readable."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import overload

import numpy as np
from numpy.typing import NDArray


def readable(name: str) -> str:
    """A file's name in letters that can be printed and stored, whatever bytes it has."""
    text = name.encode("utf-8", "backslashreplace").decode()
    return text if text.isprintable() else "".join(c if c.isprintable() else repr(c)[1:-1] for c in text)


class Names(Sequence[str]):
    """An immutable sequence of texts that lie one behind the other in memory.

    Args:
        text: UTF-8 of all of them, uint8, shape ``(bytes,)``.
        ends: Where each ends in ``text``, int64, shape ``(n,)``.
        rows: Which of them this sequence has, in its order; all by default.
    """

    def __init__(
        self, text: NDArray[np.uint8], ends: NDArray[np.int64], rows: NDArray[np.int64] | None = None
    ) -> None:
        self.text, self.ends = text, ends
        self._rows = np.arange(len(ends)) if rows is None else rows

    @classmethod
    def of(cls, names: Iterable[str]) -> Names:
        """The same names, packed."""
        encoded = [name.encode("utf-8", "backslashreplace") for name in names]
        ends = np.cumsum([len(name) for name in encoded], dtype=np.int64)
        return cls(np.frombuffer(b"".join(encoded), dtype=np.uint8), ends)

    def taken(self, rows: NDArray[np.int64]) -> Names:
        """Some of the names, by their rows."""
        return Names(self.text, self.ends, self._rows[rows])

    def __len__(self) -> int:
        return len(self._rows)

    @overload
    def __getitem__(self, index: int) -> str: ...
    @overload
    def __getitem__(self, index: slice) -> Names: ...
    def __getitem__(self, index: int | slice) -> str | Names:
        if isinstance(index, slice):
            return Names(self.text, self.ends, self._rows[index])
        row = int(self._rows[index])
        start = int(self.ends[row - 1]) if row else 0
        return self.text[start : int(self.ends[row])].tobytes().decode("utf-8", "replace")
