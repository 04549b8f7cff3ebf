"""The ledger's numbers beside everything else: the quick ones first, log p(x) when it is wanted."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest
from pytestqt.qtbot import QtBot
from threadpoolctl import threadpool_limits

from vaeviewer.analysis.image_evidence import GAP, LOG_PX
from vaeviewer.backend.config import Settings, updated
from vaeviewer.backend.data.base import ImageDataset
from vaeviewer.backend.snapshot import Snapshot
from vaeviewer.backend.training.trainer import Trainer
from vaeviewer.session.grid_decoder import GridDecoder
from vaeviewer.session.image_ledger import EXACT_KIND, ImageLedger


@pytest.fixture
def decoder() -> Iterator[GridDecoder]:
    made = GridDecoder()
    with threadpool_limits(limits=1, user_api="blas"):  # as in the window
        yield made
    assert made.close(20.0)


@pytest.fixture
def few(digits: ImageDataset) -> ImageDataset:
    return replace(
        digits,
        train_images=digits.train_images[:50],
        train_labels=digits.train_labels[:50],
        held_out_images=digits.held_out_images[:20],
        held_out_labels=digits.held_out_labels[:20],
    )


@pytest.fixture
def snapshot(few: ImageDataset) -> Snapshot:
    return Trainer(few, updated(Settings(), hidden=(8,), threads=1, engine="eager")).snapshot()


def has(ledger: ImageLedger, key: str) -> bool:
    return ledger.known is not None and key in ledger.known.values


@pytest.mark.slow
def test_the_familys_metrics_come_first_and_log_p_follows_where_it_is_wanted(
    qtbot: QtBot, decoder: GridDecoder, few: ImageDataset, snapshot: Snapshot
) -> None:
    ledger = ImageLedger(decoder)
    seen: list[set[str]] = []
    ledger.found.connect(lambda: seen.append(set(ledger.known.values) if ledger.known else set()))
    ledger.want_exact(True)
    ledger.want(snapshot, few)
    qtbot.waitUntil(lambda: has(ledger, GAP.key), timeout=20_000)
    quick = {"elbo", "reconstruction", "kl"}
    assert seen == [quick, quick | {LOG_PX.key, GAP.key}]
    known = ledger.known
    assert known is not None
    assert known.values[GAP.key].min() > -0.1
    assert (known.values[LOG_PX.key] > known.values["elbo"] - 10.0).all()
    assert [metric.key for metric in known.more] == [LOG_PX.key, GAP.key]

    ledger.want_exact(False)
    assert not has(ledger, LOG_PX.key)
    ledger.want_exact(True)
    assert has(ledger, LOG_PX.key), "what is known of this model is not computed again"
    ledger.want(replace(snapshot, step=5), few)
    qtbot.waitUntil(lambda: ledger.known is not None and ledger.known.step == 5, timeout=20_000)
    assert not has(ledger, LOG_PX.key), "no numbers of an older model stand beside newer ones"
    qtbot.waitUntil(lambda: has(ledger, LOG_PX.key), timeout=20_000)


@pytest.mark.slow
def test_it_is_given_up_when_it_is_not_wanted_and_waits_while_nobody_looks(
    qtbot: QtBot, decoder: GridDecoder, few: ImageDataset, snapshot: Snapshot
) -> None:
    ledger = ImageLedger(decoder)
    ledger.want_exact(True)
    ledger.want(snapshot, few)
    qtbot.waitUntil(lambda: ledger.exact.share is not None, timeout=20_000)
    ledger.want_exact(False)
    assert ledger.exact.share is None
    assert EXACT_KIND not in decoder._long
    ledger.want_exact(True)
    assert ledger.exact.share is not None
    ledger.pause()
    assert EXACT_KIND not in decoder._long
    ledger.resume()
    qtbot.waitUntil(lambda: has(ledger, GAP.key), timeout=20_000)
    decoder.forget()
    assert ledger.known is None
    assert ledger.exact.value is None


def test_numbers_on_two_threads_are_those_on_one(
    qtbot: QtBot, decoder: GridDecoder, few: ImageDataset, snapshot: Snapshot
) -> None:
    found = []
    for workers in (1, 2):
        ledger = ImageLedger(decoder, lambda workers=workers: workers)  # type: ignore[misc]
        ledger.want(snapshot, few)
        qtbot.waitUntil(lambda ledger=ledger: has(ledger, "elbo"), timeout=20_000)  # type: ignore[misc]
        assert ledger.known is not None
        found.append(ledger.known.values)
    for key, values in found[0].items():
        np.testing.assert_array_equal(values, found[1][key])


def test_what_fails_is_under_way_no_more(
    qtbot: QtBot, decoder: GridDecoder, few: ImageDataset, snapshot: Snapshot
) -> None:
    ledger = ImageLedger(decoder)
    broken = replace(few, train_images=few.train_images[:, :5])  # not as large as the model's
    with qtbot.waitSignal(decoder.failed, timeout=20_000):
        ledger.want(snapshot, broken)
    assert ledger.share is None
    ledger.want(snapshot, few)
    qtbot.waitUntil(lambda: has(ledger, "elbo"), timeout=20_000)
