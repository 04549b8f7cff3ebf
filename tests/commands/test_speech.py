"""What commands print."""

from __future__ import annotations

import pytest

from vaeviewer.commands.speech import complain, say


def test_a_name_from_a_run_or_a_folder_does_not_drive_the_terminal(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Such as one that sets its title, clears it, or turns what follows from right to left."""
    complain("note: \x1b]0;title\x07 é\nred")
    say("two lines\nof \x1b[2J\u202e 3 × 3")
    answer = capsys.readouterr()
    assert answer.err == "note: \\x1b]0;title\\x07 é\\nred\n"
    assert answer.out == "two lines\nof \\x1b[2J\\u202e 3 × 3\n"
