from __future__ import annotations

import numpy as np
import pytest

from vaeviewer.backend.config import Settings
from vaeviewer.backend.data.base import ImageDataset
from vaeviewer.backend.snapshot import Snapshot
from vaeviewer.backend.training.trainer import Trainer
from vaeviewer.session import publisher
from vaeviewer.session.mailbox import Mailbox
from vaeviewer.session.publisher import PUBLISH_SECONDS, PUBLISH_SHARE, Publisher


@pytest.fixture
def trainer(digits: ImageDataset, small: Settings) -> Trainer:
    return Trainer(digits, small)


def test_snapshots_keep_to_their_rate_though_blocks_end_late(
    trainer: Trainer, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = [10.0]
    monkeypatch.setattr(publisher.time, "perf_counter", lambda: now[0])
    mailbox = Mailbox()
    publishing = Publisher(mailbox)
    found = 0
    for _ in range(200):  # blocks of 70 ms: not a divisor of the interval
        now[0] += 0.07
        publishing.after_block(trainer, steps_per_s=0.0)
        found += mailbox.drain()[0] is not None
    assert found * PUBLISH_SECONDS == pytest.approx(200 * 0.07, rel=0.03)


def test_snapshots_cost_training_their_share_and_one_late_one_delays_no_others(
    trainer: Trainer, monkeypatch: pytest.MonkeyPatch
) -> None:
    now, costs = [10.0], [0.01] * 400
    monkeypatch.setattr(publisher.time, "perf_counter", lambda: now[0])
    made = trainer.snapshot

    def snapshot() -> Snapshot:
        now[0] += costs.pop(0)
        return made()

    monkeypatch.setattr(trainer, "snapshot", snapshot)
    mailbox = Mailbox()
    publishing = Publisher(mailbox)

    def published(blocks: int) -> int:
        found = 0
        for _ in range(blocks):
            now[0] += 0.02
            publishing.after_block(trainer, steps_per_s=0.0)
            found += mailbox.drain()[0] is not None
        return found

    begin = now[0]
    assert published(500) * 0.01 / (now[0] - begin) == pytest.approx(PUBLISH_SHARE, rel=0.05)
    costs[0] = 0.1  # ten times what it takes, once
    begin = now[0]
    assert published(500) * 0.01 / (now[0] - begin - 0.1) == pytest.approx(PUBLISH_SHARE, rel=0.05)


def test_nothing_is_made_that_nobody_took(trainer: Trainer) -> None:
    mailbox = Mailbox()
    publishing = Publisher(mailbox)
    publishing.after_block(trainer, steps_per_s=0.0)
    first = mailbox._snapshot
    publishing.after_block(trainer, steps_per_s=0.0)
    assert first is not None
    assert mailbox._snapshot is first


def test_at_rest_the_whole_posterior_is_of_one_step(trainer: Trainer) -> None:
    mailbox = Mailbox()
    for _ in range(2):
        trainer.step()
    trainer.finish_block()
    Publisher(mailbox).rest(trainer)
    snapshot, _ = mailbox.drain()
    assert snapshot is not None
    assert np.unique(snapshot.posterior.row_steps).tolist() == [2]


def test_the_speed_is_told_while_training_and_not_at_rest(trainer: Trainer) -> None:
    mailbox = Mailbox()
    publishing = Publisher(mailbox)
    publishing.begin(trainer)
    trainer.step()
    trainer.finish_block()
    publishing.end(trainer)
    _, progress = mailbox.drain()
    assert progress is not None
    assert progress.step == 1
    assert progress.images_per_s is None
