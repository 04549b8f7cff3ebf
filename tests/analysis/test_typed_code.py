"""Codes as text: what is written is read back, and what is none is refused in a sentence."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vaeviewer.analysis.typed_code import code_text, read_code
from vaeviewer.errors import UserError


@given(st.lists(st.floats(-999, 999, width=32), min_size=1, max_size=30))
def test_what_is_written_is_read_back(numbers: list[float]) -> None:
    code = np.array(numbers, np.float32)
    np.testing.assert_allclose(read_code(code_text(code), len(code)), code, atol=6e-5)


@pytest.mark.parametrize(
    "text",
    ["0.3, −1.2", "0.3,-1.2", " z = (0.3, −1.2) ", "[0.3 -1.2]", "0.3;–1.2;", "3e-1\n-1.2", "0.3\t-1.2,"],
)
def test_it_is_read_as_people_write_it(text: str) -> None:
    np.testing.assert_allclose(read_code(text, 2), [0.3, -1.2], atol=1e-6)


@pytest.mark.parametrize(
    ("text", "latent_dim", "sentence"),
    [
        ("", 2, "z takes 2 numbers separated by commas here, but there is none."),
        ("1", 3, "z takes 3 numbers separated by commas here, but there is 1."),
        ("1, 2", 1, "z takes 1 number here, but there are 2."),
        ("1, two", 2, "z is made of numbers from −1,000 to 1,000, but “two” is none."),
        ("nan, 1", 2, "z is made of numbers from −1,000 to 1,000, but “nan” is none."),
        ("1e9, 1", 2, "z is made of numbers from −1,000 to 1,000, but “1e9” is none."),
        ("1_0, 1", 2, "z is made of numbers from −1,000 to 1,000, but “1_0” is none."),
    ],
)
def test_what_is_no_code_is_refused(text: str, latent_dim: int, sentence: str) -> None:
    with pytest.raises(UserError) as refused:
        read_code(text, latent_dim)
    assert str(refused.value) == sentence


@given(st.text(max_size=80))
def test_any_text_is_read_or_refused(text: str) -> None:
    try:
        code = read_code(text, 2)
    except UserError:
        return
    assert code.shape == (2,)
    assert np.isfinite(code).all()
