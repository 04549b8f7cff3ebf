"""Puts what training has to show into the mailbox, as often as an eye can use and training can spare."""

from __future__ import annotations

import time
from collections import deque
from statistics import median
from typing import TYPE_CHECKING

from vaeviewer.session.mailbox import Mailbox, Progress
from vaeviewer.session.rate_meter import RateMeter

if TYPE_CHECKING:
    from vaeviewer.backend.training.trainer import Trainer

PUBLISH_SECONDS = 1 / 10.6
"""Snapshots are published this often at most, on average …"""

PUBLISH_SHARE = 0.05
"""… and cost training at most this share of its time, apart from one now and then that waited for a processor."""

SLOW_MOTION = 20.0
"""Below so many steps a second each step is shown, with all images encoded again: training waits for that."""

ENCODE_SHARE = 0.25
"""At a pace above that they are encoded again for every snapshot as long as it takes at most this share."""


class Publisher:
    """Publishes snapshots and progress, on the training thread.

    Args:
        mailbox: Where they go.

    Attributes:
        mailbox: The same; another model gets another one.
    """

    def __init__(self, mailbox: Mailbox) -> None:
        self.mailbox = mailbox
        self._meter = RateMeter()
        self._next_snapshot = 0.0
        self._snapshot_costs: deque[float] = deque([0.0], maxlen=5)
        self._encode_costs: deque[float] = deque([0.0], maxlen=5)
        self._consistent: tuple[Mailbox, int] | None = None  # what was published with all rows of one step

    def begin(self, trainer: Trainer) -> None:
        """Training begins."""
        self._meter.start(trainer.step_count)

    def before_step(self, trainer: Trainer, steps_per_s: float) -> None:
        """In slow motion, show the steps taken so far, all images encoded, before there is another one."""
        if 0.0 < steps_per_s < SLOW_MOTION and self._consistent != (self.mailbox, trainer.step_count):
            trainer.finish_block()
            self._meter.note(trainer.step_count)
            self.rest(trainer)
            self.progress(trainer)

    def after_block(self, trainer: Trainer, steps_per_s: float) -> None:
        """Publish progress, and a snapshot if one is due; ``steps_per_s`` is the pace, 0 for full speed."""
        self._meter.note(trainer.step_count)
        self.progress(trainer)
        now = time.perf_counter()
        slow = 0.0 < steps_per_s < SLOW_MOTION
        if slow or not self.mailbox.snapshot_taken or now < self._next_snapshot:
            return
        # From when it was due: blocks end a little later, and delays would add up.
        interval = max(PUBLISH_SECONDS, median(self._snapshot_costs) / PUBLISH_SHARE)
        self._next_snapshot = max(self._next_snapshot + interval, now)
        # A step moves one batch only; encoding all images lets the whole plane move. The least cost of the last few
        # counts: one that was measured beside another busy program says nothing of the next.
        if steps_per_s > 0.0 and min(self._encode_costs) * steps_per_s <= ENCODE_SHARE:
            self._encode(trainer)
        self.snapshot(trainer)

    def rest(self, trainer: Trainer) -> None:
        """Training rests, for good or until the next slow step: publish a posterior that is of one step throughout."""
        self._encode(trainer)
        self.snapshot(trainer)
        self._consistent = self.mailbox, trainer.step_count

    def end(self, trainer: Trainer) -> None:
        """Training rests: publish that, without a speed."""
        self._meter.stop()
        self.progress(trainer)

    def snapshot(self, trainer: Trainer) -> None:
        """Publish a snapshot now."""
        start = time.perf_counter()
        self.mailbox.post(trainer.snapshot(), None)
        self._snapshot_costs.append(time.perf_counter() - start)

    def progress(self, trainer: Trainer) -> None:
        """Publish where training is."""
        rate = self._meter.steps_per_s
        left = (trainer.planned_epochs - trainer.epoch) * trainer.batches.per_epoch
        self.mailbox.post(
            None,
            Progress(
                step=trainer.step_count,
                epoch=trainer.epoch,
                epochs=trainer.planned_epochs,
                images_per_s=rate * trainer.batch_size if rate else None,
                seconds_left=max(0.0, left) / rate if rate else None,
                mode=trainer.mode,
                learning_rate=trainer.learning_rate(),
                timeline=tuple(trainer.timeline),
                mode_note=trainer.mode_note,
                history=trainer.history,
                best_step=trainer.best.step if trainer.best is not None else None,
            ),
        )

    def _encode(self, trainer: Trainer) -> None:
        start = time.perf_counter()
        trainer.refresh_posterior()
        self._encode_costs.append(time.perf_counter() - start)
