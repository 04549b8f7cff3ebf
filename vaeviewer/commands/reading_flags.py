"""Flags for how pictures are read, the same for every command that opens data."""

from __future__ import annotations

import argparse
from typing import Any

from vaeviewer.backend.data.reading import FIELDS, Reading, parse_reading
from vaeviewer.errors import DataError, SettingsError

_METAVAR = {"size": "HxW", "background": "#RRGGBB", "held_out": "SHARE", "split_seed": "N"}


def add_reading(parser: argparse.ArgumentParser) -> None:
    """Add ``--size``, ``--channels`` and all other choices of a :class:`Reading`, explained by the field."""
    group = parser.add_argument_group("how images are read")
    for name, field in FIELDS.items():
        options = getattr(field.annotation, "__args__", ())
        words = bool(options) and all(isinstance(option, str) for option in options)
        metavar = "|".join(options) if words else _METAVAR.get(name)
        kind: dict[str, Any] = (
            {"action": "store_const", "const": "true"} if name == "transpose" else {"metavar": metavar}
        )
        group.add_argument(
            _flag(name),
            dest=f"read_{name}",
            help=(field.description or "").replace("%", "%%"),
            **kind,
        )


def reading_of(options: argparse.Namespace) -> Reading | None:
    """The reading that a command line asks for, ``None`` where it says nothing.

    Raises:
        SettingsError: A value cannot be used; the sentence names the flag.
    """
    given = {name: getattr(options, f"read_{name}") for name in FIELDS}
    given = {name: value for name, value in given.items() if value is not None}
    if not given:
        return None
    try:
        return parse_reading(**given)
    except DataError as error:
        name = str(error).split()[0]
        raise SettingsError(str(error).replace(name, _flag(name), 1)) from None


def given_flags(options: argparse.Namespace) -> list[str]:
    """The flags of a reading that a command line has."""
    return [_flag(name) for name in FIELDS if getattr(options, f"read_{name}") is not None]


def _flag(name: str) -> str:
    return "--" + name.replace("_", "-")
