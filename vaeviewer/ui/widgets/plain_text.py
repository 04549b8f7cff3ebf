"""Text with names from files in it, for widgets that would take ``<b>`` for bold and ``&`` for a letter to press."""

from __future__ import annotations

import html
import re

MOST_LETTERS = 600
"""Of a sentence that is shown whole."""
MOST_LETTERS_OF_NAME = 48
"""Of a name in one line."""
LONG_WORD = 72
"""A longer word is shortened in its middle …"""
BREAK_AFTER = 18
"""… and one longer than this may go on in the next line at every so many letters."""
BREAK = "\u200b"
"""A place where a line may end, of no width."""


def breakable(sentence: str) -> str:
    """A sentence that can be laid out in any width: very long words, as of folders, are shortened and may be broken."""
    if len(sentence) > MOST_LETTERS:
        sentence = sentence[: MOST_LETTERS - 1].rstrip() + "…"
    return re.sub(rf"\S{{{BREAK_AFTER + 1},}}", lambda found: _broken(found[0]), sentence)


def _broken(word: str) -> str:
    word = shortened(word, LONG_WORD)
    return BREAK.join(word[start : start + BREAK_AFTER] for start in range(0, len(word), BREAK_AFTER))


def shortened(name: str, most: int = MOST_LETTERS_OF_NAME) -> str:
    """A name of at most so many letters, those in its middle left out."""
    half = most // 2
    return name if len(name) <= most else f"{name[: half - 1]}…{name[-half:]}"


def plain_tip(text: str) -> str:
    """``text`` for a tooltip, which Qt would otherwise read as rich text where it looks like it."""
    if "<" not in text:
        return text
    return "<qt>" + html.escape(text).replace("\n", "<br>") + "</qt>"


def menu_text(text: str) -> str:
    """``text`` for a menu or a button, where a single ``&`` would be a letter to press."""
    return text.replace("&", "&&")
