"""On which cores training's threads run, and how they wait for each other."""

from __future__ import annotations

from typing import Protocol

import torch

from vaeviewer.backend.training.affinity import no_thread_on_one_core, one_thread_per_core
from vaeviewer.backend.training.openmp import PassiveWaiting
from vaeviewer.native.cores import available_cores


class Team(Protocol):
    """Threads of an engine's own, beside torch's."""

    def stay_on_cores(self, *, give_way_to_window: bool) -> None:
        """Keep each thread on a core of its own."""

    def share_cores(self, share: bool) -> None:
        """Leave to other busy programs what is theirs, or use all cores again."""


class Cores:
    """Places torch's threads, or the team's that goes through steps in their stead.

    Args:
        threads: How many there are.
        device: Where models compute; where that is no CPU, threads run wherever the system has them.
    """

    def __init__(self, threads: int, device: torch.device) -> None:
        self._computes = device.type == "cpu"
        self._threads = threads
        self._team: Team | None = None
        self._stays: bool | None = None  # on cores, and whether a window goes first there
        self._waiting: PassiveWaiting | None = None

    def stay(self, *, give_way_to_window: bool) -> None:
        """Keep the threads on a core each, where they use all.

        Args:
            give_way_to_window: A window of this program is to go first there.
        """
        if not self._computes:
            return
        self._stays = give_way_to_window
        self._place()

    def share(self, share: bool) -> None:
        """Leave to other busy programs what is theirs, or use all cores again; the numbers stay the same."""
        if not self._computes or share == (self._waiting is not None):
            return
        if self._waiting is None:
            self._waiting = PassiveWaiting(available_cores())
        else:
            self._waiting.end()
            self._waiting = None
        self._place()

    def use(self, team: Team) -> None:
        """From here on a team goes through the steps."""
        self._team = team
        self._place()

    def _place(self) -> None:
        if self._stays is None:
            return
        share = self._waiting is not None
        if self._team is not None:
            self._team.stay_on_cores(give_way_to_window=self._stays)
            self._team.share_cores(share)
        elif share:
            no_thread_on_one_core(self._threads)
        else:
            one_thread_per_core(self._threads)
