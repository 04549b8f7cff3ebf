"""Groups of classes in a long legend, by what their names have in common. No Qt."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

GROUPED_FROM = 40
"""With so many classes they are grouped, if their names suggest it."""

_MARKS = ("/", "\\", ":", " - ", "_", "-", ".", " ")  # the first that groups well does


@dataclass(frozen=True)
class Group:
    """Classes that belong together.

    Attributes:
        title: What a user reads; empty for a class by itself.
        members: The classes.
        names: What each is called below the title.
    """

    title: str
    members: tuple[int, ...]
    names: tuple[str, ...]


def groups_of(names: Sequence[str]) -> tuple[Group, ...]:
    """All classes in groups: by what stands before a mark, as in ``dog/poodle``, else by the first letter.

    Where neither tells them apart well, and where they are few, each class is by itself.
    """
    if len(names) >= GROUPED_FROM:
        for mark in _MARKS:
            found = _by(names, partial(_before, mark))
            if _useful(found, len(names)):
                return tuple(_group(title, found[title], names, title + mark) for title in found)
        found = _by(names, lambda name: name[:1].upper())
        if _useful(found, len(names)):
            return tuple(_group(title, found[title], names, "") for title in found)
    return tuple(Group("", (number,), (name,)) for number, name in enumerate(names))


def _by(names: Sequence[str], title_of: Callable[[str], str]) -> dict[str, list[int]]:
    found: dict[str, list[int]] = {}
    for number, name in enumerate(names):
        found.setdefault(title_of(name) or name, []).append(number)
    return found


def _before(mark: str, name: str) -> str:
    return name.split(mark, 1)[0] if mark in name else ""


def _useful(found: dict[str, list[int]], count: int) -> bool:
    largest = max(map(len, found.values()))
    return 2 <= len(found) <= count / 3 and largest <= 0.8 * count


def _group(title: str, members: list[int], names: Sequence[str], prefix: str) -> Group:
    if len(members) == 1:
        return Group("", tuple(members), (names[members[0]],))
    return Group(title, tuple(members), tuple(names[number].removeprefix(prefix) for number in members))
