"""The families there are: every module below ``families/`` that has a ``FAMILY``, and those registered beside."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Mapping
from functools import cache
from types import MappingProxyType
from typing import Any

from vaeviewer.backend.models.interface import KIN, Family

AnyFamily = Family[Any]


@cache
def _found() -> dict[str, AnyFamily]:
    from vaeviewer.backend.models import families

    modules = [
        importlib.import_module(f"{families.__name__}.{module.name}")
        for module in pkgutil.iter_modules(families.__path__)
    ]
    found: list[AnyFamily] = [module.FAMILY for module in modules]
    return {family.key: family for family in found}


def families() -> Mapping[str, AnyFamily]:
    """All families by key: kin by kin, of each the older ones first. It begins with ``vae``, as the program does."""
    kin = list(KIN)

    def place(family: AnyFamily) -> tuple[bool, int, str, str]:
        return family.key != "vae", kin.index(family.kin), family.source[-4:], family.key

    return MappingProxyType({family.key: family for family in sorted(_found().values(), key=place)})


def family(key: str) -> AnyFamily:
    """The family of a key.

    Raises:
        KeyError: There is none.
    """
    return _found()[key]


def register(new: AnyFamily) -> None:
    """Add a family, in place of one with the same key."""
    _found()[new.key] = new


def unregister(key: str) -> None:
    """Forget a family that was added."""
    del _found()[key]
