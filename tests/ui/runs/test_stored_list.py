"""A list that is remembered."""

from __future__ import annotations

from pathlib import Path

import pytest
from PySide6.QtCore import QSettings

from vaeviewer.ui.runs.stored_list import StoredList


def store_in(folder: Path) -> QSettings:
    return QSettings(str(folder / "settings.ini"), QSettings.Format.IniFormat)


def test_the_newest_are_kept_across_sessions(tmp_path: Path) -> None:
    store = store_in(tmp_path)
    kept = StoredList(store, "runs/some", 3)
    for text in ("a", "b, c", "d", "a", "ü = 1"):
        kept.add(text)
    store.sync()
    again = StoredList(store_in(tmp_path), "runs/some", 3)
    assert again.texts() == ["ü = 1", "a", "d"]
    again.forget(["a"])
    assert again.texts() == ["ü = 1", "d"]


@pytest.mark.parametrize("note", ["", "{", "7", '{"a": 1}', "[" * 10_000, "[1, null]"])
def test_a_damaged_note_is_an_empty_list(tmp_path: Path, note: str) -> None:
    store = store_in(tmp_path)
    store.setValue("runs/some", note)
    kept = StoredList(store, "runs/some", 3)
    assert kept.texts() == []
    kept.add("a")
    assert kept.texts() == ["a"]
