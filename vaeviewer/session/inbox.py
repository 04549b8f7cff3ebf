"""Commands on their way from the window to the training thread, and the wish that it ends."""

from __future__ import annotations

import queue
import threading

from vaeviewer.session import messages
from vaeviewer.session.pace import Pace

Numbered = tuple[int, messages.Command]
"""A command and its number, which events refer to."""


class Inbox:
    """A queue that one thread fills and the training thread empties between steps.

    Args:
        pace: A wait of it ends with whatever comes in.
    """

    def __init__(self, pace: Pace) -> None:
        self._pace = pace
        self._commands: queue.SimpleQueue[Numbered | None] = queue.SimpleQueue()
        self._sent = 0
        self._deferred: Numbered | None = None
        self._leave = threading.Event()

    def send(self, command: messages.Command) -> int:
        """Queue a command; returns its number."""
        self._sent += 1
        self._commands.put((self._sent, command))
        self._pace.wake()
        return self._sent

    def ask_to_leave(self) -> None:
        """Let the thread come to its end, whatever else is queued."""
        self._leave.set()
        self._commands.put(None)
        self._pace.wake()

    # On the training thread

    @property
    def leaving(self) -> bool:
        """Whether the thread is asked to end."""
        return self._leave.is_set()

    def stay(self) -> None:
        """It does not end after all."""
        self._leave.clear()

    @property
    def empty(self) -> bool:
        """Whether no command waits."""
        return self._commands.empty()

    def wanted(self) -> bool:
        """Whether something waits that is to be looked at before the next step."""
        return not self._commands.empty() or self._leave.is_set()

    def take(self) -> Numbered | None:
        """The next command, waiting for one; ``None`` only wakes."""
        if self._deferred is None:
            return self._commands.get()
        item, self._deferred = self._deferred, None
        return item

    def defer(self, item: Numbered) -> None:
        """Let a command that was taken be the next one again, once training has come to its end."""
        self._deferred = item

    @property
    def deferring(self) -> bool:
        """Whether training is to end for a command that was deferred."""
        return self._deferred is not None
