"""Flags for settings: one for each field of each family."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any, get_origin

from pydantic.fields import FieldInfo

from vaeviewer.backend.config import (
    DEFAULT,
    DEFAULT_FAMILY,
    Settings,
    fields,
    presets,
    updated,
)
from vaeviewer.backend.models.registry import families, family
from vaeviewer.errors import SettingsError

if TYPE_CHECKING:
    pass


def _all_fields() -> dict[str, FieldInfo]:
    """The settings of all families that have a flag, by name."""
    return {name: field for key in families() for _, name, field in fields(presets(key)[DEFAULT])}


FIELDS = _all_fields()


def add_settings(parser: argparse.ArgumentParser) -> None:
    """Add ``--family``, ``--preset`` and a flag for each setting, named and explained by the field."""
    kinds = ", ".join(families())
    parser.add_argument("--family", metavar="NAME", help=f"the kind of model: {kinds} ({DEFAULT_FAMILY})")
    named = ", ".join(f"{name} ({key})" for key in families() for name in presets(key) if name != DEFAULT)
    parser.add_argument("--preset", metavar="NAME", help=f"where settings start: {DEFAULT}, {named}")
    group = parser.add_argument_group("settings, in place of the preset's")
    for name, field in FIELDS.items():
        # Values stay text here: the settings themselves know what they accept, and say it in a sentence.
        group.add_argument(
            flag(name),
            dest=f"set_{name}",
            metavar="VALUE",
            help=(field.description or "").replace("%", "%%"),
        )


def settings_of(options: argparse.Namespace) -> Settings:
    """The settings that a command line asks for.

    Raises:
        SettingsError: A family, preset or value cannot be used; the sentence names the flag.
    """
    key = options.family or DEFAULT_FAMILY
    if key not in families():
        raise SettingsError(f"--family must be one of {', '.join(families())}, but is {key!r}.")
    known, preset = presets(key), options.preset or DEFAULT
    if preset not in known:
        raise SettingsError(f"--preset must be one of {', '.join(known)}, but is {preset!r}.")
    settings = known[preset]
    own = {name for _, name, _ in fields(settings)}
    for name, field in FIELDS.items():
        text: str | None = getattr(options, f"set_{name}")
        if text is None:
            continue
        if name not in own:
            raise SettingsError(
                f"{flag(name)} is no setting of the {family(key).title.lower()}; leave it out."
            )
        value: Any = text.split(",") if get_origin(field.annotation) is tuple else text
        try:
            settings = updated(settings, **{name: value})
        except SettingsError as error:
            raise SettingsError(str(error).replace(name, flag(name), 1)) from None
    return settings


def flag(name: str) -> str:
    """The flag of a setting: ``--batch-size`` for ``batch_size``."""
    return "--" + name.replace("_", "-")
