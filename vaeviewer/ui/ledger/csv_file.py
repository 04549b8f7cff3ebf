"""Writes the ledger into a file, on the decoder's thread: text of 70,000 rows takes half a second to make."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from PySide6.QtWidgets import QFileDialog, QWidget

from vaeviewer.backend.runs import atomic_files
from vaeviewer.backend.snapshot import Snapshot
from vaeviewer.session.grid_decoder import GridDecoder

KIND = "ledger file"


def save_csv(
    parent: QWidget,
    decoder: GridDecoder,
    snapshot: Snapshot,
    lines: Iterator[str],
    tell: Callable[[str], None],
) -> None:
    """Ask for a place and write a table there, whole or not at all.

    Args:
        parent: The window of the dialog.
        decoder: On whose thread it is written.
        snapshot: Any model.
        lines: The table, some lines at a time.
        tell: Takes a sentence on where it went, or why not.
    """
    name, _ = QFileDialog.getSaveFileName(parent, "Save the ledger", "ledger.csv", "CSV (*.csv)")
    if not name:
        return
    file = Path(name)

    def job(_model: Snapshot) -> Iterator[Any]:
        parts = []
        for some in lines:
            parts.append(some)
            yield None
        try:
            atomic_files.write_whole(file, "".join(parts).encode())
        except (OSError, ValueError) as error:
            yield f"{file} could not be written ({atomic_files.reason(error)}); choose another place."
        else:
            yield f"Saved: {file.name}, in {file.parent}"

    decoder.ask_at_length(KIND, snapshot, job, tell)
