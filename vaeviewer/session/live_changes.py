"""Changes of live settings that are on their way to the training thread."""

from __future__ import annotations

from typing import Any

from vaeviewer.backend.config import Settings, live_fields, updated


class LiveChanges:
    """What the user changed and a model that is opened meanwhile does not know of yet."""

    def __init__(self) -> None:
        self._sent: list[tuple[int, str, Any]] = []  # by the number of their command

    def note(self, number: int, field: str, value: Any) -> None:
        """A change was sent as the command of this number."""
        self._sent.append((number, field, value))

    def onto(self, settings: Settings, handled: int) -> Settings:
        """Settings that hold after the command ``handled``, with the changes that were sent later."""
        live = live_fields(settings)  # a model of another family may not have what was changed
        self._sent = [change for change in self._sent if change[0] > handled and change[1] in live]
        return updated(settings, **{field: value for _, field, value in self._sent})
