"""What there is to say above the plane: messages with keys, and which of them goes first. No Qt."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import IntEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from PySide6.QtGui import QPixmap

MOST_WAITING = 20
"""Messages kept; what is beyond was said long ago, and the log has it."""

Answer = tuple[str, Callable[[], object]]
"""The text of a button and what it does."""


class Kind(IntEnum):
    """What a message is. A larger one is shown before a smaller one."""

    OFFER = 0
    """Something that can be done, and that can wait for all else."""
    NOTE = 1
    """Something done, or asked for, such as where a picture was written."""
    PROBLEM = 2
    """Something went wrong."""
    QUESTION = 3
    """An answer is waited for. Nothing takes its place, as somebody may be about to press a button …"""
    CLOSING = 4
    """… but why the window does not close, which somebody has just asked for."""


def nothing() -> None:
    """What closing a message does beside closing it."""


@dataclass(frozen=True)
class Message:
    """One message.

    Attributes:
        key: What it is about. A newer message of the same key replaces it.
        kind: What it is.
        sentence: What is said, plain text.
        answers: Buttons; each also closes the message.
        details: Text that a Details button shows.
        picture: What stands before the sentence.
        closing: The last button, and what it, or Escape, does beside closing the message.
    """

    key: str
    kind: Kind
    sentence: str
    answers: tuple[Answer, ...] = ()
    details: str = ""
    picture: QPixmap | None = None
    closing: Answer = ("Dis&miss", nothing)


class MessageQueue:
    """The messages that nobody has answered yet.

    Questions are shown in the order in which they came; of problems, notes and offers the newest is shown first.
    """

    def __init__(self) -> None:
        self._messages: list[Message] = []  # the oldest first

    def __len__(self) -> int:
        return len(self._messages)

    @property
    def current(self) -> Message | None:
        """The one to be shown."""
        if not self._messages:
            return None
        first = max(message.kind for message in self._messages)
        same = [message for message in self._messages if message.kind is first]
        return same[0] if first is Kind.QUESTION else same[-1]

    def find(self, key: str) -> Message | None:
        """The message of this key."""
        return next((message for message in self._messages if message.key == key), None)

    def put(self, message: Message) -> None:
        """Add a message, in place of the one with its key."""
        before = self.find(message.key)
        if before is not None and before.kind is message.kind is Kind.QUESTION:
            self._messages[self._messages.index(before)] = message  # it keeps its turn
            return
        self.remove(message.key)
        self._messages.append(message)
        if len(self._messages) > MOST_WAITING:
            self._messages.remove(min(self._messages, key=lambda message: message.kind))

    def remove(self, key: str) -> None:
        """Drop the message of this key, if there is one."""
        self._messages = [message for message in self._messages if message.key != key]
