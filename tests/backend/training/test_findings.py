from __future__ import annotations

import pytest

from vaeviewer.backend.training.findings import within_sentence


@pytest.mark.parametrize(
    ("title", "text"), [("Squared error", "squared error"), ("KL", "KL"), ("ELBO", "ELBO")]
)
def test_only_acronyms_keep_their_capitals_within_a_sentence(title: str, text: str) -> None:
    assert within_sentence(title) == text
