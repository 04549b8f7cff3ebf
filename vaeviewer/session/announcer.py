"""What the training thread tells the window, and the run's log."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import TYPE_CHECKING

from vaeviewer.session import messages
from vaeviewer.session.mailbox import Mailbox
from vaeviewer.session.run_keeper import RunKeeper
from vaeviewer.session.states import State

if TYPE_CHECKING:
    from vaeviewer.backend.training.findings import Finding
    from vaeviewer.backend.training.trainer import Trainer

log = logging.getLogger(__name__)


class Announcer:
    """Turns what happens on the training thread into events.

    Args:
        notify: Called with each event; it must only pass the event on.
        run_keeper: Has the run's log.

    Attributes:
        state: What the session is doing.
        handled: Number of the newest command that was taken up.
    """

    def __init__(self, notify: Callable[[messages.Event], None], run_keeper: RunKeeper) -> None:
        self.notify = notify
        self.state = State.LOADING
        self.handled = 0
        self._run_keeper = run_keeper
        self._told: Finding | None = None

    def enter(self, state: State) -> None:
        """The state is this one now, and every command so far is answered."""
        self.state = state
        self.notify(messages.Entered(state, self.handled))

    def opened(self, trainer: Trainer, mailbox: Mailbox) -> None:
        """Another model or other data are in use; what it has to show comes into ``mailbox``."""
        keeper = self._run_keeper
        self.notify(
            messages.Opened(
                trainer.settings,
                trainer.dataset,
                keeper.folder,
                trainer.device.type,
                trainer.threads,
                trainer.snapshot(),
                mailbox,
                self.handled,
                keeper.read_only,
            )
        )

    def problem(
        self,
        trainer: Trainer | None,
        sentence: str,
        details: str = "",
        *,
        key: str = "problem",
        cpu_may_help: bool = False,
    ) -> None:
        """Something the user must know; see :class:`messages.Problem`."""
        self._run_keeper.note(trainer, sentence)
        self.notify(messages.Problem(sentence, details, key, cpu_may_help))

    def finding(self, trainer: Trainer, finding: Finding | None) -> None:
        """Say what makes training senseless, once, and once that it is over."""
        if finding == self._told:
            return
        self._told = finding
        if finding is not None:
            log.warning("%s", finding.sentence)
            self._run_keeper.note(trainer, finding.sentence)
        self.notify(messages.Exploding(finding))
