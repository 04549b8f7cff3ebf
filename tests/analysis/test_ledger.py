from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.helpers_images import make_dataset
from vaeviewer.analysis.ledger import Ledger, Wanted, ends, in_order

NUMBERS = st.lists(
    st.one_of(st.integers(-3, 3).map(float), st.just(math.nan), st.sampled_from([math.inf, -math.inf])),
    min_size=12,
    max_size=12,
)


def ledger_of(numbers: list[float]) -> Ledger:
    """Seven images trained on, of classes 0, 1, 2, 0 …, and five held out."""
    return Ledger(make_dataset(train=7, held_out=5, shape=(2, 2)), {"kl": np.array(numbers, np.float32)}, 3)


@pytest.mark.slow
@settings(max_examples=100, deadline=None)
@given(numbers=NUMBERS, descending=st.booleans(), key=st.sampled_from(["kl", "set", "row", "class"]))
def test_rows_are_in_order_and_those_without_a_number_last(
    numbers: list[float], descending: bool, key: str
) -> None:
    ledger = ledger_of(numbers)
    whole = Wanted().entries(ledger)
    order = in_order(ledger, whole, key, descending).tolist()
    assert sorted(order) == list(range(12))
    about = {
        "kl": numbers,
        "set": [ledger.is_held_out(entry) for entry in range(12)],
        "row": [ledger.row(entry) for entry in range(12)],
        "class": [ledger.label(entry) for entry in range(12)],
    }[key]
    sign = -1 if descending else 1
    expected = sorted(
        range(12), key=lambda i: (math.isnan(about[i]), 0 if math.isnan(about[i]) else sign * about[i])
    )
    assert order == expected, "equal ones stay as they were"
    low, high = ends(ledger, whole, key, 4)
    known = [i for i in expected if not math.isnan(about[i])]
    ascending = sorted(about[i] for i in known)
    assert [about[i] for i in low.tolist()] == ascending[:4]
    assert [about[i] for i in high.tolist()] == ascending[::-1][:4]


@pytest.mark.slow
@settings(max_examples=100, deadline=None)
@given(
    numbers=NUMBERS,
    images=st.sampled_from(["all", "train", "held out"]),
    label=st.sampled_from([None, 0, 2]),
    low=st.sampled_from([None, -2.0, 0.5]),
    high=st.sampled_from([None, 2.0, math.inf]),
)
def test_filters_leave_what_was_asked_for(
    numbers: list[float], images: str, label: int | None, low: float | None, high: float | None
) -> None:
    ledger = ledger_of(numbers)
    found = Wanted(images, label, "kl", low, high).entries(ledger).tolist()  # type: ignore[arg-type]
    bounded = low is not None or high is not None
    for entry in range(12):
        fits = (
            (images == "all" or (images == "held out") == (entry >= 7))
            and label in (None, (entry if entry < 7 else entry - 7) % 3)
            and (not bounded or (low or -math.inf) <= numbers[entry] <= (math.inf if high is None else high))
        )
        assert (entry in found) == fits


def test_an_entry_is_an_image_of_one_of_the_sets() -> None:
    ledger = ledger_of([0.0] * 12)
    data = ledger.dataset
    assert len(ledger) == 12
    assert ledger.image(6) is not None
    np.testing.assert_array_equal(ledger.image(6), data.train_images[6])
    np.testing.assert_array_equal(ledger.image(7), data.held_out_images[0])
    assert math.isnan(ledger.number(0, "log_px")), "nobody has computed it"
    assert np.isnan(ledger.column("log_px")).all()
