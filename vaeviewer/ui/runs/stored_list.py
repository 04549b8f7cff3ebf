"""A short list of texts that the window remembers between sessions."""

from __future__ import annotations

import json
from collections.abc import Container

from PySide6.QtCore import QSettings


class StoredList:
    """The newest of what was added, the newest first. A damaged note counts as an empty list.

    Args:
        store: Where it is kept.
        key: Under which name.
        most: How many are kept.
    """

    def __init__(self, store: QSettings, key: str, most: int) -> None:
        self._store = store
        self._key = key
        self._most = most

    def texts(self) -> list[str]:
        """What is remembered."""
        try:
            found = json.loads(str(self._store.value(self._key, "[]")))
        except (ValueError, RecursionError):
            return []
        texts = [text for text in found if isinstance(text, str)] if isinstance(found, list) else []
        return texts[: self._most]

    def add(self, text: str) -> None:
        """Remember ``text`` as the newest."""
        self._write([text, *(other for other in self.texts() if other != text)])

    def forget(self, texts: Container[str]) -> None:
        """Remove what is in ``texts``."""
        self._write([text for text in self.texts() if text not in texts])

    def _write(self, texts: list[str]) -> None:
        if texts != self.texts():
            self._store.setValue(self._key, json.dumps(texts[: self._most]))
