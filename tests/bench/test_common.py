"""Numbers that the parts of the benchmark share."""

from __future__ import annotations

import pytest

from vaeviewer.bench.common import paired


def test_what_slows_a_whole_round_changes_no_ratio() -> None:
    plain = [10.0, 4.0, 9.0, 5.0, 7.0]
    ours = [3 * value for value in plain]
    assert paired(ours, plain) == pytest.approx(3)
    assert paired([30.0, 12.0, 90.0], [10.0, 4.0, 9.0]) == pytest.approx(3)  # one odd round


def test_both_sides_have_as_many_rounds() -> None:
    with pytest.raises(ValueError, match="shorter"):
        paired([1.0, 2.0], [1.0])
